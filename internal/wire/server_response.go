package wire

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxHeld is how much of a body is held back before the head is written, to find out its length and its type. It is
// net/http's: what is longer has chunks in both.
const maxHeld = 2 << 10

// response is the http.ResponseWriter. The head's fields are written into the connection's writer when WriteHeader is
// called, so that later changes to the header mean nothing; the rest of the head when the first of the body is known.
type response struct {
	exchange *exchange
	header   http.Header
	names    []string // of the header, sorted
	like     []Field  // of the service's answer that is passed on; nil: it is ours

	status    int  // 0: not yet
	committed bool // the head is complete
	done      bool // the handler has returned
	hijacked  bool
	gone      bool // poisoned
	chunked   bool
	closing   bool  // no other request follows on the connection
	duplex    bool  // the handler reads the body while it writes
	length    int64 // of the body, as declared or found out; -1: neither
	written   int64 // of the body, by the handler

	connection []string // the handler's Connection
	coding     string   // its Transfer-Encoding
	encoded    bool     // it set Content-Encoding
	typed      bool     // it set Content-Type
	dated      bool     // it set Date
	declared   bool     // it set Content-Length
	trailers   []string // it declared
	trailing   bool     // it declared any, or used http.TrailerPrefix

	held *buffer // the first of the body, before the head is complete
	n    int

	// mu keeps 100 (Continue), which another goroutine's reading of the body sends, out of the answer.
	mu       sync.Mutex
	answered bool // nothing informational is sent any more
}

// start prepares for the answer to a request. The error is that of a request that has none but a refusal.
func (w *response) start() error {
	w.release()
	*w = response{
		exchange: w.exchange, header: w.header, names: w.names[:0], trailers: w.trailers[:0],
		length: -1,
	}
	h := &w.exchange.head
	if h.seen.expect > 1 || h.seen.expect == 1 && !equalFold(h.expect, "100-continue") {
		return &ProtocolError{http.StatusExpectationFailed, "RFC 9110 §10.1.1", "an expectation we do not know"}
	}
	s := w.exchange.conn.server
	w.closing = s.Requests > 0 && w.exchange.conn.requests >= s.Requests
	return nil
}

// release gives back what was held.
func (w *response) release() {
	if w.held != nil {
		w.exchange.conn.server.buffers.give(w.held)
		w.held, w.n = nil, 0
	}
}

// Header returns the header that WriteHeader will send. After that only trailers are looked for in it.
func (w *response) Header() http.Header {
	w.check()
	return w.header
}

func (w *response) check() {
	if w.gone {
		panic("wire: the ResponseWriter was kept after its handler returned")
	}
}

// WriteHeader sends an informational response at once; it fixes the status and the fields of the answer otherwise.
func (w *response) WriteHeader(status int) {
	w.check()
	if w.hijacked || w.status != 0 {
		w.exchange.conn.server.debug("superfluous WriteHeader", "client", w.exchange.conn.remote, "status", status)
		return
	}
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("wire: invalid status %d", status))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	informational := status < 200 && status != http.StatusSwitchingProtocols
	if !informational || status == http.StatusContinue {
		w.answered = true
	}
	out := &w.exchange.conn.out
	if informational && w.exchange.head.minor == 0 { // RFC 9110 §15.2
		return
	}
	writeStatusLine(out, w.exchange.head.minor, status)
	if informational {
		w.writeFields(func(key string) bool { return key != "Content-Length" && key != "Transfer-Encoding" })
		_, _ = out.WriteString("\r\n")
		_ = out.flush()
		return
	}
	w.status = status
	w.notice()
	w.writeFields(w.keeps)
}

