package middleware

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// upload sends a body, whose length is told or not, and returns the answer.
func upload(f Func, body string, known bool, service http.HandlerFunc) *reasons {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	if !known {
		r.ContentLength = -1
	}
	w := &reasons{ResponseRecorder: httptest.NewRecorder()}
	f(service).ServeHTTP(w, r)
	return w
}

func echo(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, "%d:", r.ContentLength)
	_, _ = io.Copy(w, r.Body)
}

func TestBufferingRequests(t *testing.T) {
	large := strings.Repeat("a", 100)
	cases := map[string]struct {
		spec   model.Buffering
		body   string
		known  bool
		status int
		want   string
	}{
		"empty":             {model.Buffering{}, "", true, 200, "0:"},
		"known":             {model.Buffering{}, "order", true, 200, "5:order"},
		"unknown":           {model.Buffering{}, "order", false, 200, "5:order"},
		"as large as can":   {model.Buffering{MaxRequest: 5}, "order", false, 200, "5:order"},
		"too large":         {model.Buffering{MaxRequest: 4}, "order", true, 413, ""},
		"turns out to be":   {model.Buffering{MaxRequest: 4}, "order", false, 413, ""},
		"in a file":         {model.Buffering{MemRequest: 7, MemResponse: 9}, large, false, 200, "100:" + large},
		"streams":           {model.Buffering{PassRequest: true}, "order", false, 200, "-1:order"},
		"streams, too much": {model.Buffering{PassRequest: true, MaxRequest: 4}, "order", true, 413, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := upload(build(t, NewSet(Options{}), model.Middleware{Buffering: &c.spec}), c.body, c.known, echo)
			if w.Code != c.status || c.status == 200 && w.Body.String() != c.want {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
			if want := map[int]string{413: "refused_by_buffering"}[c.status]; w.reason != want {
				t.Errorf("reason %q", w.reason)
			}
		})
	}
}

func TestBufferingAnswers(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{Buffering: &model.Buffering{MaxResponse: 5}})
	w := upload(f, "", true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "b")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "par")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "ts")
	})
	if w.Code != 202 || w.Body.String() != "parts" || w.Header().Get("X-A") != "b" ||
		w.Header().Get("Content-Length") != "5" || w.Flushed {
		t.Errorf("got %d %v %q", w.Code, w.Header(), w.Body)
	}
	w = upload(f, "", true, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "too many") })
	if w.Code != 500 || w.reason != "answer_too_large" || strings.Contains(w.Body.String(), "many") {
		t.Errorf("got %d %q %q", w.Code, w.reason, w.Body)
	}
	f = build(t, NewSet(Options{}), model.Middleware{Buffering: &model.Buffering{PassResponse: true}})
	w = upload(f, "order", true, func(w http.ResponseWriter, r *http.Request) {
		echo(w, r)
		_ = http.NewResponseController(w).Flush()
	})
	if w.Body.String() != "5:order" || !w.Flushed {
		t.Errorf("an answer that is to stream is not flushed")
	}
}

func TestBufferingRetries(t *testing.T) {
	is := func(metric string, c model.Comparison, value float64) model.Condition {
		return model.Condition{Op: model.Is, Metric: metric, Compare: c, Value: value}
	}
	all := func(of ...model.Condition) *model.Condition { return &model.Condition{Of: of} }
	for name, c := range map[string]struct {
		retry    *model.Condition
		status   int
		attempts int
		want     int
	}{
		"network errors":    {all(is("IsNetworkError", "", 0), is("Attempts", "<", 5)), 502, 3, 200},
		"other errors":      {all(is("IsNetworkError", "", 0)), 503, 1, 503},
		"so many attempts":  {all(is("IsNetworkError", "", 0), is("Attempts", "<", 2)), 504, 2, 504},
		"a status":          {all(is("ResponseCode", ">=", 500)), 503, 3, 200},
		"never":             {nil, 502, 1, 502},
		"always, not quite": {all(is("Attempts", ">", 0)), 404, 11, 200},
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			f := build(t, NewSet(Options{}), model.Middleware{Buffering: &model.Buffering{Retry: c.retry, MemRequest: 2}})
			w := upload(f, "order", false, func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); string(body) != "order" || r.Header.Get("X-Seen") != "" {
					t.Errorf("attempt %d gets %q, %v", attempts, body, r.Header)
				}
				r.Header.Set("X-Seen", "1")
				if attempts++; attempts < 3 {
					w.Header().Set("X-Bad", "1")
					refuse(w, c.status, "upstream_error")
				}
			})
			if w.Code != c.want || attempts != c.attempts {
				t.Errorf("status %d after %d attempts, want %d after %d", w.Code, attempts, c.want, c.attempts)
			}
			if w.Code == 200 && (w.reason != "" || w.Header().Get("X-Bad") != "") {
				t.Errorf("the answer before shows: %q %v", w.reason, w.Header())
			}
		})
	}
}
