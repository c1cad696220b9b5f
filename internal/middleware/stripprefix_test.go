package middleware

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

func TestStripPrefix(t *testing.T) {
	cases := map[string]struct {
		prefixes  []string
		target    string
		path, raw string
		uri       string
		forwarded []string
	}{
		"prefix":             {[]string{"/api"}, "/api/users?x=1", "/users", "", "/users?x=1", []string{"/api"}},
		"whole path":         {[]string{"/api"}, "/api", "/", "", "/", []string{"/api"}},
		"with slash":         {[]string{"/api/"}, "/api/users", "/users", "", "/users", []string{"/api/"}},
		"by characters":      {[]string{"/api"}, "/apis", "/s", "", "/s", []string{"/api"}},
		"other path":         {[]string{"/api"}, "/shop", "/shop", "", "/shop", nil},
		"case matters":       {[]string{"/api"}, "/API/x", "/API/x", "", "/API/x", nil},
		"first that matches": {[]string{"/a", "/a/b"}, "/a/b/c", "/b/c", "", "/b/c", []string{"/a"}},
		"only once":          {[]string{"/a"}, "/a/a/b", "/a/b", "", "/a/b", []string{"/a"}},
		"none":               {nil, "/a", "/a", "", "/a", nil},
		"blank is none":      {[]string{" ", ""}, "/a", "/a", "", "/a", nil},
		"encoded rest":       {[]string{"/api"}, "/api/a%2Fb", "/a/b", "/a%2Fb", "/a%2Fb", []string{"/api"}},
		"encoded prefix":     {[]string{"/a b"}, "/a%20b/c%2Fd", "/c/d", "/c%2Fd", "/c%2Fd", []string{"/a b"}},
		"oddly encoded":      {[]string{"/api"}, "/%61pi/x%2Fy", "/x/y", "/x%2Fy", "/x%2Fy", []string{"/api"}},
		"encoded in between": {[]string{"/é"}, "/%C3%A9/x%2F", "/x/", "/x%2F", "/x%2F", []string{"/é"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := build(t, NewSet(Options{}), model.Middleware{StripPrefix: &model.StripPrefix{Prefixes: c.prefixes}})
			w, got := exchange(f, request(c.target))
			if w.Code != http.StatusOK || got == nil {
				t.Fatalf("status %d", w.Code)
			}
			if got.Path != c.path || got.RawPath != c.raw || got.URI != c.uri {
				t.Errorf("path %q, raw %q, URI %q; want %q, %q, %q", got.Path, got.RawPath, got.URI, c.path, c.raw, c.uri)
			}
			if diff := cmp.Diff(c.forwarded, got.Header["X-Forwarded-Prefix"]); diff != "" {
				t.Errorf("X-Forwarded-Prefix (-want +got):\n%s", diff)
			}
		})
	}
}

// "/files../x" has no dot segment; "/../x" has.
func TestStripPrefixMakesNoDotSegment(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{StripPrefix: &model.StripPrefix{Prefixes: []string{"/files"}}})
	for _, target := range []string{"/files../secret", "/files%2e%2e/secret", "/files."} {
		if w, got := exchange(f, request(target)); got != nil || w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d, the service got %+v", target, w.Code, got)
		}
	}
}

func TestStripPrefixForceSlash(t *testing.T) {
	strip := &model.StripPrefix{Prefixes: []string{"/a"}, KeepEmpty: true}
	s := NewSet(Options{})
	f := build(t, s, model.Middleware{StripPrefix: strip})
	add := build(t, s, model.Middleware{AddPrefix: &model.AddPrefix{Prefix: "/x"}})
	for target, want := range map[string]string{"/a": "/x", "/a/": "/x/", "/a/b": "/x/b", "/ab": "/x/b"} {
		_, got := exchange(func(next http.Handler) http.Handler { return f(add(next)) }, request(target))
		if got == nil || got.Path != want {
			t.Errorf("%s: %+v, want %s", target, got, want)
		}
	}
}

func TestStripPrefixTwice(t *testing.T) {
	s := NewSet(Options{})
	outer := build(t, s, model.Middleware{StripPrefix: &model.StripPrefix{Prefixes: []string{"/a"}}})
	inner := build(t, s, model.Middleware{StripPrefix: &model.StripPrefix{Prefixes: []string{"/b"}}})
	_, got := exchange(func(next http.Handler) http.Handler { return outer(inner(next)) }, request("/a/b/c"))
	if got.Path != "/c" || !cmp.Equal(got.Header["X-Forwarded-Prefix"], []string{"/a", "/b"}) {
		t.Errorf("path %q, prefixes %q", got.Path, got.Header["X-Forwarded-Prefix"])
	}
}

// The encoded path that is left must mean the path that is left.
func FuzzStripPrefix(f *testing.F) {
	f.Add("/api/a%2Fb", "/api")
	f.Add("/%61pi%2", "/a")
	f.Add("/api%2F", "/api")
	f.Fuzz(func(t *testing.T, target, prefix string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
			return
		}
		r := &http.Request{Method: http.MethodGet, URL: u, RequestURI: target, Header: http.Header{}}
		spec := model.StripPrefix{Prefixes: []string{prefix}}
		_, got := exchange(build(t, NewSet(Options{}), model.Middleware{StripPrefix: &spec}), r)
		if got == nil {
			return // a dot segment
		}
		if !strings.HasPrefix(got.Path, "/") {
			t.Errorf("path %q", got.Path)
		}
		if got.RawPath != "" {
			if decoded, err := url.PathUnescape(got.RawPath); err != nil || decoded != got.Path {
				t.Errorf("%q without %q: raw %q does not mean %q", target, prefix, got.RawPath, got.Path)
			}
		}
	})
}
