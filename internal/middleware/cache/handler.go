package cache

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options are what a handler is made for.
type Options struct {
	Route     string // whose answers these are: routes do not share answers, but what invalidates them
	MaxObject int64  // the longest body that is kept, in bytes
	// Of answers that do not say: how long they are fresh (0: they are not kept), and for how long they may be used
	// after that while they are validated, and in place of an error.
	TTL, StaleWhileRevalidate, StaleIfError time.Duration
	// Purge are the sums of the keys of those who may purge; none: nobody may.
	Purge [][sha256.Size]byte
	// Detach returns a copy of a request that lives on without its client, and what ends it. w is in the client's
	// place. nil: nothing is validated without a client.
	Detach func(w http.ResponseWriter, r *http.Request) (*http.Request, func())
	// SetReason says why an answer is not the service's; "": it is.
	SetReason func(w http.ResponseWriter, reason string)
	Log       *slog.Logger
}

// methodPurge is no registered method. Squid, Varnish and others know it.
const methodPurge = "PURGE"

type handler struct {
	Options
	policy
	store *Store
	next  http.Handler
}

// Handler answers what it can from the store, and fills it with answers of next.
func (s *Store) Handler(o Options, next http.Handler) http.Handler {
	return &handler{o, policy{o.TTL, o.StaleWhileRevalidate, o.StaleIfError}, s, next}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == methodPurge && len(h.Purge) > 0:
		h.purge(w, r)
	case r.Method == http.MethodOptions || r.Method == http.MethodTrace:
		h.pass(w, r, "fwd=method")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		k := keyOf(r, h.Route)
		p := &passer{ResponseWriter: w, status: "fwd=method"}
		p.head = func(status int) { h.store.served(k, status, p.Header()) }
		h.next.ServeHTTP(p, r)
		p.finish()
	case unkeyed(r):
		h.pass(w, r, "fwd=bypass")
	default:
		h.serve(w, r, keyOf(r, h.Route))
	}
}

// serve answers GET and HEAD.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, k key) {
	e, others := h.store.find(k, r.Header)
	now := time.Now()
	miss := "fwd=uri-miss"
	switch {
	case e != nil && e.isFresh(now):
		respond(w, r, e, now, "hit")
		return
	case r.Header["Cache-Control"] != nil && parseDirectives(r.Header["Cache-Control"]).has("only-if-cached"):
		h.SetReason(w, "not_in_cache") // RFC 9111 §5.2.1.7
		setStatus(w.Header(), "detail=only-if-cached")
		http.Error(w, http.StatusText(http.StatusGatewayTimeout), http.StatusGatewayTimeout)
		return
	case e != nil && e.mayBeStale(now, e.whileStale) && h.Detach != nil:
		h.refresh(r, k, e)
		respond(w, r, e, now, "hit; detail=stale-while-revalidate")
		return
	case e != nil:
		miss = "fwd=stale"
	case others:
		miss = "fwd=vary-miss"
	}
	if r.Method == http.MethodHead || r.Header["Range"] != nil && e == nil {
		h.pass(w, r, miss) // what comes is not the whole
		return
	}
	h.fetch(w, r, k, e, miss)
}

// fetch waits for another's answer, or asks the service.
func (h *handler) fetch(w http.ResponseWriter, r *http.Request, k key, stale *entry, miss string) {
	f, leads := h.store.join(k, time.Now())
	for range 2 { // once more where the first one left before anything was known
		if leads {
			break
		}
		if !f.wait(r.Context()) {
			f = nil
			break
		}
		now := time.Now()
		if e, _ := h.store.find(k, r.Header); e != nil && e.isFresh(now) {
			respond(w, r, e, now, miss+"; collapsed")
			return
		}
		if !f.aborted {
			f = nil
			break
		}
		f, leads = h.store.join(k, now)
	}
	if !leads {
		f = nil
	}
	h.ask(w, r, &fill{handler: h, key: k, stale: stale, flight: f, miss: miss})
}

// ask sends the request to the service.
func (h *handler) ask(w http.ResponseWriter, r *http.Request, f *fill) {
	f.ResponseWriter, f.header, f.began = w, http.Header{}, time.Now()
	asked := *r // those behind change the request
	asked.Header = r.Header.Clone()
	f.asked = &asked
	f.filling = h.store.begin(f.key.uri)
	defer h.store.end(f.filling)
	defer f.land(false, true) // where a panic comes before
	again := r
	if f.stale != nil {
		again = r.Clone(r.Context())
	}
	f.condition(again.Header)
	h.next.ServeHTTP(f, again)
	if f.finish() {
		return
	}
	// What the service said about has not the tag that it was asked about: RFC 9111 §4.3.4 lets nothing be concluded.
	h.ask(w, r, &fill{handler: h, key: f.key, flight: f.flight, miss: f.miss})
}

// refresh validates an entry without its client, unless somebody does.
func (h *handler) refresh(r *http.Request, k key, stale *entry) {
	now := time.Now()
	f, leads := h.store.join(k, now)
	if !leads || f == nil {
		return
	}
	w := &sink{http.Header{}}
	own, done := h.Detach(w, r)
	own.Method = http.MethodGet
	delete(own.Header, "Range")
	go func() {
		defer done()
		defer func() {
			failed := recover()
			if err, ok := failed.(error); failed != nil && !(ok && errors.Is(err, http.ErrAbortHandler)) {
				h.Log.Error("a handler failed while an answer was brought up to date", "route", h.Route, "error", failed)
			}
		}()
		h.ask(w, own, &fill{handler: h, key: k, stale: stale, flight: f, miss: "fwd=stale"})
	}()
}

// pass forwards a request that has nothing to do with what is kept.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, status string) {
	p := &passer{ResponseWriter: w, status: status}
	h.next.ServeHTTP(p, r)
	p.finish()
}

// purge forgets what is kept of an address; of all that begin so, if it ends with an asterisk.
func (h *handler) purge(w http.ResponseWriter, r *http.Request) {
	name, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum, found := sha256.Sum256([]byte(strings.TrimSpace(token))), 0
	for i := range h.Purge {
		found |= subtle.ConstantTimeCompare(sum[:], h.Purge[i][:])
	}
	if !strings.EqualFold(name, "Bearer") || found != 1 {
		h.SetReason(w, "refused_by_cache")
		w.Header().Set("WWW-Authenticate", `Bearer realm="fairlead"`)
		http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
		return
	}
	k := keyOf(r, h.Route)
	var n int
	if prefix, ok := strings.CutSuffix(k.uri, "*"); ok {
		n = h.store.invalidatePrefix(prefix)
	} else {
		n = h.store.invalidate(k.uri)
	}
	h.SetReason(w, "purged")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "%d purged\n", n)
}

// served forgets what an unsafe request has changed, and the addresses that its answer names: only those of the
// same host (RFC 9111 §4.4).
func (s *Store) served(k key, status int, answer http.Header) {
	if status < 200 || status > 399 {
		return
	}
	s.invalidate(k.uri)
	for _, name := range []string{"Location", "Content-Location"} {
		at, err := url.Parse(answer.Get(name))
		if err != nil || at.Path == "" || at.Host != "" && strings.ToLower(withoutPort(at.Host)) != k.host {
			continue
		}
		uri := k.host + at.EscapedPath()
		if at.RawQuery != "" {
			uri += "?" + at.RawQuery
		}
		s.invalidate(uri)
	}
}
