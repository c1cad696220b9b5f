package h2

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/wire"
)

// maxHeld is how much of a body is held back: until the head is complete, and to make larger frames of small pieces. It
// is net/http's.
const maxHeld = 4 << 10

// field is a field of an answer, as it is sent.
type field struct {
	name, value string
	sensitive   bool // not to be remembered by anybody on the way: it is different each time, or secret
}

// response is the http.ResponseWriter. WriteHeader takes the header's fields, so that later changes to it mean nothing;
// the head is sent when the first of the body is known.
type response struct {
	stream *stream
	header http.Header
	names  []string // of the header, sorted
	fields []field
	like   []wire.Field // of the service's answer that is passed on; nil: it is ours

	status    int  // 0: not yet
	committed bool // the head is sent
	done      bool // the handler has returned
	gone      bool // poisoned
	answered  bool // nothing informational is sent any more; guarded by conn.mu
	isHead    bool
	length    int64 // of the body, as declared; -1: not
	written   int64

	encoded, typed, dated, declared bool     // the handler set Content-Encoding, …-Type, Date, Content-Length
	trailers                        []string // it declared
	trailing                        bool     // it declared any, or used http.TrailerPrefix

	held *chunk // the first of the body
}

func (w *response) start() {
	w.release()
	*w = response{
		stream: w.stream, header: w.header, names: w.names[:0], fields: w.fields[:0], trailers: w.trailers[:0],
		length: -1, isHead: w.stream.head.method == http.MethodHead,
	}
}

// release gives back what was held.
func (w *response) release() {
	if w.held != nil {
		w.stream.conn.server.giveChunk(w.held)
		w.held = nil
	}
}

// Header returns the header that WriteHeader will send. After that only trailers are looked for in it.
func (w *response) Header() http.Header {
	w.check()
	return w.header
}

func (w *response) check() {
	if w.gone {
		panic("h2: the ResponseWriter was kept after its handler returned")
	}
}

// WriteHeader sends an informational response at once; it fixes the status and the fields of the answer otherwise.
func (w *response) WriteHeader(status int) {
	w.check()
	if w.status != 0 {
		w.stream.conn.server.debug("superfluous WriteHeader", "client", w.stream.conn.remote, "status", status)
		return
	}
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("h2: invalid status %d", status))
	}
	if status == http.StatusSwitchingProtocols { // RFC 9113 §8.6
		panic("h2: there is no 101 (Switching Protocols) in HTTP/2")
	}
	if status < 200 {
		w.inform(status)
		return
	}
	w.status = status
	w.notice()
	w.fields = w.fields[:0]
	w.collect(w.keeps)
}

// inform sends an informational response.
func (w *response) inform(status int) {
	w.fields = w.fields[:0]
	w.collect(func(key string) bool { return key != "Content-Length" })
	s := w.stream
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if status == http.StatusContinue {
		w.answered = true
	}
	if c.waitRoom(s) == nil {
		c.appendFields(s, status, w.fields, false)
		c.kick()
	}
	w.fields = w.fields[:0]
}

// writeContinue tells the client to send the body, unless an answer has begun. The connection is locked.
func (w *response) writeContinue() {
	if !w.answered && w.stream.failed == nil {
		w.answered = true
		w.stream.conn.appendFields(w.stream, http.StatusContinue, nil, false)
		w.stream.conn.kick()
	}
}

