package wire

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A body this small is sent together with the head, and can be sent again.
const smallBody = 16 << 10

// message is the bytes of a request on its way. It is used again for others.
type message struct {
	*Outgoing
	t     *Transport
	own   Outgoing               // of RoundTrip
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
	te      bool // TE is about this connection

	// stale: the last attempt failed as it does when a service closes an idle connection, and another one does no harm.
	// spoiled: the connection was so before anything was sent.
	stale, spoiled bool
}

// prepare checks the request and makes its bytes. Nothing is sent before.
func (o *message) prepare() error {
	method := o.method()
	switch {
	case o.Address == "":
		return fmt.Errorf("the request has no host")
	case method == http.MethodConnect:
		return errConnect
	case !isTokenString(method):
		return fmt.Errorf("the method %q is no token", method)
	}
	switch {
	case o.Whole != nil:
		o.length = int64(len(o.Whole))
	case o.Body == nil:
		o.length = 0
	default:
		o.length = max(o.Length, lengthChunked)
	}
	o.buf = o.t.buffers.take(bufferSize)
	o.b = o.buf.b[:0]
	if err := o.appendHead(method); err != nil {
		return err
	}
	o.stream = o.length != 0 && o.Whole == nil
	switch {
	case o.Whole != nil:
		copy(o.grow(len(o.Whole)), o.Whole)
	case o.length > 0 && o.length <= smallBody && !o.expect:
		return o.takeBody()
	}
	return nil
}

// grow makes o.b longer by n bytes, and returns those.
func (o *message) grow(n int) []byte {
	from, whole := len(o.b), len(o.b)+n
	if whole > cap(o.b) {
		larger := o.t.buffers.take(whole)
		copy(larger.b, o.b)
		o.t.buffers.give(o.buf)
		o.buf, o.b = larger, larger.b
	}
	o.b = o.b[:whole]
	return o.b[from:]
}

// takeBody reads a small body behind the head.
func (o *message) takeBody() error {
	into, ctx, body := o.grow(int(o.length)), o.Context, o.body
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { _ = body.Close() })
	}
	got, err := io.ReadFull(body, into)
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
func (o *message) closeBody() {
	if o.body != nil {
		_ = o.body.Close()
		o.body = nil
	}
}

// rewind makes ready to send the request once more.
func (o *message) rewind() bool {
	switch {
	case !o.stream, o.body != nil:
		return true
	case o.Outgoing != &o.own || o.Request.GetBody == nil:
		return false
	}
	body, err := o.Request.GetBody()
	o.body = body
	return err == nil
}

