package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Answer is a service's answer, of which its head was read. Close gives it back: nothing of it but strings may be used
// after that.
type Answer struct {
	Status int

	t        *Transport
	head     *head          // nil: other is all there is, or the caller of RoundTrip has what it says
	other    *http.Response // of another engine
	method   string         // of the request
	tls      *tls.ConnectionState
	response http.Response
	made     bool // response is
	fields   http.Header
	body     lengthBody
	none     bool // there is no body
	upgrade  *upgraded
	closed   func() // of another engine's
}

// AnswerOf makes an answer of another engine's response. After it is closed, closed is called.
func AnswerOf(r *http.Response, closed func()) *Answer {
	return &Answer{Status: r.StatusCode, other: r, closed: closed}
}

func (t *Transport) takeAnswer() *Answer {
	a, ok := t.answers.Get().(*Answer)
	if !ok {
		a = new(Answer)
	}
	a.t = t
	return a
}

// giveAnswer takes back what the caller of Send had.
func (t *Transport) giveAnswer(a *Answer) {
	a.forgetHead()
	fields := a.fields
	if t.o.Poison {
		clear(fields)
		fields, a.response.Body = http.Header{"Poison": {"kept after it was closed"}}, nil
		a.response.Header, a.Status, a.made = fields, 0, true
		return
	}
	clear(fields)
	*a = Answer{fields: fields}
	t.answers.Put(a)
}

// begin takes over the head that was read, and decides what becomes of the connection.
func (a *Answer) begin(c *serviceConn, o *message, h *head) {
	a.Status, a.head, a.method, a.tls = h.status, h, o.method(), c.tls
	c.keep = h.keepAlive && !o.last && !(h.status == http.StatusNoContent && h.declared && h.contentLength > 0) &&
		(o.body == nil || !o.stream)
	if c.sender != nil && h.status >= 400 && !h.keepAlive { // RFC 9112 §9.5
		c.sender.refused.Store(true)
	}
	if o.stream && o.body != nil { // it waited for 100 (Continue), which will not come
		o.closeBody()
	}
	if h.length == 0 {
		a.none = true
		c.end(true)
		return
	}
	b := &a.body.answerBody
	b.answer, b.c = a, c
	b.read.reset(&c.read, h.length, c.t.limits)
	if b.arrived() {
		b.detach()
	}
}

// Field returns the value of the first field of that name, which must be in its canonical form.
func (a *Answer) Field(key string) string {
	if a.other != nil {
		return first(a.other.Header[key])
	}
	for i := range a.head.fields {
		if a.head.fields[i].Key == key {
			return a.head.fields[i].Value
		}
	}
	return ""
}

// Fields returns the fields of an answer in plain HTTP/1.1, as they came.
func (a *Answer) Fields() []Field { return a.head.fields }

// ContentLength returns what the head says of the body's length, or of that which GET would have. -1: nothing.
func (a *Answer) ContentLength() int64 {
	if !a.head.declared {
		return -1
	}
	return a.head.contentLength
}

// Minor returns the minor version of HTTP/1 that the service speaks.
func (a *Answer) Minor() int { return a.head.minor }

// Plain reports whether the head says how long the body is, so that [Exchange.Relay] can send the answer.
func (a *Answer) Plain() bool {
	return a.head != nil && a.upgrade == nil && a.head.length >= 0 && !a.head.seen.trailer && !a.head.seen.unusual
}

// Settle reads a body that has at most so many bytes, and its connection is free for others before anything of it is
// used. Its error means that the answer is broken.
func (a *Answer) Settle(most int64) error {
	switch {
	case a.other != nil:
		return a.settleOther(most)
	case a.none, a.upgrade != nil, a.head.length < 0, a.head.length > most:
		return nil
	}
	return a.body.settle()
}

// settleOther is Settle for another engine's response.
func (a *Answer) settleOther(most int64) error {
	r := a.other
	if r.Request != nil && r.Request.Method == http.MethodHead || r.StatusCode == http.StatusNoContent ||
		r.StatusCode == http.StatusNotModified { // its length is not that of a body (RFC 9110 §8.6)
		err := r.Body.Close()
		r.Body = http.NoBody
		return err
	}
	switch {
	case r.ContentLength < 0, r.ContentLength > most, r.Body == http.NoBody,
		r.StatusCode == http.StatusSwitchingProtocols:
		return nil
	case r.ContentLength == 0: // then a gRPC status in the head ends the stream for the client, too
		_, err := io.Copy(io.Discard, r.Body) // a trailer may come
		closed := r.Body.Close()
		r.Body = http.NoBody
		return errors.Join(err, closed)
	}
	whole := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, whole)
	if err == nil && r.ProtoMajor > 1 {
		_, err = io.Copy(io.Discard, r.Body) // to the end of the stream, which may have a trailer
	}
	closed := r.Body.Close()
	r.Body = wholeBody{bytes.NewReader(whole)}
	return errors.Join(err, closed)
}

