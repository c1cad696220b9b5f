package middleware

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestRedirectScheme(t *testing.T) {
	https := model.RedirectScheme{Scheme: "https"}
	forEver := model.RedirectScheme{Scheme: "HTTPS", Permanent: true}
	http80 := model.RedirectScheme{Scheme: "http", Port: "80"}
	to443 := model.RedirectScheme{Scheme: "https", Port: "443"}
	to8443 := model.RedirectScheme{Scheme: "https", Port: "8443"}
	cases := map[string]struct {
		spec   model.RedirectScheme
		method string
		host   string
		target string
		proto  string // X-Forwarded-Proto
		tls    bool
		status int // 200: served
		want   string
	}{
		"GET":           {https, "GET", "a.example", "/x?y=1", "", false, 302, "https://a.example/x?y=1"},
		"HEAD":          {https, "HEAD", "a.example", "/", "", false, 302, "https://a.example/"},
		"POST":          {https, "POST", "a.example", "/", "", false, 307, "https://a.example/"},
		"GET for ever":  {forEver, "GET", "a.example", "/", "", false, 301, "https://a.example/"},
		"POST for ever": {forEver, "POST", "a.example", "/", "", false, 308, "https://a.example/"},
		"port":          {to8443, "GET", "a.example:80", "/", "", false, 302, "https://a.example:8443/"},
		"its own port":  {to443, "GET", "a.example:8080", "/", "", false, 302, "https://a.example/"},
		"to http":       {http80, "GET", "a.example", "/", "", true, 302, "http://a.example/"},
		"IPv6":          {https, "GET", "[2001:db8::1]:80", "/", "", false, 302, "https://[2001:db8::1]/"},
		"encoded path":  {https, "GET", "a.example", "/a%2Fb%0D%0Ac", "", false, 302, "https://a.example/a%2Fb%0D%0Ac"},
		"two slashes":   {https, "GET", "a.example", "//evil.example/x", "", false, 302, "https://a.example//evil.example/x"},
		"asterisk":      {https, "OPTIONS", "a.example", "*", "", false, 307, "https://a.example/"},

		"already, by TLS":                {https, "GET", "a.example:8443", "/", "", true, 200, ""},
		"already, by a proxy in front":   {https, "GET", "a.example", "/", "https", false, 200, ""},
		"already, a WebSocket":           {https, "GET", "a.example", "/", "wss", false, 200, ""},
		"not, says the proxy in front":   {https, "GET", "a.example", "/", "http", true, 302, "https://a.example/"},
		"already http":                   {http80, "GET", "a.example", "/", "", false, 200, ""},
		"host with line breaks":          {https, "GET", "a.example\r\nSet-Cookie: a=b", "/", "", false, 400, ""},
		"host with a user":               {https, "GET", "a.example@evil.example", "/", "", false, 400, ""},
		"host with a path":               {https, "GET", "evil.example/a.example", "/", "", false, 400, ""},
		"host with a user as port":       {https, "GET", "a.example:x@evil.example", "/", "", false, 400, ""},
		"no host":                        {https, "GET", "", "/", "", false, 400, ""},
		"host that is only a port":       {https, "GET", ":80", "/", "", false, 400, ""},
		"line breaks in the query":       {https, "GET", "a.example", "/?a\r\nb", "", false, 400, ""},
		"host served if scheme is right": {https, "GET", "a.example@evil.example", "/", "", true, 200, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request("/")
			r.Method, r.Host, r.RequestURI, r.TLS = c.method, c.host, c.target, nil
			path, query, _ := strings.Cut(c.target, "?")
			r.URL = mustURL(t, "/")
			if path == "*" {
				r.URL.Path = "*"
			} else {
				u := mustURL(t, "http://x"+path)
				r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
			}
			r.URL.RawQuery = query
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if c.proto != "" {
				r.Header.Set("X-Forwarded-Proto", c.proto)
			}
			w, got := exchange(build(t, NewSet(Options{}), model.Middleware{RedirectScheme: &c.spec}), r)
			location := w.Header().Get("Location")
			if w.Code != c.status || location != c.want || (got != nil) != (c.status == http.StatusOK) {
				t.Errorf("got %d %q, want %d %q", w.Code, location, c.status, c.want)
			}
		})
	}
}
