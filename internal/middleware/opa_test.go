package middleware

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// What OPA answers (https://www.openpolicyagent.org/docs/rest-api#data-api), and what becomes of the request: only what
// says yes lets it pass.
func TestOPA(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		status int
		group  string
	}{
		"true":           {`{"result": true}`, 200, ""},
		"object":         {`{"result": {"allow": true, "headers": {"X-Group": "staff", "X-Other": "a"}}}`, 200, "staff"},
		"line feed":      {`{"result": {"allow": true, "headers": {"X-Group": "a\r\nb"}}}`, 200, ""},
		"false":          {`{"result": false}`, 403, ""},
		"undefined":      {`{}`, 403, ""},
		"null":           {`{"result": null}`, 403, ""},
		"empty":          {`{"result": {}}`, 403, ""},
		"status":         {`{"result": {"allow": false, "status": 404}}`, 404, ""},
		"status of none": {`{"result": {"allow": false, "status": 200}}`, 403, ""},
		"text":           {`{"result": "true"}`, 503, ""},
		"list":           {`{"result": [true]}`, 503, ""},
		"page":           {`<html>`, 503, ""},
		"nothing":        {``, 503, ""},
		"huge":           {`{"result": true, "a": "` + strings.Repeat("a", maxDecision) + `"}`, 503, ""},
		"error":          {"500", 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var asked any
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_ = json.Unmarshal(body, &asked)
				if c.answer == "500" || r.Header.Get("Authorization") != "Bearer t" {
					w.WriteHeader(http.StatusInternalServerError)
				}
				_, _ = io.WriteString(w, c.answer)
			}))
			defer server.Close()
			spec := model.OPA{
				URL: server.URL, Token: model.NewSecret("t"), Headers: []string{"X-A", "X-Missing"},
				Decided: []string{"x-group"},
			}
			w, got := exchange(build(t, NewSet(Options{}), model.Middleware{OPA: &spec}),
				request("/a%20b?c=d", "X-A: 1", "X-A: 2", "X-B: 3", "X-Group: root", "X_group: root"))
			if w.Code != c.status || (got != nil) != (c.status == 200) {
				t.Fatalf("status %d, want %d", w.Code, c.status)
			}
			if got != nil && (got.Header.Get("X-Group") != c.group || got.Header["X_group"] != nil ||
				got.Header["X-Other"] != nil) {
				t.Errorf("the service sees %v", got.Header)
			}
			want := map[string]any{"input": map[string]any{
				"method": "GET", "scheme": "http", "host": "example.com", "path": "/a b", "query": "c=d",
				"client": "192.0.2.1", "headers": map[string]any{"X-A": "1, 2"},
			}}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOPAIsAway(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	spec := model.OPA{URL: server.URL}
	set := NewSet(Options{})
	w, got := exchange(build(t, set, model.Middleware{OPA: &spec}), request("/"))
	if w.Code != http.StatusServiceUnavailable || got != nil {
		t.Errorf("status %d", w.Code)
	}
	if list := set.Problems(); len(list) != 1 || list[0].Code != model.Unreachable || list[0].Field != "opa.url" {
		t.Errorf("problems %v", list)
	}
}
