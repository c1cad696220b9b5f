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

// Exchange is a request as it came, and what it is answered with.
type Exchange struct {
	Method string
	Target string // for a RawHandler, a path that needs no decoding, and perhaps a query
	Host   string
	Proto  string // the version, as it came
	Major  int    // of the version
	Minor  int

	Fields []Field       // in the order in which they came. Of HTTP/1, Host is among them
	Body   io.ReadCloser // nil: none
	Length int64         // of Body; -1: unknown

	Began      time.Time            // when the head had come
	TLS        *tls.ConnectionState // nil: plain
	RemoteAddr string               // the other end of the connection
	Client     netip.AddrPort       // the same, if it is an address
	Context    context.Context      // done when the client has gone or the request has been answered

	Answerer
}

// Answerer answers a request: as any http.ResponseWriter, or by passing on an answer.
type Answerer interface {
	http.ResponseWriter
	// Relay sends a service's answer as it came: without the fields that drop names, with those of Header in the place
	// of the service's, and with those in set behind them. The answer is plain ([Answer.Plain]). It returns how much of
	// the body was sent. If that was not all, the connection to the client must be cut.
	Relay(a *Answer, drop func(key string) bool, set []Field) (int64, error)
}

// ordered is an http.ResponseWriter of an engine that knows in which order fields came, and can keep to it.
type ordered interface {
	http.ResponseWriter
	// Exchange returns what is answered.
	Exchange() *Exchange
	// Like has the header's fields written in the order and spelling of these, as far as they have the names.
	Like(fields []Field)
}

// ExchangeOf returns the exchange that w answers; nil where it is no engine's of ours.
func ExchangeOf(w http.ResponseWriter) *Exchange {
	if own, ok := w.(ordered); ok {
		return own.Exchange()
	}
	return nil
}

// Like has the fields of the answer that w sends written in the order and spelling in which they came from a service,
// where both are of engines of ours. The answer must not be closed before.
func Like(w http.ResponseWriter, a *Answer) {
	if own, ok := w.(ordered); ok && a.head != nil {
		own.Like(a.head.fields)
	}
}

// IsPlainPath reports whether a path is decoded as it stands.
func IsPlainPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '/', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// isPlain reports whether the request may go to a RawHandler.
func (e *exchange) isPlain() bool {
	h := &e.head
	if h.minor != 1 || h.length < 0 || h.expect != "" || h.seen.trailer || h.seen.unusual {
		return false
	}
	path, _, _ := strings.Cut(h.target, "?")
	return IsPlainPath(path)
}

// tell fills in what others see of the exchange.
func (e *exchange) tell() {
	h, c := &e.head, e.conn
	e.raw = Exchange{
		Method: h.method, Target: h.target, Host: h.host, Proto: h.proto, Major: 1, Minor: h.minor,
		Fields: h.fields,
		Length: h.length, Began: e.began, TLS: c.tls, RemoteAddr: c.remote,
		Client: c.client, Context: e.context, Answerer: &e.response,
	}
	if h.length != 0 {
		e.raw.Body = &e.body
	}
}

// Exchange is part of ordered.
func (w *response) Exchange() *Exchange { return &w.exchange.raw }

// Like is part of ordered.
func (w *response) Like(fields []Field) { w.like = fields }

// Relay is part of Answerer.
func (w *response) Relay(a *Answer, drop func(key string) bool, set []Field) (int64, error) {
	w.relayHead(a.head, drop)
	w.writeFields(w.keeps)
	for i := range set {
		w.writeField(set[i].Key, set[i].Value)
	}
	err := a.RelayBody(w)
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
		if drop(f.Key) || !w.keeps(f.Key) || len(w.header[f.Key]) > 0 {
			continue
		}
		w.dated = w.dated || f.Key == "Date"
		_, _ = out.WriteString(f.Name)
		_, _ = out.WriteString(": ")
		_, _ = out.WriteString(f.Value)
		_, _ = out.WriteString("\r\n")
	}
}

// Flusher is where a body is sent to.
type Flusher interface {
	io.Writer
	FlushError() error
}

// RelayBody sends the body of a plain answer to w: in the kernel where both ends are plain TCP and it is worth it,
// otherwise piece by piece as it comes.
func (a *Answer) RelayBody(w Flusher) error {
	if a.none {
		return nil
	}
	b := &a.body
	if err := b.enter(); err != nil {
		return err
	}
	err := b.relayTo(w)
	if err = b.leave(err); err == io.EOF {
		return nil
	}
	return err
}

func (b *lengthBody) relayTo(w Flusher) error {
	if b.c == nil { // all of it is there
		_, err := b.read.WriteTo(w)
		return err
	}
	if own, ok := w.(*response); ok {
		_, err := b.writeTo(flushing{own})
		return err
	}
	_, err := b.writeTo(flushed{w})
	return err
}

// flushed sends each piece at once: the next may come late.
type flushed struct{ Flusher }

func (f flushed) Write(p []byte) (int, error) {
	n, err := f.Flusher.Write(p)
	if err == nil {
		err = f.FlushError()
	}
	return n, err
}

// flushing is flushed for what the kernel can send to.
type flushing struct{ *response }

func (f flushing) Write(p []byte) (int, error) { return flushed{f.response}.Write(p) }
