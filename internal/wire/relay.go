package wire

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// RawHandler is an http.Handler that can answer a request of which only the head's text is there: no http.Request and
// no http.Header is made for it. It is asked first for requests that are plain: a target of letters that stand for
// themselves, a body of known length, and nothing about the connection but close and keep-alive.
type RawHandler interface {
	http.Handler
	// ServeRaw answers, or does nothing and reports false: then ServeHTTP is called. As there, nothing may be kept.
	ServeRaw(x *Exchange) bool
}

// plain reports whether the request may go to a RawHandler.
func (e *Exchange) plain() bool {
	h := &e.head
	if h.minor != 1 || h.length < 0 || h.expect != "" || h.seen.trailer || h.seen.unusual {
		return false
	}
	path, _, _ := strings.Cut(h.target, "?")
	return isPlainPath(path)
}

// Method returns the request's method.
func (e *Exchange) Method() string { return e.head.method }

// Target returns the path, which needs no decoding, and what follows the question mark.
func (e *Exchange) Target() (path, query string) {
	path, query, _ = strings.Cut(e.head.target, "?")
	return path, query
}

// Host returns the value of Host.
func (e *Exchange) Host() string { return e.head.host }

// Proto returns the version, as it came.
func (e *Exchange) Proto() string { return e.head.proto }

// Began returns when the head had come.
func (e *Exchange) Began() time.Time { return e.began }

// TLS returns the state of the connection; nil where it is plain.
func (e *Exchange) TLS() *tls.ConnectionState { return e.conn.tls }

// RemoteAddr returns the other end of the connection, as text and, where it is an address, as that.
func (e *Exchange) RemoteAddr() (string, netip.AddrPort) { return e.conn.remote, e.conn.client }

// Context is done when the client has gone or the request has been answered.
func (e *Exchange) Context() context.Context { return e.context }

// Body returns the request's body and its length; nil where there is none.
func (e *Exchange) Body() (io.ReadCloser, int64) {
	if e.head.length == 0 {
		return nil, 0
	}
	return &e.body, e.head.length
}

// ResponseWriter returns what the request may be answered with, other than by Relay.
func (e *Exchange) ResponseWriter() http.ResponseWriter { return &e.response }

// Fields returns how many fields the head has, Host among them.
func (e *Exchange) Fields() int { return len(e.head.fields) }

// Field returns the i-th field.
func (e *Exchange) Field(i int) Field { return Field{e.head.fields[i].key, e.head.fields[i].value} }

// Relay sends a service's answer as it came: without the fields that drop names, with those of the ResponseWriter's
// Header in the place of the service's, and with those in set behind them. The answer is plain ([Answer.Plain]). It
// returns how much of the body was sent. If that was not all, the connection to the client must be cut.
func (e *Exchange) Relay(a *Answer, drop func(key string) bool, set []Field) (int64, error) {
	w := &e.response
	w.relayHead(a.head, drop)
	w.writeFields(w.keeps)
	for i := range set {
		w.writeField(set[i].Key, set[i].Value)
	}
	if a.none {
		return 0, nil
	}
	err := a.body.relay(w)
	return w.written, err
}

// relayHead is WriteHeader for a head that came from a service.
func (w *response) relayHead(h *head, drop func(key string) bool) {
	w.mu.Lock()
	w.answered = true
	w.mu.Unlock()
	w.status, w.typed = h.status, true // whatever type it has, the service said so, or did not want to
	if h.declared {
		w.length, w.declared = h.contentLength, true
	}
	out := &w.exchange.conn.out
	writeStatusLine(out, w.exchange.head.minor, h.status)
	for i := range h.fields {
		f := &h.fields[i]
		if drop(f.key) || !w.keeps(f.key) || len(w.header[f.key]) > 0 {
			continue
		}
		w.dated = w.dated || f.key == "Date"
		_, _ = out.WriteString(f.name)
		_, _ = out.WriteString(": ")
		_, _ = out.WriteString(f.value)
		_, _ = out.WriteString("\r\n")
	}
}

// ExchangeOf returns the exchange that w answers; nil where it is not this engine's.
func ExchangeOf(w http.ResponseWriter) *Exchange {
	if own, ok := w.(*response); ok {
		return own.exchange
	}
	return nil
}

// Like has the fields of the answer that w sends written in the order and spelling in which they came from a service,
// where both are this engine's. The answer must not be closed before.
func Like(w http.ResponseWriter, a *Answer) {
	if own, ok := w.(*response); ok && a.head != nil {
		own.like = a.head
	}
}

// relay sends the body to a client: in the kernel where both ends are plain TCP and it is worth it, otherwise piece by
// piece as it comes.
func (b *lengthBody) relay(w *response) error {
	if err := b.enter(); err != nil {
		return err
	}
	err := b.relayTo(w)
	if err = b.leave(err); err == io.EOF {
		return nil
	}
	return err
}

func (b *lengthBody) relayTo(w *response) error {
	if b.c == nil { // all of it is there
		_, err := b.read.WriteTo(w)
		return err
	}
	if _, err := b.writeTo(flushing{w}); err != nil {
		return err
	}
	return nil
}

// flushing sends each piece at once: the next may come late.
type flushing struct{ *response }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.response.Write(p)
	if err == nil {
		err = f.FlushError()
	}
	return n, err
}
