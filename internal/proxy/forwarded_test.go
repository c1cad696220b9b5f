package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestResolveClient(t *testing.T) {
	balancer := netip.MustParsePrefix("10.0.0.0/8")
	for _, c := range []struct {
		name         string
		trust        trust
		from         string
		forwardedFor []string
		client       string // what rules and middlewares see
		seen         string // X-Forwarded-For at the service
	}{
		{"nobody in front", trust{}, "192.0.2.7:1000", nil, "192.0.2.7", "192.0.2.7"},
		{"a stranger's claim counts for nothing", trust{}, "192.0.2.7:1000", []string{"127.0.0.1"}, "192.0.2.7", "192.0.2.7"},
		{"through a trusted balancer", trust{ranges: []netip.Prefix{balancer}}, "10.0.0.1:1000", []string{"192.0.2.7"},
			"192.0.2.7", "192.0.2.7, 10.0.0.1"},
		{"through two", trust{ranges: []netip.Prefix{balancer}}, "10.0.0.1:1000", []string{"192.0.2.7, 10.9.9.9"},
			"192.0.2.7", "192.0.2.7, 10.9.9.9, 10.0.0.1"},
		{"what is left of the first stranger is his claim", trust{ranges: []netip.Prefix{balancer}}, "10.0.0.1:1000",
			[]string{"127.0.0.1, 192.0.2.7"}, "192.0.2.7", "127.0.0.1, 192.0.2.7, 10.0.0.1"},
		{"several fields are one list", trust{ranges: []netip.Prefix{balancer}}, "10.0.0.1:1000",
			[]string{"127.0.0.1", "192.0.2.7"}, "192.0.2.7", "127.0.0.1, 192.0.2.7, 10.0.0.1"},
		{"nonsense ends the list", trust{ranges: []netip.Prefix{balancer}}, "10.0.0.1:1000", []string{"x, 10.2.2.2"},
			"10.2.2.2", "x, 10.2.2.2, 10.0.0.1"},
		{"everyone is trusted", trust{everyone: true}, "198.51.100.1:1000", []string{"192.0.2.7, 203.0.113.9"},
			"192.0.2.7", "192.0.2.7, 203.0.113.9, 198.51.100.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://a.example:8080/", nil)
			r.RemoteAddr = c.from
			r.Header["X-Forwarded-For"] = c.forwardedFor
			r.Header["X-Forwarded-Proto"] = []string{"https"}
			trusted := c.trust.includes(parseAddr(c.from))
			if got := c.trust.resolveClient(r).String(); got != c.client {
				t.Errorf("client %s, want %s", got, c.client)
			}
			if got := parseAddr(r.RemoteAddr).String(); got != c.client {
				t.Errorf("RemoteAddr %s, want %s", got, c.client)
			}
			if got := addHop(r.Header["X-Forwarded-For"], parseAddr(c.from).String()); got != c.seen {
				t.Errorf("X-Forwarded-For %q, want %q", got, c.seen)
			}
			if isTLS(r) != trusted {
				t.Errorf("X-Forwarded-Proto believed: %v, want %v", isTLS(r), trusted)
			}
			if got := r.Header.Get("X-Forwarded-Port"); got != "8080" {
				t.Errorf("X-Forwarded-Port %q", got)
			}
			if want := map[bool]string{true: "443", false: "80"}[trusted]; port("a.example", isTLS(r)) != want {
				t.Errorf("the port that goes with X-Forwarded-Proto is not %s", want)
			}
		})
	}
}

// What strangers say of where they come from reaches no service, however it is written.
func TestForwardedFieldsOfStrangers(t *testing.T) {
	h := http.Header{"X-Kind": {"tea"}, "X_kind": {"tea"}}
	for _, name := range []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Tls-Client-Cert",
		"X-Forwarded-Tls-Client-Cert-Info", "X_forwarded_for", "X-Forwarded_for", "X_forwarded-Tls_client-Cert", "X-Real_ip",
		"X.forwarded.for",
	} {
		h[name] = []string{"stranger"}
	}
	r := httptest.NewRequest(http.MethodGet, "http://a.example/", nil)
	r.Header = h
	trust{}.resolveClient(r)
	for name, values := range h {
		if !staysBehind(name) && values[0] == "stranger" {
			t.Errorf("%s reaches a service at one depth or both", name)
		}
		if values[0] == "stranger" {
			t.Errorf("%s is believed", name)
		}
	}
	if len(h["X-Kind"]) == 0 || len(h["X_kind"]) == 0 || staysBehind("X_kind") {
		t.Errorf("what is no forwarding field is gone: %v", h)
	}
}

func TestHostname(t *testing.T) {
	for in, want := range map[string]string{
		"a.example": "a.example", "A.Example:80": "a.example", "a.example.": "a.example", "a.example.:443": "a.example",
		"[2001:db8::1]:80": "[2001:db8::1]", "[2001:db8::1]": "[2001:db8::1]", "": "",
	} {
		if got := hostname(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestRemoveHopByHop(t *testing.T) {
	h := http.Header{
		"Connection": {"close, X-Secret", "keep-alive"}, "Keep-Alive": {"5"}, "X-Secret": {"1"}, "Te": {"trailers"},
		"Transfer-Encoding": {"chunked"}, "Upgrade": {"h2c"}, "Proxy-Authorization": {"x"}, "Accept": {"*/*"},
	}
	removeHopByHop(h)
	if len(h) != 1 || h.Get("Accept") == "" {
		t.Errorf("left: %v", h)
	}
}
