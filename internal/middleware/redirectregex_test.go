package middleware

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func TestRedirectRegex(t *testing.T) {
	local := model.RedirectRegex{Regex: "^http://localhost/(.*)", Replacement: "http://mydomain/${1}"}
	www := model.RedirectRegex{
		Regex: `^https?://www\.(.+?)(:\d+)?/(.*)`, Replacement: "https://${1}/${3}", Permanent: true,
	}
	path := model.RedirectRegex{Regex: "^http://[^/]+/old(.*)", Replacement: "${1}"}
	slash := model.RedirectRegex{Regex: "^http://[^/]+/old/?(.*)", Replacement: "/${1}"}
	host := model.RedirectRegex{Regex: "^http://[^/]+/(.*)", Replacement: "https://shop.example${1}"}
	same := model.RedirectRegex{Regex: "^http://a/.*", Replacement: "$0"}
	post := func(r *http.Request) { r.Method = http.MethodPost }
	secure := func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	cases := map[string]struct {
		spec   model.RedirectRegex
		target string
		change func(*http.Request)
		status int
		want   string
	}{
		"reference":            {local, "http://localhost/a/b?c=d", nil, 302, "http://mydomain/a/b?c=d"},
		"reference, POST":      {local, "http://localhost/a", post, 307, "http://mydomain/a"},
		"other host":           {local, "http://other/a", nil, 200, ""},
		"other scheme":         {local, "http://localhost/a", secure, 200, ""},
		"permanent":            {www, "http://www.shop.example:8080/a", nil, 301, "https://shop.example/a"},
		"permanent, POST":      {www, "http://www.shop.example/a", post, 308, "https://shop.example/a"},
		"escapes":              {local, "http://localhost/a%2Fb%20c", nil, 302, "http://mydomain/a%2Fb%20c"},
		"stays":                {same, "http://a/x", nil, 200, ""},
		"a path":               {path, "http://a/old/x", nil, 302, "/x"},
		"not to a host":        {slash, "http://a/old//evil.example", nil, 400, ""},
		"not to a host either": {slash, "http://a/old/%2Fevil.example", nil, 302, "/%2Fevil.example"},
		"not to a user":        {host, "http://a/@evil.example", nil, 400, ""},
		"not to no address":    {host, "http://a/:x", nil, 400, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request(c.target)
			if c.change != nil {
				c.change(r)
			}
			w, got := exchange(build(t, NewSet(Options{}), model.Middleware{RedirectRegex: &c.spec}), r)
			if w.Code != c.status || w.Header().Get("Location") != c.want || (got != nil) != (c.status == 200) {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Header().Get("Location"), c.status, c.want)
			}
		})
	}
}

// A browser takes a backslash for a slash.
func TestRedirectRegexBackslash(t *testing.T) {
	for location, want := range map[string]bool{
		"/a": true, "/": true, "//evil.example": false, `/\evil.example`: false, "/a\r\nX: y": false,
	} {
		if got := isLocation(location, "/${1}"); got != want {
			t.Errorf("%q: %v", location, got)
		}
	}
}
