package wire

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A body this small is sent together with the head, and can be sent again.
const smallBody = 16 << 10

// outgoing is a request on its way. It is used again for others.
type outgoing struct {
	t     *Transport
	r     *http.Request
	trace *httptrace.ClientTrace // nil: nobody looks

	buf    *buffer  // what b lies in, unless it grew out of it
	b      []byte   // the head, and the body when it is small
	names  []string // of the fields, in order
	length int64    // of the body, lengthChunked included
	stream bool     // the body follows b, from body
	body   io.ReadCloser
	expect bool // the body waits for 100 (Continue)

	upgrade bool // the connection may leave HTTP
	last    bool // the connection is to be closed

	// stale: the last attempt failed as it does when a service closes an idle connection, and another one does no harm.
	// spoiled: the connection was so before anything was sent.
	stale, spoiled bool
}

// prepare checks the request and makes its bytes. Nothing is sent before.
func (o *outgoing) prepare() error {
	r := o.r
	switch {
	case r.URL == nil || r.URL.Host == "":
		return fmt.Errorf("the request has no host")
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("the scheme %q is not spoken", r.URL.Scheme)
	case r.Method == http.MethodConnect:
		return errConnect
	case r.Method != "" && !isTokenString(r.Method):
		return fmt.Errorf("the method %q is no token", r.Method)
	}
	o.length = r.ContentLength
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		if r.Body == nil && r.ContentLength > 0 {
			return fmt.Errorf("the request has a length, %d, and no body", r.ContentLength)
		}
		o.length = 0
	case len(r.TransferEncoding) > 0, r.ContentLength <= 0:
		o.length = lengthChunked
	}
	o.buf = o.t.buffers.take(bufferSize)
	o.b = o.buf.b[:0]
	if err := o.appendHead(); err != nil {
		return err
	}
	o.stream = o.length != 0
	if o.length > 0 && o.length <= smallBody && !o.expect {
		return o.takeBody()
	}
	return nil
}

// takeBody reads a small body behind the head.
func (o *outgoing) takeBody() error {
	n, whole := len(o.b), len(o.b)+int(o.length)
	if whole > cap(o.b) {
		larger := o.t.buffers.take(whole)
		copy(larger.b, o.b)
		o.t.buffers.give(o.buf)
		o.buf, o.b = larger, larger.b
	}
	o.b = o.b[:whole]
	ctx, body := o.r.Context(), o.body
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { _ = body.Close() })
	}
	got, err := io.ReadFull(body, o.b[n:])
	if !stop() { // it closes the body
		o.body = nil
		return context.Cause(ctx)
	}
	if err != nil {
		return &BodyError{int64(got), unexpected(err)}
	}
	o.closeBody()
	o.stream = false
	return nil
}

// closeBody closes the body unless it was handed to somebody who does.
func (o *outgoing) closeBody() {
	if o.body != nil {
		_ = o.body.Close()
		o.body = nil
	}
}

// rewind makes ready to send the request once more.
func (o *outgoing) rewind() bool {
	switch {
	case !o.stream, o.body != nil:
		return true
	case o.r.GetBody == nil:
		return false
	}
	body, err := o.r.GetBody()
	o.body = body
	return err == nil
}

