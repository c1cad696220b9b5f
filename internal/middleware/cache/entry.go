package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// entry is an answer that is kept. It is immutable.
type entry struct {
	variant string
	vary    []string // fields of the request that the answer depends on, canonical
	asked   []string // what they were

	status int
	header http.Header // each list has no room: who appends to it gets a copy
	body   []byte

	received   time.Time
	initialAge time.Duration // when it was received (RFC 9111 §4.2.3)
	lifetime   time.Duration

	validate   bool          // no-cache: before each use
	revalidate bool          // once it is stale, it must not be used as it is
	whileStale time.Duration // stale-while-revalidate (RFC 5861 §3)
	onError    time.Duration // stale-if-error (RFC 5861 §4)
}

// overhead is what an entry takes besides its bytes, about.
const overhead = 512

func (e *entry) size() int64 {
	n := overhead + len(e.body) + len(e.variant)
	for name, values := range e.header {
		for _, v := range values {
			n += len(name) + len(v) + 32
		}
	}
	for _, v := range e.asked {
		n += len(v)
	}
	return int64(n)
}

func (e *entry) age(now time.Time) time.Duration { return e.initialAge + now.Sub(e.received) }

// ttl is how long it is still fresh; negative: for how long it has been stale.
func (e *entry) ttl(now time.Time) time.Duration { return e.lifetime - e.age(now) }

func (e *entry) isFresh(now time.Time) bool { return !e.validate && e.ttl(now) > 0 }

// mayBeStale reports whether it may be used so long after it has become stale (§4.2.4).
func (e *entry) mayBeStale(now time.Time, most time.Duration) bool {
	return !e.validate && !e.revalidate && -e.ttl(now) < most
}

// fits reports whether it answers a request (§4.1).
func (e *entry) fits(variant string, h http.Header) bool {
	if e.variant != variant {
		return false
	}
	for i, name := range e.vary {
		if selecting(h[name]) != e.asked[i] {
			return false
		}
	}
	return true
}

// selecting makes one text of a request's field. Several lines are one list (RFC 9110 §5.3).
func selecting(lines []string) string {
	switch len(lines) {
	case 0:
		return "\x00" // an empty field is not an absent one
	case 1:
		return strings.TrimSpace(lines[0])
	}
	trimmed := make([]string, len(lines))
	for i, l := range lines {
		trimmed[i] = strings.TrimSpace(l)
	}
	return strings.Join(trimmed, ", ")
}

// tokens returns the names in lists such as Vary, canonical.
func tokens(lines []string) (names []string) {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	return names
}

// kept are the fields of an answer that are kept: not those of the connection, of the age, and of who answers now
// (RFC 9111 §3.1).
func kept(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		switch name {
		case "Age", "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
			"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Set-Cookie", "Fairlead-Reason":
		default:
			out[name] = slices.Clip(slices.Clone(values))
		}
	}
	return out
}

// freshened is the entry with the fields of a 304 (§3.2, §4.3.4): those that say what the body is stay, as it does.
func (e *entry) freshened(h http.Header) http.Header {
	out := kept(e.header)
	delete(out, "Date") // the new one counts, or when it came
	for name, values := range kept(h) {
		switch name {
		case "Content-Length", "Content-Encoding", "Content-Type", "Content-Range":
		default:
			out[name] = values
		}
	}
	return out
}

// notModified reports whether the client has the answer already (RFC 9110 §13.2.2).
func notModified(asked, h http.Header) bool {
	if lines := asked["If-None-Match"]; len(lines) > 0 {
		return matchesTag(lines, h.Get("Etag"))
	}
	since, err := http.ParseTime(asked.Get("If-Modified-Since"))
	if err != nil {
		return false
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	return err == nil && !modified.After(since)
}

// matchesTag compares weakly (RFC 9110 §8.8.3.2, §13.1.2).
func matchesTag(lines []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, line := range lines {
		for candidate := range strings.SplitSeq(line, ",") { // a tag with a comma matches nothing, which is safe
			candidate = strings.TrimSpace(candidate)
			if tag != "" && (candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag) {
				return true
			}
		}
	}
	return false
}
