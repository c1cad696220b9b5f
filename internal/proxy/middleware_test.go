package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// through is to, with a middleware before the service.
func through(m model.Middleware, addrs ...string) *model.Snapshot {
	s := to(addrs...)
	m.Name, m.Source = model.Name{Name: "m"}, "file/test"
	s.Middlewares = []*model.Middleware{&m}
	s.Routes[0].Middlewares = []model.Ref{m.Ref()}
	return s
}

func TestRetryOptions(t *testing.T) {
	busy := []model.StatusRange{{From: 500, To: 503}}
	cases := map[string]struct {
		retry    model.Retry
		method   string
		status   int // of every answer but the last that is asked for; 0: the connection is cut
		requests int32
		want     int
	}{
		"a status":              {model.Retry{Attempts: 3, Status: busy}, "GET", 503, 3, 200},
		"not this status":       {model.Retry{Attempts: 3, Status: busy}, "GET", 504, 1, 504},
		"not any more":          {model.Retry{Attempts: 2, Status: busy}, "GET", 503, 2, 503},
		"not this method":       {model.Retry{Attempts: 3, Status: busy}, "POST", 503, 1, 503},
		"any method":            {model.Retry{Attempts: 3, Status: busy, AnyMethod: true}, "POST", 503, 3, 200},
		"cut, any method":       {model.Retry{Attempts: 3, AnyMethod: true}, "POST", 0, 3, 200},
		"cut, only answers":     {model.Retry{Attempts: 3, AnswersOnly: true, Status: busy}, "GET", 0, 1, 502},
		"a status, answers":     {model.Retry{Attempts: 3, AnswersOnly: true, Status: busy}, "GET", 500, 3, 200},
		"too late":              {model.Retry{Attempts: 3, Status: busy, Timeout: 1}, "GET", 503, 1, 503},
		"early enough":          {model.Retry{Attempts: 3, Status: busy, Timeout: time.Hour}, "GET", 503, 3, 200},
		"a large body":          {model.Retry{Attempts: 3, Status: busy, MaxBodyBytes: 1 << 20}, "PUT", 503, 3, 200},
		"a body that is larger": {model.Retry{Attempts: 3, Status: busy, MaxBodyBytes: 1 << 10}, "PUT", 503, 0, 413},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			body := ""
			if strings.Contains(name, "body") {
				body = strings.Repeat("b", 2*replayable)
			}
			addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got, _ := io.ReadAll(r.Body)
				n := requests.Add(1)
				switch {
				case string(got) != body:
					t.Errorf("attempt %d has a body of %d bytes", n, len(got))
				case n == 3:
				case c.status == 0:
					panic(http.ErrAbortHandler)
				default:
					w.WriteHeader(c.status)
				}
			})
			b := start(t, through(model.Middleware{Retry: &c.retry}, addr))
			status, _, _ := b.do(t, c.method, "/", strings.NewReader(body))
			if status != c.want || requests.Load() != c.requests {
				t.Errorf("status %d after %d requests, want %d after %d", status, requests.Load(), c.want, c.requests)
			}
		})
	}
}

// withPages adds a service that has pages.
func withPages(t *testing.T, s *model.Snapshot) {
	t.Helper()
	pages := &model.Service{Name: model.Name{Name: "pages"}, Source: "file/test"}
	pages.Endpoints = []model.Endpoint{{Weight: 1, Addr: serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Page", r.URL.RequestURI())
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.Header.Get("If-None-Match"))
	})}}
	s.Services = append(s.Services, pages)
	s.Sort()
}

func TestErrorsSendsAnotherPage(t *testing.T) {
	spec := model.Middleware{Errors: &model.Errors{
		Status:   []model.StatusRange{{From: 500, To: 599}},
		Rewrites: []model.StatusRewrite{{StatusRange: model.StatusRange{From: 502, To: 502}, As: 503}},
		Service:  model.Ref{Name: model.Name{Name: "pages"}},
		Query:    "/{status}.html?was={originalStatus}&url={url}",
	}}
	app := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-App", "secret")
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, "app")
	})
	s := through(spec, app)
	withPages(t, s)
	b := start(t, s)
	status, h, body := b.do(t, "POST", "/bad?x=1", strings.NewReader("order"), "Host", "a.example", "If-None-Match", `"x"`)
	want := "/500.html?was=500&url=" + url.QueryEscape("http://a.example/bad?x=1")
	if status != 500 || h.Get("X-Page") != want || body != "GET a.example " {
		t.Errorf("got %d %v %q", status, h, body)
	}
	if h.Get("X-App") != "" {
		t.Error("a field of the answer that is replaced gets through")
	}
	if status, h, body := b.get(t, "/good"); status != 200 || body != "app" || h.Get("X-Page") != "" {
		t.Errorf("got %d %v %q", status, h, body)
	}
	if status, _, body := b.do(t, "HEAD", "/bad", nil); status != 500 || body != "" {
		t.Errorf("HEAD gets %d %q", status, body)
	}

	// An answer of our own, since nothing answers there.
	s = through(spec, closed(t))
	withPages(t, s)
	b = start(t, s)
	status, h, _ = b.get(t, "/")
	want = "/503.html?was=502&url=" + url.QueryEscape(b.url+"/")
	if status != 503 || h.Get("X-Page") != want || h.Get(reasonField) != reasonUpstreamError {
		t.Errorf("got %d %v", status, h)
	}
}

// Without the service that has the pages, the answers stay as they are, and somebody is told.
func TestErrorsWithoutItsService(t *testing.T) {
	app := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "app", http.StatusInternalServerError) })
	b := start(t, through(model.Middleware{Errors: &model.Errors{
		Status: []model.StatusRange{{From: 500, To: 500}}, Service: model.ParseRef("pages@file/test"),
	}}, app))
	if status, _, body := b.get(t, "/"); status != 500 || body != "app\n" {
		t.Errorf("got %d %q", status, body)
	}
	if !slices.ContainsFunc(b.Problems(), func(p model.Problem) bool { return p.Code == model.UnknownService }) {
		t.Errorf("problems %v", b.Problems())
	}
}

// A middleware sees the answers that are made in the service's place.
func TestCircuitBreakerOfAServiceThatIsGone(t *testing.T) {
	b := start(t, through(model.Middleware{CircuitBreaker: &model.CircuitBreaker{Condition: model.Condition{
		Op: model.Is, Metric: "NetworkErrorRatio", Compare: ">", Value: 0.5,
	}}}, closed(t)))
	if status, h, _ := b.get(t, "/"); status != 502 || h.Get(reasonField) != reasonUpstreamError {
		t.Errorf("got %d %v", status, h)
	}
	if status, h, _ := b.get(t, "/"); status != 503 || h.Get(reasonField) != "refused_by_circuitBreaker" {
		t.Errorf("got %d %v", status, h)
	}
}
