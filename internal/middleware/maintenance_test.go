package middleware

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

func TestMaintenance(t *testing.T) {
	page := model.Maintenance{
		Body: "<h1>Soon</h1>", RetryAfter: 90*time.Second + 1, Except: []string{"10.0.0.0/8"},
		ClientAddress: model.ClientAddress{Depth: 1},
	}
	fields := func(contentType, length string, more ...string) http.Header {
		h := http.Header{"Content-Type": {contentType}, "Content-Length": {length}, "Cache-Control": {"no-store"}}
		if len(more) > 0 {
			h["Retry-After"] = more
		}
		return h
	}
	cases := map[string]struct {
		spec   model.Maintenance
		method string
		status int
		body   string
		fields http.Header
	}{
		"page":    {page, "GET", 503, page.Body, fields("text/html; charset=utf-8", "13", "91")},
		"HEAD":    {page, "HEAD", 503, "", fields("text/html; charset=utf-8", "13", "91")},
		"default": {model.Maintenance{}, "GET", 503, maintenanceText, fields("text/plain; charset=utf-8", "55")},
		"other": {
			model.Maintenance{Status: 200, Body: "{}", ContentType: "application/json"}, "POST", 200, "{}",
			fields("application/json", "2"),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := request("/", "X-Forwarded-For: 10.0.0.1, 192.0.2.1")
			r.Method = c.method
			w := &reasons{ResponseRecorder: httptest.NewRecorder()}
			build(t, NewSet(Options{}), model.Middleware{Maintenance: &c.spec})(http.NotFoundHandler()).ServeHTTP(w, r)
			if w.Code != c.status || w.Body.String() != c.body || w.reason != "refused_by_maintenance" {
				t.Errorf("got %d %q %q", w.Code, w.Body, w.reason)
			}
			if diff := cmp.Diff(c.fields, w.Header()); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
	f := build(t, NewSet(Options{}), model.Middleware{Maintenance: &page})
	if _, got := exchange(f, request("/", "X-Forwarded-For: 192.0.2.1, 10.0.0.1")); got == nil {
		t.Error("who is excepted is not served")
	}
}
