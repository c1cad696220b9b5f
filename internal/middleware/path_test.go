package middleware

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// A path is written as it is sent: what a service gets is looked at as a whole.
func TestPaths(t *testing.T) {
	add := func(prefix string) model.Middleware {
		return model.Middleware{AddPrefix: &model.AddPrefix{Prefix: prefix}}
	}
	replace := func(path string) model.Middleware {
		return model.Middleware{ReplacePath: &model.ReplacePath{Path: path}}
	}
	regex := func(regex, replacement string) model.Middleware {
		return model.Middleware{ReplacePathRegex: &model.ReplacePathRegex{Regex: regex, Replacement: replacement}}
	}
	strip := func(regex ...string) model.Middleware {
		return model.Middleware{StripPrefixRegex: &model.StripPrefixRegex{Regex: regex}}
	}
	cases := map[string]struct {
		spec   model.Middleware
		target string
		want   string // as it is sent; "": refused
		path   string // decoded
	}{
		"add":                        {add("/api"), "/users?x=1", "/api/users?x=1", "/api/users"},
		"add to the root":            {add("/api"), "/", "/api/", "/api/"},
		"add without slash":          {add("api"), "/users", "/api/users", "/api/users"},
		"add to escapes":             {add("/api"), "/a%2Fb", "/api/a%2Fb", "/api/a/b"},
		"add what needs escapes":     {add("/a b"), "/c", "/a%20b/c", "/a b/c"},
		"add what needs escapes too": {add("/ü"), "/a%2Fb", "/%C3%BC/a%2Fb", "/ü/a/b"},

		"replace":              {replace("/foo"), "/a/b?x=1", "/foo?x=1", "/foo"},
		"replace by escapes":   {replace("/a%2Fb"), "/x", "/a%2Fb", "/a/b"},
		"replace of escapes":   {replace("/foo"), "/a%2Fb", "/foo", "/foo"},
		"replace by a percent": {replace("/100%25"), "/x", "/100%25", "/100%"},

		"regex":               {regex("^/foo/(.*)", "/bar/$1"), "/foo/x?y=1", "/bar/x?y=1", "/bar/x"},
		"regex elsewhere":     {regex("^/foo/(.*)", "/bar/$1"), "/shop/x", "/shop/x", "/shop/x"},
		"regex of escapes":    {regex("^/foo/(.*)", "/bar/$1"), "/foo/a%2Fb", "/bar/a%2Fb", "/bar/a/b"},
		"regex by nothing":    {regex("^/foo/(.*)", ""), "/foo/a", "/foo/a", "/foo/a"},
		"regex without slash": {regex("^/foo/", "bar-"), "/foo/a", "/bar-a", "/bar-a"},
		"regex cuts escape":   {regex("2F", "x"), "/a%2Fb", "", ""},
		"regex makes dots":    {regex("^/foo/x", "/a/"), "/foo/x../b", "", ""},
		"regex hidden dots":   {regex("^/x", "/"), "/x%2e%2e/b", "", ""},

		"strip":           {strip("/foo/[a-z0-9]+/[0-9]+/"), "/foo/abc/123/x", "/x", "/x"},
		"strip elsewhere": {strip("/foo"), "/a/foo/b", "/a/foo/b", "/a/foo/b"},
		"strip first":     {strip("/x", "/f.", "/foo"), "/foo/b", "/o/b", "/o/b"},
		"strip all":       {strip(".*"), "/foo/b", "/", "/"},
		"strip nothing":   {strip("x*"), "/foo/b", "/foo/b", "/foo/b"},
		"strip escapes":   {strip("/é+"), "/%C3%A9/a%2Fb", "/a%2Fb", "/a/b"},
		"strip to dots":   {strip("/[a-z]+"), "/files../secret", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request("/")
			r.URL, r.RequestURI = target(t, c.target), c.target
			w, got := exchange(build(t, NewSet(Options{}), c.spec), r)
			switch {
			case c.want == "" && (got != nil || w.Code != http.StatusBadRequest):
				t.Errorf("status %d, want 400", w.Code)
			case c.want == "":
			case got == nil || got.URI != c.want || got.Path != c.path:
				t.Errorf("status %d, got %+v; want %q, %q", w.Code, got, c.want, c.path)
			}
		})
	}
}