// notice looks at the fields that the rest of the head depends on.
func (w *response) notice() {
	h := w.header
	if value := first(h["Content-Length"]); value != "" {
		if n, ok := wire.ParseLength(strings.Trim(value, " \t")); ok {
			w.length = n
		} else {
			delete(h, "Content-Length")
		}
	}
	_, w.declared = h["Content-Length"]
	_, w.typed = h["Content-Type"]
	_, w.dated = h["Date"]
	w.encoded = first(h["Content-Encoding"]) != ""
	for _, list := range h["Trailer"] {
		w.trailing = true
		for name := range strings.SplitSeq(list, ",") {
			if key := http.CanonicalHeaderKey(strings.Trim(name, " \t")); wire.MayTrail(key) {
				w.trailers = append(w.trailers, key)
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

// keeps reports whether a field is sent as the handler set it. What concerns a connection of HTTP/1.1 is not (RFC 9113
// §8.2.2).
func (w *response) keeps(key string) bool {
	switch key {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade":
		return false
	case "Content-Length": // of 304, that which 200 would have (RFC 9110 §8.6)
		return w.length >= 0 && (bodyAllowed(w.status) || w.status == http.StatusNotModified)
	}
	return !strings.HasPrefix(key, http.TrailerPrefix)
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// collect takes the header's fields that keep allows: those that came from a service in its order, others in the order
// of their names.
func (w *response) collect(keep func(key string) bool) {
	if w.like != nil {
		for f, value := range wire.InOrder(w.like, w.header) {
			if keep(f.Key) {
				w.add(lowerOf(f.Key), value)
			}
		}
	}
	w.names = w.names[:0]
	for key := range w.header {
		if keep(key) && wire.IsToken(key) && !wire.Has(w.like, key) {
			w.names = append(w.names, key)
		}
	}
	slices.Sort(w.names)
	for _, key := range w.names {
		for _, value := range w.header[key] {
			w.add(lowerOf(key), value)
		}
	}
}

func (w *response) add(name, value string) {
	w.fields = append(w.fields, field{name, clean(value), isSensitive(name)})
}

// clean makes a space of each line end, so that nobody who writes HTTP/1.1 makes two fields of one.
func clean(value string) string {
	if !wire.IsFieldValue(value) {
		value = strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r == 0x7f {
				return ' '
			}
			return r
		}, value)
	}
	return strings.Trim(value, " \t")
}

// isSensitive is for the fields that would only push others out of the table.
func isSensitive(name string) bool {
	switch name {
	case "content-length", "content-range", "date", "etag", "last-modified", "location", "set-cookie", "x-request-id",
		"traceparent", "age", "expires":
		return true
	}
	return false
}

// Write sends a part of the body.
func (w *response) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	if w.room() >= len(p) && !(w.isHead && w.committed) {
		w.hold(p)
		return len(p), nil
	}
	if err := w.sendHeld(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString is Write.
func (w *response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// admit checks that n more bytes may be written, and fixes the head if nobody did.
func (w *response) admit(n int) error {
	w.check()
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

func (w *response) room() int {
	if w.held == nil {
		return maxHeld
	}
	return maxHeld - w.held.w
}

func (w *response) hold(p []byte) {
	if w.held == nil {
		w.held = w.stream.conn.server.takeChunk()
	}
	w.held.w += copy(w.held.b[w.held.w:], p)
}

func (w *response) heldBytes() []byte {
	if w.held == nil {
		return nil
	}
	return w.held.b[:w.held.w]
}

// sendHeld sends the head if it was not, what was held, and p.
func (w *response) sendHeld(p []byte) error {
	s := w.stream
	c := s.conn
	held := w.heldBytes()
	if !w.committed {
		if len(held) > 0 {
			w.complete(held)
		} else {
			w.complete(p)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := w.commit(false); err != nil || w.isHead {
		return err
	}
	err := c.send(s, held, false)
	if w.held != nil {
		w.held.w = 0
	}
	if err == nil {
		err = c.send(s, p, false)
	}
	return err
}

// complete adds what the handler left out of the head: p is the first of the body, and all of it if the handler has
// returned. The rules are net/http's.
func (w *response) complete(p []byte) {
	allowed := bodyAllowed(w.status)
	if allowed && !w.encoded && !w.typed && len(p) > 0 {
		w.add("content-type", http.DetectContentType(p))
	}
	if w.done && allowed && !w.declared && (!w.isHead || len(p) > 0) {
		w.length = int64(len(p))
		w.add("content-length", strconv.Itoa(len(p)))
	}
	if !w.dated {
		w.add("date", w.stream.conn.server.clock.Date(time.Now()))
	}
}

// commit sends the head, unless it was sent. The connection is locked.
func (w *response) commit(end bool) error {
	c := w.stream.conn
	if w.committed {
		return w.stream.failed
	}
	if err := c.waitRoom(w.stream); err != nil {
		return err
	}
	w.committed, w.answered = true, true
	c.appendFields(w.stream, w.status, w.fields, end)
	c.kick()
	return nil
}

// FlushError sends what was written up to now.
func (w *response) FlushError() error {
	if err := w.admit(0); err != nil {
		return err
	}
	return w.sendHeld(nil)
}

// Flush is FlushError.
func (w *response) Flush() { _ = w.FlushError() }

var errShort = errors.New("the body is shorter than declared")

// finish sends what is left after the handler has returned. Its error means that the client must not take the answer
// for a whole one.
func (w *response) finish() error {
	w.done = true
	if err := w.admit(0); err != nil {
		return err
	}
	held := w.heldBytes()
	if !w.committed {
		w.complete(held)
	}
	short := !w.isHead && w.length >= 0 && bodyAllowed(w.status) && w.written < w.length
	trailer := w.trailer()
	if w.isHead {
		held, trailer = nil, nil
	}
	s := w.stream
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	only := len(held) == 0 && len(trailer) == 0 && !w.committed && !short // the head is all there is
	if err := w.commit(only); err != nil || only {
		return err
	}
	if short {
		return errShort
	}
	if len(trailer) == 0 {
		return c.send(s, held, true)
	}
	if err := c.send(s, held, false); err != nil {
		return err
	}
	if err := c.waitRoom(s); err != nil {
		return err
	}
	c.appendFields(s, 0, trailer, true)
	c.kick()
	return nil
}

// trailer returns the fields that the handler set for after the body: those it declared, and those with the prefix.
func (w *response) trailer() []field {
	w.names = w.names[:0]
	for key := range w.header {
		name, prefixed := strings.CutPrefix(key, http.TrailerPrefix)
		if prefixed && wire.IsToken(name) && wire.MayTrail(http.CanonicalHeaderKey(name)) ||
			w.trailing && slices.Contains(w.trailers, key) {
			w.names = append(w.names, key)
		}
	}
	if len(w.names) == 0 {
		return nil
	}
	slices.Sort(w.names)
	fields := make([]field, 0, len(w.names))
	for _, key := range w.names {
		for _, value := range w.header[key] {
			name := lowerOf(strings.TrimPrefix(key, http.TrailerPrefix))
			fields = append(fields, field{name, clean(value), true})
		}
	}
	return fields
}

// SetReadDeadline is http.ResponseController's, for the request under way.
func (w *response) SetReadDeadline(t time.Time) error {
	w.check()
	return w.stream.setDeadline(&w.stream.readBy, t)
}

// SetWriteDeadline is http.ResponseController's, for the request under way.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.check()
	return w.stream.setDeadline(&w.stream.writeBy, t)
}

func (s *stream) setDeadline(deadline *time.Time, t time.Time) error {
	c := s.conn
	c.mu.Lock()
	*deadline = t
	c.mu.Unlock()
	if !t.IsZero() {
		c.check()
	}
	return nil
}

// Exchange returns what is answered.
func (w *response) Exchange() *wire.Exchange { return &w.stream.raw }

// Like has the header's fields written in the order of these, as far as they have the names.
func (w *response) Like(fields []wire.Field) { w.like = fields }

// Relay is part of wire.Answerer.
func (w *response) Relay(a *wire.Answer, drop func(key string) bool, set []wire.Field) (int64, error) {
	w.status, w.typed, w.length = a.Status, true, a.ContentLength() // it has the type that the service said, or none
	w.declared = w.length >= 0
	w.fields = w.fields[:0]
	for _, f := range a.Fields() {
		if drop(f.Key) || !w.keeps(f.Key) || len(w.header[f.Key]) > 0 {
			continue
		}
		w.dated = w.dated || f.Key == "Date"
		w.add(lowerOf(f.Key), f.Value)
	}
	w.collect(w.keeps)
	for i := range set {
		w.add(lowerOf(set[i].Key), set[i].Value)
	}
	err := a.RelayBody(w)
	return w.written, err
}

// EnableFullDuplex is http.ResponseController's: a handler always reads while it writes.
func (w *response) EnableFullDuplex() error {
	w.check()
	return nil
}

// statusText returns a status as three digits.
func statusText(status int) string {
	switch status {
	case http.StatusOK:
		return "200"
	case http.StatusNoContent:
		return "204"
	case http.StatusNotModified:
		return "304"
	case http.StatusNotFound:
		return "404"
	}
	return strconv.Itoa(status)
}
