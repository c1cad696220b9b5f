package cache

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Tries to make others get what an attacker's request was answered, each with where it comes from. The first request is
// the attacker's; what the victim gets must come of his own.
func TestPoisoningByFields(t *testing.T) {
	tryAll(t, map[string]try{
		"X-Forwarded-Host (Practical Web Cache Poisoning, 2018)": {
			"GET /\nX-Forwarded-Host: evil.example", keep, "GET /",
		},
		"X-Forwarded-Proto (the same)": {
			"GET /\nX-Forwarded-Proto: http", keep, "GET /",
		},
		"X-Forwarded-Port (Web Cache Entanglement, 2020)": {
			"GET /\nX-Forwarded-Port: 1", keep, "GET /",
		},
		"X-Forwarded-Prefix": {
			"GET /\nX-Forwarded-Prefix: //evil.example", keep, "GET /",
		},
		"X-Forwarded-Scheme, a redirect (2018)": {
			"GET /\nX-Forwarded-Scheme: http", keep, "GET /",
		},
		"X-Host (2018)": {
			"GET /\nX-Host: evil.example", keep, "GET /",
		},
		"X-Original-URL (CVE-2018-14773)": {
			"GET /\nX-Original-Url: /admin", keep, "GET /",
		},
		"X-Rewrite-URL (CVE-2018-14773)": {
			"GET /\nX-Rewrite-Url: /admin", keep, "GET /",
		},
		"Forwarded (RFC 7239 §8.1)": {
			"GET /\nForwarded: for=a;host=evil.example", keep, "GET /\nForwarded: for=b",
		},
		"underscores (CGI, RFC 3875 §4.1.18)": {
			"GET /\nX_forwarded_host: evil.example", keep, "GET /",
		},
		"dots, which some read as underscores": {
			"GET /\nX.forwarded.host: evil.example", keep, "GET /",
		},
		"method override (CPDoS, 2019)": {
			"GET /\nX-Http-Method-Override: POST", "404\nCache-Control: max-age=60", "GET /",
		},
		"header oversize, an error without a lifetime (CPDoS)": {
			"GET /\nX-Long: x", "400", "GET /",
		},
		"middleware subrequest (CVE-2025-29927)": {
			"GET /\nX-Middleware-Subrequest: middleware", keep, "GET /",
		},
	})
}

func TestPoisoningByTargetsAndAnswers(t *testing.T) {
	tryAll(t, map[string]try{
		"port in Host (2020)": {
			"GET /\nHost: a.example:1337", keep, "GET /",
		},
		"spelling of Host (2020)": {
			"GET /\nHost: A.example", keep, "GET /",
		},
		"an unkeyed query, utm_content (2020)": {
			"GET /?utm_content=x", keep, "GET /",
		},
		"a semicolon in the query (CVE-2021-23336)": {
			"GET /?a=1;b=2", keep, "GET /?a=1",
		},
		"an escaped question mark": {
			"GET /a%3Fb", keep, "GET /a?b",
		},
		"an empty query": {
			"GET /?", keep, "GET /",
		},
		"an escaped slash": {
			"GET /a%2Fb", keep, "GET /a/b",
		},
		"a double slash": {
			"GET //a", keep, "GET /a",
		},
		"the path that another middleware replaced": {
			"GET /\nX-Replaced-Path: /evil", keep, "GET /",
		},
		"web cache deception: no kind of path makes an answer one for all (2017)": {
			"GET /account/x.css", "200\nContent-Type: text/html", "GET /account/x.css",
		},
		"a cookie of somebody (RFC 6265 §3)": {
			"GET /", keep + "\nSet-Cookie: session=1", "GET /",
		},
		"somebody's certificate": {
			"GET /\nX-Forwarded-Tls-Client-Cert: MII", keep, "GET /",
		},
		"a part for the whole (RFC 9110 §15.3.7)": {
			"GET /\nRange: bytes=0-0", "206\nCache-Control: max-age=60\nContent-Range: bytes 0-0/5", "GET /",
		},
		"a part without being called one": {
			"GET /\nRange: bytes=0-0", "200\nCache-Control: max-age=60\nContent-Range: bytes 0-0/5", "GET /",
		},
	})
}

const keep = "200\nCache-Control: max-age=60"

type try struct{ attacker, answer, victim string }

func tryAll(t *testing.T, cases map[string]try) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				play(t, Options{}, []step{
					{request: c.attacker, answer: c.answer, asked: "yes", want: c.answer[:3] + " =1"},
					{request: c.victim, asked: "yes", want: "200 =2"},
				})
			})
		})
	}
}

// A fat GET is not answered for others, and not by what others got ("Web Cache Entanglement", 2020; RFC 9110 §9.3.1).
func TestFatGet(t *testing.T) {
	s := newService(t)
	h := s.cached(Options{})
	s.answer = "200\nCache-Control: max-age=60"
	fat := func() *http.Request {
		r := toRequest("GET /")
		r.ContentLength = 5
		return r
	}
	for want, r := range []*http.Request{fat(), toRequest("GET /"), fat()} {
		h.ServeHTTP(&sink{http.Header{}}, r)
		if s.n != want+1 {
			t.Errorf("request %d is answered without the service", want+1)
		}
	}
}

// Routes do not share answers: another one may have taken the request for a field that is no part of the key.
func TestRoutesDoNotShareAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.answer = "200\nCache-Control: max-age=60"
		first, second := s.cached(Options{Route: "a"}), s.cached(Options{Route: "b"})
		for i, h := range []http.Handler{first, second} {
			h.ServeHTTP(&sink{http.Header{}}, toRequest("GET /"))
			if s.n != i+1 {
				t.Error("a route is answered by what another one kept")
			}
		}
		time.Sleep(time.Second)
		second.ServeHTTP(&sink{http.Header{}}, toRequest("DELETE /")) // but what changes an address does so for all
		first.ServeHTTP(&sink{http.Header{}}, toRequest("GET /"))
		if s.n != 4 {
			t.Error("a route keeps what was changed by another one")
		}
	})
}

func FuzzDirectives(f *testing.F) {
	f.Add(`max-age="1\0", no-cache="a,b", private`)
	f.Add(`="`)
	f.Fuzz(func(t *testing.T, line string) {
		d := parseDirectives([]string{line, "no-store"})
		if !d.has("no-store") {
			t.Errorf("%q hides the next line", line)
		}
		for name := range d {
			if life, given := d.seconds(name); !given || life < 0 {
				t.Errorf("%q: %s is %v", line, name, life)
			}
		}
	})
}
