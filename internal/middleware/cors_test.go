package middleware

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// reference is the example of Traefik's reference.
func reference() *model.CORS {
	return &model.CORS{
		Methods: []string{"GET", "OPTIONS", "PUT"}, Headers: []string{"*"}, MaxAge: 100, Vary: true,
		Origins: []string{"https://foo.bar.org", "https://example.org"},
	}
}

func TestCORS(t *testing.T) {
	any := &model.CORS{Origins: []string{"*"}, Credentials: true, ExposeHeaders: []string{"X-A", "X-B"}}
	regex := &model.CORS{OriginRegexes: []string{`^https://[a-z]+\.example$`}, Vary: true}
	cases := map[string]struct {
		spec    *model.CORS
		origin  string
		service http.Header
		want    http.Header
	}{
		"allowed": {reference(), "https://example.org", nil, http.Header{
			"Access-Control-Allow-Origin": {"https://example.org"}, "Vary": {"Origin"},
		}},
		"not allowed":     {reference(), "https://evil.example", nil, http.Header{"Vary": {"Origin"}}},
		"not from a page": {reference(), "", nil, http.Header{"Vary": {"Origin"}}},
		"overwrites the service's": {
			reference(), "https://example.org", http.Header{"Access-Control-Allow-Origin": {"*"}, "Vary": {"Accept, origin"}},
			http.Header{"Access-Control-Allow-Origin": {"https://example.org"}, "Vary": {"Accept, origin"}},
		},
		"adds to Vary": {
			reference(), "", http.Header{"Vary": {"Accept"}}, http.Header{"Vary": {"Accept", "Origin"}},
		},
		"any": {any, "https://a.example", nil, http.Header{
			"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"},
			"Access-Control-Expose-Headers": {"X-A,X-B"},
		}},
		"expression": {regex, "https://a.example", nil, http.Header{
			"Access-Control-Allow-Origin": {"https://a.example"}, "Vary": {"Origin"},
		}},
		"no match of the expression": {regex, "https://a.example.evil", nil, http.Header{"Vary": {"Origin"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := build(t, NewSet(Options{}), model.Middleware{Headers: &model.Headers{CORS: c.spec}})
			r := request("/")
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			f(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.service {
					w.Header()[k] = append([]string(nil), v...)
				}
			})).ServeHTTP(w, r)
			if diff := cmp.Diff(c.want, w.Header()); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCORSPreflight(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{Headers: &model.Headers{CORS: reference()}})
	r := request("/", "Origin: https://foo.bar.org", "Access-Control-Request-Method: PUT")
	r.Method = http.MethodOptions
	w, got := exchange(f, r)
	want := http.Header{
		"Access-Control-Allow-Origin": {"https://foo.bar.org"}, "Access-Control-Allow-Methods": {"GET,OPTIONS,PUT"},
		"Access-Control-Allow-Headers": {"*"}, "Access-Control-Max-Age": {"100"}, "Vary": {"Origin"}, "Content-Length": {"0"},
	}
	if diff := cmp.Diff(want, w.Header()); got != nil || w.Code != 200 || diff != "" {
		t.Errorf("status %d, the service got %v, fields (-want +got):\n%s", w.Code, got, diff)
	}

	stranger := request("/", "Origin: https://evil.example", "Access-Control-Request-Method: PUT")
	stranger.Method = http.MethodOptions
	if w, got := exchange(f, stranger); got != nil || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a stranger gets %v", w.Header())
	}
	for name, r := range map[string]*http.Request{
		"no preflight": request("/", "Origin: https://foo.bar.org", "Access-Control-Request-Method: PUT"),
		"no origin":    request("/", "Access-Control-Request-Method: PUT"),
		"no method":    request("/", "Origin: https://foo.bar.org"),
	} {
		if name != "no preflight" {
			r.Method = http.MethodOptions
		}
		if _, got := exchange(f, r); got == nil {
			t.Errorf("%s: does not reach the service", name)
		}
	}
}

// Where no page of another origin is spoken of, a preflight is the service's.
func TestPreflightGoesToTheService(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{Headers: &model.Headers{Response: map[string]string{"X-A": "1"}}})
	r := request("/", "Origin: https://foo.bar.org", "Access-Control-Request-Method: PUT")
	r.Method = http.MethodOptions
	if _, got := exchange(f, r); got == nil {
		t.Error("answered in the service's place")
	}
}