// notice looks at the fields that the rest of the head depends on.
func (w *response) notice() {
	h := w.header
	_, w.declared = h["Content-Length"]
	if value := first(h["Content-Length"]); value != "" {
		if n, ok := parseLength(trim(value)); ok {
			w.length = n
		} else {
			delete(h, "Content-Length")
		}
	}
	w.coding = first(h["Transfer-Encoding"])
	if w.coding != "" && w.coding != "identity" { // both would be ambiguous: chunks it is
		w.length = -1
	}
	_, w.typed = h["Content-Type"]
	_, w.dated = h["Date"]
	w.encoded = first(h["Content-Encoding"]) != ""
	w.connection = h["Connection"]
	for _, list := range h["Trailer"] {
		w.trailing = true
		for name := range strings.SplitSeq(list, ",") {
			if name = http.CanonicalHeaderKey(trim(name)); MayTrail(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
	for key := range h {
		w.trailing = w.trailing || strings.HasPrefix(key, http.TrailerPrefix)
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// keeps reports whether a field is sent as the handler set it. The rest of the head is commit's.
func (w *response) keeps(key string) bool {
	switch key {
	case "Connection", "Transfer-Encoding":
		return false
	case "Content-Length": // of 304, that which 200 would have (RFC 9110 §8.6)
		return w.length >= 0 && (bodyAllowed(w.status) || w.status == http.StatusNotModified)
	}
	return !strings.HasPrefix(key, http.TrailerPrefix)
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// Write sends a part of the body.
func (w *response) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	if w.committed {
		return w.send(p)
	}
	if w.n+len(p) <= maxHeld && (w.length < 0 || w.length > w.written) {
		w.hold(p)
		return len(p), nil
	}
	if w.n == 0 {
		w.commit(p)
		return w.send(p)
	}
	n := min(len(p), maxHeld-w.n)
	w.hold(p[:n])
	if err := w.commitHeld(); err != nil {
		return n, err
	}
	if n == len(p) {
		return n, nil
	}
	m, err := w.send(p[n:])
	return n + m, err
}

// WriteString is Write.
func (w *response) WriteString(s string) (int, error) {
	if w.committed || w.n+len(s) > maxHeld {
		return w.Write([]byte(s))
	}
	if err := w.admit(len(s)); err != nil || s == "" {
		return 0, err
	}
	if w.held == nil {
		w.held = w.exchange.conn.server.buffers.take(maxHeld)
	}
	w.n += copy(w.held.b[w.n:], s)
	return len(s), nil
}

// admit checks that n more bytes may be written, and writes the head if nobody did.
func (w *response) admit(n int) error {
	w.check()
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !bodyAllowed(w.status) {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	return nil
}

func (w *response) hold(p []byte) {
	if w.held == nil {
		w.held = w.exchange.conn.server.buffers.take(maxHeld)
	}
	w.n += copy(w.held.b[w.n:], p)
}

// commitHeld completes the head and sends what was held.
func (w *response) commitHeld() error {
	var p []byte
	if w.held != nil {
		p = w.held.b[:w.n]
	}
	w.commit(p)
	_, err := w.send(p)
	w.release()
	return err
}

// send writes a part of the body behind the head.
func (w *response) send(p []byte) (int, error) {
	if w.exchange.head.method == http.MethodHead {
		return len(p), nil
	}
	out := &w.exchange.conn.out
	var n int
	var err error
	if w.chunked {
		n, err = out.writeChunk(p)
	} else {
		n, err = out.Write(p)
	}
	if err != nil {
		w.exchange.context.end() // there is nobody to work for
	}
	return n, err
}

// FlushError sends what was written up to now.
func (w *response) FlushError() error {
	w.check()
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.committed {
		_ = w.commitHeld()
	}
	err := w.exchange.conn.out.flush()
	if err != nil {
		w.exchange.context.end() // there is nobody to work for
	}
	return err
}

// Flush is FlushError.
func (w *response) Flush() { _ = w.FlushError() }

// writeContinue tells the client to send the body, unless an answer has begun.
func (w *response) writeContinue() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answered {
		return nil
	}
	out := &w.exchange.conn.out
	_, _ = out.WriteString("HTTP/1.1 100 Continue\r\n\r\n")
	return out.flush()
}

// finish sends what is left after the handler has returned, and reads what is left of the request.
func (w *response) finish() {
	w.done = true
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.committed {
		_ = w.commitHeld()
	}
	if w.chunked && w.exchange.head.method != http.MethodHead {
		_ = w.exchange.conn.out.writeLastChunk(w.trailer())
	}
	if !w.mayWait() {
		_ = w.exchange.conn.out.flush()
	}
	w.exchange.body.close()
}

// mayWait reports whether the rest of the answer may be written by whoever waits for the next request.
func (w *response) mayWait() bool {
	c := w.exchange.conn
	if c.waiter.callback == nil || w.closing || !w.exchange.context.quiet.Load() {
		return false
	}
	c.hasty = c.hasty || len(c.in.buffered()) > 0
	return !c.hasty
}

// reusable reports whether another request may follow on the connection.
func (w *response) reusable() bool {
	short := w.exchange.head.method != http.MethodHead && w.length >= 0 && bodyAllowed(w.status) && w.length != w.written
	if w.closing || short || w.exchange.conn.out.err != nil || w.status == http.StatusSwitchingProtocols {
		return false
	}
	return w.exchange.body.finished() || w.exchange.body.drain() == nil
}

func writeStatusLine(out *writer, minor, status int) {
	version := "HTTP/1.1 "
	if minor == 0 {
		version = "HTTP/1.0 "
	}
	_, _ = out.WriteString(version)
	_ = out.writeNumber(int64(status), 10)
	if text := http.StatusText(status); text != "" {
		_, _ = out.WriteString(" ")
		_, _ = out.WriteString(text)
	} else {
		_, _ = out.WriteString(" status code ")
		_ = out.writeNumber(int64(status), 10)
	}
	_, _ = out.WriteString("\r\n")
}

// SetReadDeadline is http.ResponseController's, for the request under way.
func (w *response) SetReadDeadline(t time.Time) error {
	w.check()
	return w.exchange.conn.reading.override(t)
}

// SetWriteDeadline is http.ResponseController's, for the request under way.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.check()
	return w.exchange.conn.writing.override(t)
}

// EnableFullDuplex is http.ResponseController's: writing does not read the rest of the request first.
func (w *response) EnableFullDuplex() error {
	w.check()
	w.duplex = true
	return nil
}

var errUnhijackable = errors.New("wire: the connection was hijacked before")
