package cache

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"time"
)

// fill takes an answer of the service. One that may be kept is held until it is whole, so that those who wait for it do
// not depend on how fast this client reads; one that may not be goes to the client as it comes, and nobody waits.
type fill struct {
	http.ResponseWriter
	*handler
	key     key
	asked   *http.Request // as it came
	stale   *entry        // that is validated; nil: none
	flight  *flight       // nil: nobody waits
	filling *filling
	miss    string // why the service is asked
	began   time.Time

	header http.Header // of the answer, until it is passed
	status int
	entry  *entry // what is kept, so far; nil: nothing
	body   []byte // as much as is kept
	mode   mode
}

// mode is what is done with the body.
type mode int

const (
	undecided mode = iota
	holding        // until it is whole
	streaming      // to the client, and it is kept, too
	passing        // to the client
	replacing      // nowhere: what is kept is the answer
	dropping       // nowhere: the client has it
)

// condition asks the service whether what is kept is still right. The client's own conditions are looked at when the
// answer is here.
func (f *fill) condition(h http.Header) {
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "Range", "If-Range"} {
		delete(h, name)
	}
	if f.stale == nil {
		return
	}
	if tag := f.stale.header.Get("Etag"); tag != "" {
		h["If-None-Match"] = []string{tag}
	}
	if modified := f.stale.header.Get("Last-Modified"); modified != "" {
		h["If-Modified-Since"] = []string{modified}
	}
}

// Header is that of the answer, which is not the client's yet.
func (f *fill) Header() http.Header {
	if f.mode == passing || f.mode == streaming {
		return f.ResponseWriter.Header()
	}
	return f.header
}

// WriteHeader decides what becomes of the answer.
func (f *fill) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		f.land(true, false)
		f.mode = passing
		put(f.ResponseWriter.Header(), f.header)
		f.ResponseWriter.WriteHeader(status)
		return
	case status < 200:
		h := f.ResponseWriter.Header()
		before := maps.Clone(h)
		maps.Copy(h, f.header)
		f.ResponseWriter.WriteHeader(status)
		clear(h)
		maps.Copy(h, before)
		return
	case f.status != 0:
		return
	}
	f.status = status
	now := time.Now()
	switch {
	case f.stale != nil && status == http.StatusNotModified,
		f.stale != nil && status >= 500 && f.stale.mayBeStale(now, f.stale.onError): // RFC 5861 §4
		f.mode = replacing
	default:
		f.entry = f.policy.entry(f.key, f.asked, status, f.header, now, now.Sub(f.began))
		if length := declared(f.header); f.entry == nil || length > f.MaxObject {
			f.entry = nil
			f.pass()
			return
		}
		f.mode = holding
	}
}

// pass sends the head, and what is held of the body, to the client. From now on, nobody waits.
func (f *fill) pass() {
	f.land(true, false)
	h := f.ResponseWriter.Header()
	put(h, f.header)
	setStatus(h, fmt.Sprintf("%s; fwd-status=%d", f.miss, f.status))
	if f.status == http.StatusOK && f.entry == nil && f.body == nil && notModified(f.asked.Header, f.header) {
		f.mode = dropping
		writeNotModified(f.ResponseWriter)
		return
	}
	f.mode = passing
	if f.entry != nil {
		f.mode = streaming
	}
	f.ResponseWriter.WriteHeader(f.status)
	if len(f.body) > 0 {
		_, _ = f.ResponseWriter.Write(f.body)
	}
}

func (f *fill) Write(p []byte) (int, error) {
	if f.status == 0 {
		f.WriteHeader(http.StatusOK)
	}
	switch f.mode {
	case replacing, dropping:
		return len(p), nil
	case passing:
		return f.ResponseWriter.Write(p)
	}
	if int64(len(f.body)+len(p)) > f.MaxObject { // it is longer than it said, or did not say
		f.entry = nil
		if f.mode == holding {
			f.pass()
		}
		f.mode, f.body = passing, nil
		return f.ResponseWriter.Write(p)
	}
	f.body = append(f.body, p...)
	if f.mode == streaming {
		return f.ResponseWriter.Write(p)
	}
	return len(p), nil
}

