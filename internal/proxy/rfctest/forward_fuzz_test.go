package rfctest

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/wire/wiretest"
)

// forwarded is a request as a proxy sends it on.
type forwarded struct {
	Line, Host, Body string
	Fields           []string // "name: value", by name
	Trailers         []string // in any order
}

// The proxy may send less than the reference: a request that it answers itself, a trailer that none may be (RFC 9110
// §6.5.1). It may differ in these fields, each of which has rules of its own here, and in nothing else.
const differing = "connection te upgrade transfer-encoding content-length trailer " + // of each connection
	"via forwarded x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-port x-real-ip " + // what we vouch for
	"host expect max-forwards"

// removed are the fields that no service sees: those of a connection, and what only proxies say, which are not believed
// from a client.
const removed = "keep-alive proxy-connection proxy-authenticate proxy-authorization " +
	"x-forwarded-prefix x-forwarded-server x-forwarded-method x-forwarded-uri fairlead-key fairlead-service"

// endToEnd keeps of fields what must be passed on as it is.
func endToEnd(fields []string) []string {
	fields = slices.DeleteFunc(slices.Clone(fields), func(f string) bool {
		name, _ := cutField(f)
		return slices.Contains(strings.Fields(differing), name)
	})
	slices.SortStableFunc(fields, func(a, b string) int {
		nameA, _ := cutField(a)
		nameB, _ := cutField(b)
		return cmp.Compare(nameA, nameB)
	})
	return fields
}

// asForwarded is the reference: what a proxy sends on that does what RFC 9110 §7.6 asks, and no more.
func asForwarded(r *http.Request, body string) forwarded {
	gone := strings.Fields(removed)
	for _, list := range r.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			gone = append(gone, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	if r.Header.Get("Pragma") == "no-cache" {
		gone = append(gone, "cache-control") // which net/http makes of it
	}
	list := func(h http.Header) (fields []string) {
		for name, values := range h {
			for _, value := range values {
				if name = strings.ToLower(name); !slices.Contains(gone, name) {
					fields = append(fields, field(name, value))
				}
			}
		}
		return fields
	}
	u := r.URL
	if strings.Contains(u.Path, "/.") || strings.Contains(u.Path, "//") {
		u = u.JoinPath() // so that it means to everybody what it means to the rules
	}
	return forwarded{r.Method + " " + u.RequestURI(), r.Host, body, endToEnd(list(r.Header)), list(r.Trailer)}
}

// What a service receives is what net/http reads in the same bytes and a plain proxy would send on: each request that
// the service answers, in its order, and nothing else that is whole.
func FuzzForward(f *testing.F) {
	for _, c := range wiretest.Cases() {
		f.Add([]byte(c.Raw))
	}
	for _, head := range []string{
		"GET /a//b/../c?x=1;y=%zz HTTP/1.1\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n",
		"GET / HTTP/1.1\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /\r\nX-Forwarded-Prefix: /\r\nX-Real-Ip: ::1\r\n",
		"GET / HTTP/1.1\r\nFairlead-Key: k\r\nFairlead-Service: s\r\nCookie: a=1\r\nCookie: b=2\r\nA:\r\n",
		"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\nPragma: no-cache\r\nTE: trailers\r\n",
		"POST / HTTP/1.1\r\nContent-Length:  223372036854775808\r\n",
	} {
		f.Add([]byte(head + "Host: a\r\n\r\nokGET /next HTTP/1.1\r\nHost: b\r\n\r\n"))
	}
	l := newLab(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if strings.HasPrefix(string(raw), "PRI * HTTP/2.0") {
			return // and what follows are frames
		}
		for _, to := range []side{plain1, plain2} {
			l.compare(t, to, string(raw))
		}
	})
}

func (l *lab) compare(t *testing.T, to side, raw string) {
	s := l.services[to]
	s.expect(message{line: "200", fields: []string{"Served: yes"}})
	var want []forwarded
	var methods []string
	eachRequest(raw, func(r *http.Request, body string) {
		methods, want = append(methods, r.Method), append(want, asForwarded(r, body))
	})
	answers := l.talk(t, plain1, to, wiretest.Case{Raw: raw}, methods)
	var seen []received
	for _, r := range s.seen() {
		if r.wrong != "" && r.wrong != "cut" {
			t.Errorf("on the wire to the service: %v", r)
		}
		if r.whole {
			seen = append(seen, r)
		}
	}
	for i, answer := range answers {
		if !answer.has("served") {
			continue
		}
		if i >= len(want) || len(seen) == 0 {
			t.Fatalf("%q: an answer to what the reference does not forward, or to nothing: %v", raw, answer)
		}
		checkForwarded(t, raw, seen[0], want[i])
		seen = seen[1:]
	}
	if len(seen) > 0 {
		t.Errorf("%q: the service saw also %v", raw, seen)
	}
}

func checkForwarded(t *testing.T, raw string, seen received, want forwarded) {
	t.Helper()
	got := forwarded{seen.line, seen.values("host"), seen.body, endToEnd(seen.fields), seen.trailers}
	if want.Host == "" { // HTTP/1.0 need not have one
		want.Host = got.Host
	}
	for _, trailer := range got.Trailers {
		if !slices.Contains(want.Trailers, trailer) {
			t.Errorf("%q: the service saw the trailer %q, of %q", raw, trailer, want.Trailers)
		}
	}
	want.Trailers = got.Trailers
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q (-reference +the service saw):\n%s", raw, diff)
	}
}