// wholeBody is a body that was read already.
type wholeBody struct{ *bytes.Reader }

func (wholeBody) Close() error { return nil }

// Settled is for whoever sends the body: all of it is there.
func (wholeBody) Settled() bool { return true }

// Response returns the answer as one of net/http's. It is made when it is first asked for.
func (a *Answer) Response() *http.Response {
	if a.other != nil {
		return a.other
	}
	if !a.made {
		a.made = true
		a.fill()
	}
	return &a.response
}

// Close ends reading, and gives the answer back. It is called once.
func (a *Answer) Close() error {
	switch {
	case a.other != nil:
		err := a.other.Body.Close()
		a.closed()
		return err
	case a.upgrade != nil:
		return a.upgrade.Close()
	case !a.none && !a.body.end():
		return nil // somebody still reads
	}
	a.t.giveAnswer(a)
	return nil
}

func (a *Answer) forgetHead() {
	if h := a.head; h != nil {
		a.head = nil
		a.t.forgetHead(h)
	}
}

// fill makes the response.
func (a *Answer) fill() {
	r, h := &a.response, a.head
	r.StatusCode, r.Status = h.status, statusText(h)
	r.Proto, r.ProtoMajor, r.ProtoMinor = h.proto, 1, h.minor
	r.TLS = a.tls
	r.Close = !h.keepAlive
	if a.fields == nil {
		a.fields = make(http.Header, len(h.fields))
	}
	r.Header = a.fields
	h.values = nil // they may be kept
	h.header(r.Header)
	h.values = nil
	r.ContentLength = max(h.length, -1)
	if a.method == http.MethodHead {
		r.ContentLength = -1
		if h.declared {
			r.ContentLength = h.contentLength
		}
	}
	if h.seen.transferEncoding > 0 {
		r.TransferEncoding = []string{"chunked"}
	}
	if h.seen.trailer && h.seen.transferEncoding > 0 {
		r.Trailer, _ = h.announced() // looked at before
		delete(r.Header, "Trailer")
	}
	switch {
	case a.upgrade != nil:
		r.ContentLength, r.Body = -1, a.upgrade
	case a.none:
		r.Body = http.NoBody
	case h.length < 0:
		r.Body = &a.body.answerBody
	default:
		r.Body = &a.body
	}
}

// announced returns the names in Trailer, as net/http does, and nil where there are no chunks that it could be about.
func (h *head) announced() (http.Header, error) {
	if !h.seen.trailer || h.seen.transferEncoding == 0 {
		return nil, nil
	}
	var names http.Header
	for i := range h.fields {
		if h.fields[i].Key != "Trailer" {
			continue
		}
		for name := range strings.SplitSeq(h.fields[i].Value, ",") {
			if name = trim(name); name == "" {
				continue
			}
			if !isTokenString(name) || !MayTrail(http.CanonicalHeaderKey(name)) {
				return nil, malformed("RFC 9110 §6.6.2", "Trailer names what cannot be in a trailer")
			}
			if names == nil {
				names = make(http.Header)
			}
			names[http.CanonicalHeaderKey(name)] = nil
		}
	}
	return names, nil
}

// statusText makes "200 OK" without making it each time.
func statusText(h *head) string {
	if known, ok := usualStatus[h.status]; ok && known[4:] == h.reason {
		return known
	}
	return strconv.Itoa(h.status) + " " + h.reason
}

var usualStatus = map[int]string{
	200: "200 OK", 201: "201 Created", 202: "202 Accepted", 204: "204 No Content", 206: "206 Partial Content",
	301: "301 Moved Permanently", 302: "302 Found", 303: "303 See Other", 304: "304 Not Modified",
	307: "307 Temporary Redirect", 308: "308 Permanent Redirect", 400: "400 Bad Request", 401: "401 Unauthorized",
	403: "403 Forbidden", 404: "404 Not Found", 409: "409 Conflict", 429: "429 Too Many Requests",
	500: "500 Internal Server Error", 502: "502 Bad Gateway", 503: "503 Service Unavailable",
}

// switchProtocol hands the connection over to the caller (RFC 9110 §7.8).
func (a *Answer) switchProtocol(c *serviceConn, o *message, h *head) error {
	if !o.upgrade || c.sender != nil && !c.sender.ended(true) {
		c.discard()
		return malformed("RFC 9110 §15.2.2", "101 (Switching Protocols), which the request did not ask for")
	}
	a.Status, a.head, a.method, a.tls, a.upgrade = h.status, h, o.method(), c.tls, &upgraded{c: c}
	return nil
}
