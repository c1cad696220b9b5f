package middleware

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestHeadersOverTLS(t *testing.T) {
	spec := &model.Headers{
		SecureResponse: map[string]string{"Strict-Transport-Security": "max-age=5"},
		SecureFields:   map[string]string{"X-Forwarded-Ssl": "on"},
	}
	f := build(t, NewSet(Options{}), model.Middleware{Headers: spec})
	for name, c := range map[string]struct {
		field string
		tls   bool
		want  string
	}{
		"plain":               {"X-A: b", false, ""},
		"TLS":                 {"X-A: b", true, "max-age=5"},
		"trusted proxy":       {"X-Forwarded-Proto: https", false, "max-age=5"},
		"field of the owner":  {"X-Forwarded-Ssl: on", false, "max-age=5"},
		"other value of that": {"X-Forwarded-Ssl: off", false, ""},
	} {
		r := request("/", c.field)
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if w, _ := exchange(f, r); w.Header().Get("Strict-Transport-Security") != c.want {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
}

func TestHeadersHosts(t *testing.T) {
	allow := &model.Headers{
		AllowedHosts: []string{"shop.example", "api.example:8080"}, HostFields: []string{"x-original-host"},
	}
	force := &model.Headers{HTTPS: &model.HTTPSRedirect{Host: "www.shop.example", ForceHost: true}}
	secure := func(r *http.Request) *http.Request { r.TLS = &tls.ConnectionState{}; return r }
	post := func(r *http.Request) *http.Request { r.Method = http.MethodPost; return r }
	cases := map[string]struct {
		spec     *model.Headers
		r        *http.Request
		status   int
		location string
	}{
		"allowed":              {allow, onHost("SHOP.example"), 200, ""},
		"allowed with a port":  {allow, onHost("shop.example:99"), 200, ""},
		"allowed port":         {allow, onHost("api.example:8080"), 200, ""},
		"other port":           {allow, onHost("api.example:8081"), 403, ""},
		"other host":           {allow, onHost("evil.example"), 403, ""},
		"proxy's other host":   {allow, withField(onHost("shop.example"), "X-Original-Host", "evil.example"), 403, ""},
		"proxy's allowed host": {allow, withField(onHost("inner"), "X-Original-Host", "shop.example"), 200, ""},

		"to https": {
			&model.Headers{HTTPS: &model.HTTPSRedirect{}}, onHost("a.example:80"), 301, "https://a.example/",
		},
		"to https, POST": {
			&model.Headers{HTTPS: &model.HTTPSRedirect{}}, post(onHost("a.example")), 308, "https://a.example/",
		},
		"to https for now": {
			&model.Headers{HTTPS: &model.HTTPSRedirect{Temporary: true}}, onHost("a.example"), 302, "https://a.example/",
		},
		"is https":       {&model.Headers{HTTPS: &model.HTTPSRedirect{}}, secure(onHost("a.example")), 200, ""},
		"no host":        {&model.Headers{HTTPS: &model.HTTPSRedirect{}}, onHost("a/b"), 400, ""},
		"to the host":    {force, secure(onHost("shop.example")), 301, "https://www.shop.example/"},
		"is on the host": {force, secure(onHost("www.shop.example:443")), 200, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, got := exchange(build(t, NewSet(Options{}), model.Middleware{Headers: c.spec}), c.r)
			if w.Code != c.status || w.Header().Get("Location") != c.location || (got != nil) != (c.status == 200) {
				t.Errorf("%d %q, want %d %q", w.Code, w.Header().Get("Location"), c.status, c.location)
			}
		})
	}
}

func withField(r *http.Request, name, value string) *http.Request {
	r.Header[name] = []string{value}
	return r
}