// target parses a request target as a server does; one that it refuses stays as it is.
func target(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.ParseRequestURI(s)
	if err != nil {
		return &url.URL{Path: s, RawPath: s}
	}
	return u
}

// The whole server is no path.
func TestPathsLeaveTheServerAlone(t *testing.T) {
	for name, spec := range map[string]model.Middleware{
		"addPrefix":        {AddPrefix: &model.AddPrefix{Prefix: "/a"}},
		"replacePathRegex": {ReplacePathRegex: &model.ReplacePathRegex{Regex: ".*", Replacement: "/a"}},
		"stripPrefixRegex": {StripPrefixRegex: &model.StripPrefixRegex{Regex: []string{"/a"}}},
	} {
		r := request("/")
		r.Method, r.RequestURI, r.URL = http.MethodOptions, "*", &url.URL{Path: "*"}
		if _, got := exchange(build(t, NewSet(Options{}), spec), r); got == nil || got.URI != "*" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestPathsAreTold(t *testing.T) {
	strip := model.Middleware{StripPrefixRegex: &model.StripPrefixRegex{Regex: []string{"/v[0-9]+"}}}
	replace := model.Middleware{ReplacePath: &model.ReplacePath{Path: "/x"}}
	regex := model.Middleware{ReplacePathRegex: &model.ReplacePathRegex{Regex: "^/v1", Replacement: "/x"}}
	cases := map[string]struct {
		spec   model.Middleware
		target string
		want   map[string][]string
	}{
		"strip":             {strip, "/v12/a", map[string][]string{"X-Forwarded-Prefix": {"/v12"}}},
		"strip other":       {strip, "/a", nil},
		"replace":           {replace, "/a%2Fb?x=1", map[string][]string{replacedPath: {"/a%2Fb"}}},
		"replace by regex":  {regex, "/v1/a", map[string][]string{replacedPath: {"/v1/a"}}},
		"no client's claim": {regex, "/v2/a", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var fields []string
			if strings.HasPrefix(name, "replace") || strings.HasPrefix(name, "no") {
				fields = []string{replacedPath + ": /client"}
			}
			_, got := exchange(build(t, NewSet(Options{}), c.spec), request(c.target, fields...))
			header := map[string][]string{}
			for k, v := range got.Header {
				header[k] = v
			}
			if c.want == nil {
				c.want = map[string][]string{}
			}
			if diff := cmp.Diff(c.want, header); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is done to a path, its escaped form must mean the path, and no dot segment may come of it.
func FuzzPaths(f *testing.F) {
	f.Add("/a%2Fb/..c", "/api", "^/a", "/b")
	f.Add("/%61pi%2", "/%", "", "$0")
	f.Fuzz(func(t *testing.T, path, prefix, regex, replacement string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || hasDotSegment(u.Path) {
			return
		}
		for _, spec := range []model.Middleware{
			{AddPrefix: &model.AddPrefix{Prefix: prefix}},
			{StripPrefix: &model.StripPrefix{Prefixes: []string{prefix}, KeepEmpty: len(regex)%2 == 0}},
			{ReplacePathRegex: &model.ReplacePathRegex{Regex: regex, Replacement: replacement}},
			{StripPrefixRegex: &model.StripPrefixRegex{Regex: []string{regex}}},
		} {
			wrap, err := NewSet(Options{}).Build(named(spec), Use{})
			if err != nil {
				return
			}
			location := *u
			r := &http.Request{Method: http.MethodGet, URL: &location, RequestURI: path, Header: http.Header{}}
			w, got := exchange(wrap, r)
			if got == nil {
				if w.Code != http.StatusBadRequest {
					t.Errorf("status %d", w.Code)
				}
				continue
			}
			if hasDotSegment(got.Path) || got.Path != "" && got.Path[0] != '/' {
				t.Errorf("path %q", got.Path)
			}
			if got.RawPath != "" {
				if decoded, err := url.PathUnescape(got.RawPath); err != nil || decoded != got.Path {
					t.Errorf("%q: raw %q does not mean %q", path, got.RawPath, got.Path)
				}
			}
		}
	})
}
