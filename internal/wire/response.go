package wire

import (
	"net/http"
	"strconv"
	"strings"
)

// answer is a response, and all that it is made of in one piece. The caller may keep it.
type answer struct {
	http.Response
	body   lengthBody
	values [12]string // of the header
}

// answer makes the response whose head was read, and decides what becomes of the connection.
func (c *serviceConn) answer(o *outgoing, h *head) *http.Response {
	a := new(answer)
	a.fill(c, o, h)
	c.keep = h.keepAlive && !o.last && !(h.status == http.StatusNoContent && h.declared && h.contentLength > 0) &&
		(o.body == nil || !o.stream)
	if c.sender != nil && h.status >= 400 && !h.keepAlive { // RFC 9112 §9.5
		c.sender.refused.Store(true)
	}
	if o.stream && o.body != nil { // it waited for 100 (Continue), which will not come
		o.closeBody()
	}
	if h.length == 0 {
		a.Body = http.NoBody
		c.end(true)
		return &a.Response
	}
	b := &a.body.answerBody
	b.answer, b.c = a, c
	a.Body = &a.body
	b.read.reset(&c.read, h.length, c.t.limits)
	if h.length < 0 {
		a.Body = b
		return &a.Response
	}
	if int64(len(c.read.buffered())) == h.length && (c.sender == nil || c.sender.finishing.Load()) {
		b.detach()
	}
	return &a.Response
}

// fill sets the fields of the response.
func (a *answer) fill(c *serviceConn, o *outgoing, h *head) {
	r := &a.Response
	r.StatusCode, r.Status = h.status, statusText(h)
	r.Proto, r.ProtoMajor, r.ProtoMinor = h.proto, 1, h.minor
	r.Request, r.TLS = o.r, c.tls
	r.Close = !h.keepAlive
	r.Header = make(http.Header, len(h.fields))
	h.values = a.values[:0]
	h.header(r.Header)
	r.ContentLength = max(h.length, -1)
	if o.r.Method == http.MethodHead {
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
}

// announced returns the names in Trailer, as net/http does, and nil where there are no chunks that it could be about.
func (h *head) announced() (http.Header, error) {
	if !h.seen.trailer || h.seen.transferEncoding == 0 {
		return nil, nil
	}
	var names http.Header
	for i := range h.fields {
		if h.fields[i].key != "Trailer" {
			continue
		}
		for name := range strings.SplitSeq(h.fields[i].value, ",") {
			if name = trim(name); name == "" {
				continue
			}
			if !isTokenString(name) || isFraming(name) {
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

// upgrade hands the connection over to the caller (RFC 9110 §7.8).
func (c *serviceConn) upgrade(o *outgoing, h *head) (*http.Response, error) {
	if !o.upgrade || c.sender != nil && !c.sender.ended(true) {
		err := malformed("RFC 9110 §15.2.2", "101 (Switching Protocols), which the request did not ask for")
		c.discard()
		return nil, err
	}
	a := new(answer)
	a.fill(c, o, h)
	a.ContentLength = -1
	a.Body = &upgraded{c: c}
	return &a.Response, nil
}