func (o *message) appendHead(method string) error {
	o.b = append(append(o.b, method...), ' ')
	if o.Request == nil {
		o.b = append(o.b, o.Exchange.Target...) // read by us: it is as it must be
	} else if err := o.appendTarget(o.Request.URL, method); err != nil {
		return err
	}
	host := cmp.Or(o.Host, o.Address)
	if !isHost(host) {
		return fmt.Errorf("%q is no host", host)
	}
	o.b = append(append(o.b, " HTTP/1.1\r\nHost: "...), host...)
	o.b = append(o.b, "\r\n"...)
	if err := o.appendFields(); err != nil {
		return err
	}
	if o.te { // RFC 9110 §10.1.4
		o.b = append(o.b, "Connection: TE\r\n"...)
	}
	if o.Outgoing == &o.own && o.Request.Close && !o.last {
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
		if err := o.appendTrailer(o.trailer()); err != nil {
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
func (o *message) appendTarget(u *url.URL, method string) error {
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

// appendFields writes the fields: those of the exchange in its order, others in the order of their names, and last
// those that are set.
func (o *message) appendFields() error {
	if o.Request == nil {
		o.appendAsCame()
	} else {
		if o.Exchange != nil {
			if err := o.appendLike(o.Exchange.Fields); err != nil {
				return err
			}
		}
		if err := o.appendOthers(); err != nil {
			return err
		}
	}
	for i := range o.Set {
		f := &o.Set[i]
		o.note(f.Key, f.Value)
		if err := o.appendField(f.Key, f.Value); err != nil {
			return err
		}
	}
	return nil
}

// appendAsCame writes the fields of the exchange. They were checked when they were read.
func (o *message) appendAsCame() {
	for i := range o.Exchange.Fields {
		f := &o.Exchange.Fields[i]
		if isOurs(f.Key) || o.drops(f.Key) || o.sets(f.Key) {
			continue
		}
		o.note(f.Key, f.Value)
		o.b = append(append(o.b, f.Name...), ": "...)
		o.b = append(append(o.b, f.Value...), "\r\n"...)
	}
}

// appendLike writes the request's fields that came with the exchange, in its order and spelling.
func (o *message) appendLike(came []Field) error {
	for f, value := range InOrder(came, o.Request.Header) {
		if isOurs(f.Key) || o.drops(f.Key) || o.sets(f.Key) {
			continue
		}
		o.note(f.Key, value)
		if err := o.appendField(f.Name, value); err != nil {
			return err
		}
	}
	return nil
}

// InOrder lists the values in header of whose names there is a field, in the fields' order.
func InOrder(fields []Field, header http.Header) iter.Seq2[*Field, string] {
	return func(yield func(*Field, string) bool) {
		for i := range fields {
			f := &fields[i]
			values := header[f.Key]
			if len(values) == 0 {
				continue
			}
			nth, last := place(fields, i)
			if !last {
				values = values[:min(nth+1, len(values))]
			}
			for _, value := range values[min(nth, len(values)):] {
				if !yield(f, value) {
					return
				}
			}
		}
	}
}

// place returns how many fields of the same name come before field i, and whether none comes after it.
func place(fields []Field, i int) (nth int, last bool) {
	last = true
	for k := range fields {
		if k != i && fields[k].Key == fields[i].Key {
			if k > i {
				return nth, false
			}
			nth++
		}
	}
	return nth, last
}

// Has reports whether there is a field of that name, which must be in its canonical form.
func Has(fields []Field, key string) bool {
	for i := range fields {
		if fields[i].Key == key {
			return true
		}
	}
	return false
}

// appendOthers writes the request's fields that did not come with the exchange.
func (o *message) appendOthers() error {
	for name := range o.Request.Header {
		if o.Exchange == nil || !Has(o.Exchange.Fields, name) || o.drops(name) {
			o.names = append(o.names, name)
		}
	}
	slices.Sort(o.names)
	for _, name := range o.names {
		if isOurs(name) || o.sets(name) {
			continue
		}
		for _, v := range o.Request.Header[name] {
			o.note(name, v)
			if err := o.appendField(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// isOurs is isFraming, quicker for most names.
func isOurs(name string) bool {
	switch len(name) {
	case len("trailer"), len("host"), len("content-length"), len("transfer-encoding"):
		return isFraming(name)
	}
	return false
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

// note remembers what a field says about the connection.
func (o *message) note(name, value string) {
	switch len(name) { // cheaper than comparing each
	case len("Te"):
		o.te = o.te || equalFold(name, "Te")
	case len("Connection"):
		if equalFold(name, "Connection") {
			o.last = o.last || hasToken(value, "close")
			o.upgrade = o.upgrade || hasToken(value, "upgrade")
		}
	case len("Expect"):
		if equalFold(name, "Expect") {
			o.expect = o.expect || o.length != 0 && o.Whole == nil && equalFold(trim(value), "100-continue")
		}
	}
}

func (o *message) appendField(name, value string) error {
	if !isTokenString(name) {
		return fmt.Errorf("the field name %q is no token", name)
	}
	value = trim(value)
	if !isFieldValue(value) {
		return fmt.Errorf("a control character in the value of %s", name)
	}
	o.b = append(append(o.b, name...), ": "...)
	o.b = append(append(o.b, value...), "\r\n"...)
	return nil
}

// appendTrailer announces the trailer fields.
func (o *message) appendTrailer(trailer http.Header) error {
	if len(trailer) == 0 {
		return nil
	}
	names := make([]string, 0, len(trailer))
	for name := range trailer {
		if !isTokenString(name) || !MayTrail(http.CanonicalHeaderKey(name)) {
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