func (o *outgoing) appendHead() error {
	r := o.r
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	o.b = append(append(o.b, method...), ' ')
	if err := o.appendTarget(r.URL, method); err != nil {
		return err
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if !isHost(host) {
		return fmt.Errorf("%q is no host", host)
	}
	o.b = append(append(o.b, " HTTP/1.1\r\nHost: "...), host...)
	o.b = append(o.b, "\r\n"...)
	if err := o.appendFields(r.Header); err != nil {
		return err
	}
	if len(r.Header["Te"]) > 0 { // RFC 9110 §10.1.4
		o.b = append(o.b, "Connection: TE\r\n"...)
	}
	if r.Close && !o.last {
		o.last = true
		o.b = append(o.b, "Connection: close\r\n"...)
	}
	switch {
	case o.length > 0 || o.length == 0 && needsLength(method):
		o.b = append(o.b, "Content-Length: "...)
		o.b = strconv.AppendInt(o.b, o.length, 10)
		o.b = append(o.b, "\r\n"...)
	case o.length == lengthChunked:
		o.b = append(o.b, "Transfer-Encoding: chunked\r\n"...)
		if err := o.appendTrailer(r.Trailer); err != nil {
			return err
		}
	}
	o.b = append(o.b, "\r\n"...)
	return nil
}

// needsLength is for methods of which a service may expect a body (RFC 9110 §8.6).
func needsLength(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// appendTarget writes the request-target: origin-form, or what URL.Opaque says.
func (o *outgoing) appendTarget(u *url.URL, method string) error {
	start := len(o.b)
	if u.Opaque != "" {
		o.b = append(o.b, u.RequestURI()...)
	} else {
		path := u.EscapedPath()
		switch {
		case path == "":
			path = "/"
		case path[0] != '/' && (path != "*" || method != http.MethodOptions):
			return fmt.Errorf("the path %q does not begin with a slash", path)
		}
		o.b = append(o.b, path...)
		if u.ForceQuery || u.RawQuery != "" {
			o.b = append(append(o.b, '?'), u.RawQuery...)
		}
	}
	for _, c := range o.b[start:] {
		if c <= ' ' || c == 0x7f {
			return fmt.Errorf("a blank or control character in the request's target")
		}
	}
	return nil
}

// appendFields writes the fields in the order of their names, and notes what they say about the connection.
func (o *outgoing) appendFields(h http.Header) error {
	for name := range h {
		o.names = append(o.names, name)
	}
	slices.Sort(o.names)
	for _, name := range o.names {
		values := h[name]
		switch len(name) { // cheaper than comparing each with all
		case len("trailer"), len("host"), len("content-length"), len("transfer-encoding"):
			if isFraming(name) {
				continue
			}
		case len("connection"), len("expect"):
			o.note(name, values)
		}
		if err := o.appendField(name, values); err != nil {
			return err
		}
	}
	return nil
}

// isFraming is for the fields that are made here, in any case.
func isFraming(name string) bool {
	for _, own := range []string{"Host", "Content-Length", "Transfer-Encoding", "Trailer"} {
		if equalFold(name, own) {
			return true
		}
	}
	return false
}

func (o *outgoing) note(name string, values []string) {
	for _, v := range values {
		switch {
		case equalFold(name, "Connection"):
			o.last = o.last || hasToken(v, "close")
			o.upgrade = o.upgrade || hasToken(v, "upgrade")
		case equalFold(name, "Expect"):
			o.expect = o.expect || o.length != 0 && equalFold(trim(v), "100-continue")
		}
	}
}

func (o *outgoing) appendField(name string, values []string) error {
	if !isTokenString(name) {
		return fmt.Errorf("the field name %q is no token", name)
	}
	for _, v := range values {
		v = trim(v)
		if !isFieldValue(v) {
			return fmt.Errorf("a control character in the value of %s", name)
		}
		o.b = append(append(o.b, name...), ": "...)
		o.b = append(append(o.b, v...), "\r\n"...)
	}
	return nil
}

// appendTrailer announces the trailer fields.
func (o *outgoing) appendTrailer(trailer http.Header) error {
	if len(trailer) == 0 {
		return nil
	}
	names := make([]string, 0, len(trailer))
	for name := range trailer {
		if !isTokenString(name) || isFraming(name) || equalFold(name, "Connection") {
			return fmt.Errorf("%q cannot be in a trailer", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	o.b = append(append(o.b, "Trailer: "...), strings.Join(names, ", ")...)
	o.b = append(o.b, "\r\n"...)
	return nil
}

func isTokenString(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return s != ""
}

// isFieldValue accepts what may stand in a line (RFC 9110 §5.5).
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