// ReadFrom lets the writer below copy in its own way what is not kept.
func (f *fill) ReadFrom(r io.Reader) (int64, error) {
	if f.mode == passing {
		return io.Copy(f.ResponseWriter, r)
	}
	return io.Copy(struct{ io.Writer }{f}, r)
}

// Flush is for those who do not use http.ResponseController.
func (f *fill) Flush() { _ = f.FlushError() }

// FlushError sends what came so far of an answer that does not say how long it is: it may be one that never ends. Of
// others, the end will come.
func (f *fill) FlushError() error {
	if f.status == 0 {
		f.WriteHeader(http.StatusOK)
	}
	switch {
	case f.mode == replacing, f.mode == holding && declared(f.header) >= 0:
		return nil
	case f.mode == holding:
		f.pass()
	}
	return http.NewResponseController(f.ResponseWriter).Flush()
}

// Hijack hands over the connection.
func (f *fill) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if f.mode == undecided {
		f.land(true, false)
		f.mode = passing
		put(f.ResponseWriter.Header(), f.header)
	}
	return http.NewResponseController(f.ResponseWriter).Hijack()
}

// Unwrap gives http.ResponseController the rest.
func (f *fill) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func (f *fill) land(private, aborted bool) {
	f.store.land(f.key, f.flight, private, aborted, time.Now())
}

// finish keeps the answer, and sends what was held. It is called when the service has answered whole. It reports false
// when nothing was said that can be used: the service must be asked again.
func (f *fill) finish() bool {
	if f.status == 0 {
		f.WriteHeader(http.StatusOK)
	}
	now := time.Now()
	switch {
	case f.mode == holding && f.whole():
		how := f.miss + fmt.Sprintf("; fwd-status=%d", f.status)
		if f.keep() {
			how += "; stored"
		}
		f.land(false, false)
		respond(f.ResponseWriter, f.asked, f.entry, now, how)
	case f.mode == holding: // an answer that is cut must not look whole
		f.entry = nil
		f.pass()
	case f.mode == streaming && f.whole():
		f.keep()
	case f.mode == replacing:
		return f.conclude(now)
	}
	return true
}

// whole reports whether the answer has the length that it says (RFC 9111 §3.3).
func (f *fill) whole() bool {
	length := declared(f.header)
	return length < 0 || length == int64(len(f.body)) || f.status == http.StatusNoContent
}

func (f *fill) keep() bool {
	f.entry.body = f.body[:len(f.body):len(f.body)]
	return f.store.add(f.filling, f.asked.Header, f.entry)
}

// conclude answers with what was validated, or what stands in for an error.
func (f *fill) conclude(now time.Time) bool {
	if f.status != http.StatusNotModified {
		f.SetReason(f.ResponseWriter, "") // the answer is the service's, if an old one
		f.land(false, false)
		respond(f.ResponseWriter, f.asked, f.stale, now,
			fmt.Sprintf("%s; fwd-status=%d; detail=stale-if-error", f.miss, f.status))
		return true
	}
	if tag := f.header.Get("Etag"); tag != "" && !matchesTag([]string{tag}, f.stale.header.Get("Etag")) {
		return false
	}
	h := f.stale.freshened(f.header)
	e := f.policy.entry(f.key, f.asked, f.stale.status, h, now, now.Sub(f.began))
	how := f.miss + "; fwd-status=304"
	if e == nil { // what it says now is that it must not be kept
		f.store.invalidate(f.key.uri)
		e = &entry{status: f.stale.status, header: h, received: now}
		e.body = f.stale.body
	} else {
		e.body = f.stale.body
		if f.store.add(f.filling, f.asked.Header, e) {
			how += "; stored"
		}
	}
	f.land(false, false)
	respond(f.ResponseWriter, f.asked, e, now, how)
	return true
}
