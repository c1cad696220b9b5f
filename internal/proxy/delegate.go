package proxy

import (
	"bytes"
	"io"
	"maps"
	"net/http"

	"github.com/fairlead/fairlead/internal/upstream"
	"github.com/fairlead/fairlead/internal/wire"
)

// delegate makes one attempt at a backend that requests go through more for than to a host: middlewares, or copies. It
// has exits; if its answer is one for which they are taken, the client does not see it.
func (d *delivery) delegate() result {
	b := d.backend
	if b.mayLeave() && !b.up() {
		return result{refusal: string(upstream.NoneHealthy), untouched: true}
	}
	kept := *d // what is behind uses the exchange's delivery for its own
	w := &heldWriter{ResponseWriter: d.w, d: &kept, before: maps.Clone(d.w.Header())}
	b.handler.ServeHTTP(w, kept.copied())
	*d = kept
	if w.dropped == 0 {
		return result{sent: true}
	}
	untouched := d.x.Reason == reasonNoHealthyHost
	d.x.Reason = ""
	return result{dropped: w.dropped, untouched: untouched}
}

// copied returns the request in a form that may be changed, and its body as often as it can be given.
func (d *delivery) copied() *http.Request {
	r := d.r.WithContext(d.r.Context())
	r.Header = maps.Clone(d.r.Header)
	u := *d.r.URL
	r.URL = &u
	if d.body == nil {
		return r
	}
	var out wire.Outgoing
	d.body.next(&out)
	if r.Body = out.Body; out.Whole != nil {
		r.Body = io.NopCloser(bytes.NewReader(out.Whole))
	}
	return r
}

// heldWriter sends an answer to the client, unless there is a better place to ask.
type heldWriter struct {
	http.ResponseWriter
	d       *delivery
	before  http.Header // what was there before the answer
	passed  bool
	dropped int // the status of an answer that the client does not see; 0: it sees it
}

// WriteHeader decides. Informational answers of what may not answer in the end are left out.
func (w *heldWriter) WriteHeader(status int) {
	switch {
	case w.passed:
		w.ResponseWriter.WriteHeader(status)
	case w.dropped != 0 || status < 200 && status != http.StatusSwitchingProtocols:
	case w.drops(status):
		w.dropped = status
		h := w.Header()
		clear(h)
		maps.Copy(h, w.before)
	default:
		w.passed = true
		w.ResponseWriter.WriteHeader(status)
	}
}

// drops reports whether an answer makes the request go elsewhere.
func (w *heldWriter) drops(status int) bool {
	d := w.d
	if d.ctx.Err() != nil || d.body != nil && d.body.streams() {
		return false
	}
	switch d.x.Reason {
	case reasonNoHealthyHost:
		return true
	case reasonUpstreamError, reasonTimeout:
		return idempotent(d.r.Method)
	}
	return d.backend.exitOn(status) != nil
}

func (w *heldWriter) Write(p []byte) (int, error) {
	if !w.passed && w.dropped == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.dropped != 0 {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// FlushError sends what was written so far.
func (w *heldWriter) FlushError() error {
	if !w.passed && w.dropped == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.dropped != 0 {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap gives http.ResponseController the rest.
func (w *heldWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
