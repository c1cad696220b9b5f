package cache

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// policy decides which answers are kept (RFC 9111 §3).
type policy struct {
	ttl        time.Duration // of answers that do not say how long they are fresh; 0: they are not kept
	whileStale time.Duration // likewise, stale-while-revalidate
	onError    time.Duration // likewise, stale-if-error
}

// understood are the statuses whose meaning for a cache is known (§3, must-understand). 206 is not kept: a part is no
// answer to those who want the whole.
var understood = []int{
	200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 421, 451, 500, 501, 502, 503, 504,
}

// withoutSaying are those that are kept for the owner's time: no error, since whoever can provoke one would give it to
// all (CPDoS, 2019).
var withoutSaying = []int{200, 203, 301, 308}

// entry makes what is kept of an answer, without its body; nil: it must not be kept. Took is how long it was waited
// for.
func (p policy) entry(k key, r *http.Request, status int, h http.Header, now time.Time, took time.Duration) *entry {
	d := parseDirectives(h["Cache-Control"])
	vary := tokens(h["Vary"])
	if !mayKeep(r, status, h, d) || slices.Contains(vary, "*") {
		return nil
	}
	e := &entry{variant: k.variant, vary: vary, status: status, header: kept(h), received: now}
	for _, name := range vary {
		e.asked = append(e.asked, selecting(r.Header[name]))
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil { // RFC 9110 §6.6.1
		date = now
		e.header["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	}
	e.initialAge = max(now.Sub(date), said(h["Age"])+took, 0)
	var given bool
	if e.lifetime, given = lifetime(h, d, date); !given && slices.Contains(withoutSaying, status) {
		e.lifetime, given = p.ttl, p.ttl > 0
	}
	p.stale(e, d)
	if !given && !e.validate || !e.hasValidator() && e.lifetime+e.whileStale+e.onError <= e.initialAge {
		return nil // it could never be used
	}
	return e
}

// said reads Age (§5.1): the first value counts, and what is no number is nothing.
func said(lines []string) time.Duration {
	if len(lines) == 0 {
		return 0
	}
	return deltaSeconds(lines[0])
}

func (e *entry) hasValidator() bool {
	return e.header.Get("Etag") != "" || e.header.Get("Last-Modified") != ""
}

// stale sets what is known about the use of an entry that is not fresh.
func (p policy) stale(e *entry, d directives) {
	e.validate = d.has("no-cache") // with or without names of fields: that is stricter, and safe (§5.2.2.4)
	e.revalidate = d.has("must-revalidate") || d.has("proxy-revalidate") || d.has("s-maxage")
	var given bool
	if e.whileStale, given = d.seconds("stale-while-revalidate"); !given {
		e.whileStale = p.whileStale
	}
	if e.onError, given = d.seconds("stale-if-error"); !given {
		e.onError = p.onError
	}
	if e.validate || e.revalidate {
		e.whileStale, e.onError = 0, 0
	}
}

// mayKeep reports whether nothing forbids to keep an answer.
func mayKeep(r *http.Request, status int, h http.Header, d directives) bool {
	switch {
	case r.Method != http.MethodGet, !slices.Contains(understood, status),
		d.has("no-store"), d.has("private"), // private with names of fields, too: that is stricter, and safe (§5.2.2.7)
		parseDirectives(r.Header["Cache-Control"]).has("no-store"), // §5.2.1.5
		len(h["Set-Cookie"]) > 0,                                   // it is one client's
		len(h["Trailer"]) > 0, len(h["Content-Range"]) > 0:
		return false
	}
	if tells(r.Header) && !d.has("public") && !d.has("must-revalidate") && !d.has("s-maxage") { // §3.5
		return false
	}
	return true
}

// tells reports whether a request says who sends it.
func tells(h http.Header) bool {
	return h["Authorization"] != nil || h["X-Forwarded-Tls-Client-Cert"] != nil ||
		h["X-Forwarded-Tls-Client-Cert-Info"] != nil
}

// declared is the length that an answer says it has; negative: it does not say.
func declared(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
