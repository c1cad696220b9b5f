package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

func TestMain(m *testing.M) {
	undo := trustTestServers()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { undo(); os.Exit(code) }))
}

// bench is a proxy with one entry point, "web", in front of services of the test.
type bench struct {
	*Proxy
	hosts *upstream.Hosts
	url   string
	http  *http.Client
	stop  context.CancelFunc
}

// start starts a proxy that serves the snapshot until the test ends.
func start(t *testing.T, s *model.Snapshot, change ...func(*Options)) *bench {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	o := Options{
		EntryPoints: []EntryPoint{{
			Name: "web", Address: "127.0.0.1:0", Default: true, DrainGrace: 5 * time.Second, HeaderTimeout: 5 * time.Second,
		}},
		Hosts:       upstream.NewHosts(upstream.Options{Log: log}),
		Middlewares: middleware.NewSet(middleware.Options{Log: log}),
		Log:         log,
	}
	for _, f := range change {
		f(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if s != nil {
		p.Apply(s, true)
	}
	return &bench{p, o.Hosts, "http://" + p.Addr("web").String(), &http.Client{Transport: transport}, cancel}
}

// serve starts a service until the test ends and returns its address.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return strings.TrimPrefix(s.URL, "http://")
}

// to is a snapshot in which every request goes to one service with these endpoints.
func to(addrs ...string) *model.Snapshot {
	service := &model.Service{Name: model.Name{Name: "app"}, Source: "file/test"}
	for _, a := range addrs {
		service.Endpoints = append(service.Endpoints, model.Endpoint{Addr: a, Weight: 1})
	}
	s := &model.Snapshot{
		Services: []*model.Service{service},
		Routes: []*model.Route{{
			Name: model.Name{Name: "all"}, Source: "file/test", Match: model.Leaf(model.PathPrefix, "/"), Priority: 1,
			Backends: []model.Backend{{Service: service.Ref(), Weight: 1}},
		}},
	}
	s.Sort()
	return s
}

// get makes a request and returns the status, the fields and the body of the answer.
func (b *bench) get(t *testing.T, path string, fields ...string) (int, http.Header, string) {
	t.Helper()
	return b.do(t, http.MethodGet, path, nil, fields...)
}

func (b *bench) do(t *testing.T, method, path string, body io.Reader, fields ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			r.Host = fields[i+1]
		}
		r.Header.Add(fields[i], fields[i+1])
	}
	answer, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

func TestNothingAppliedYet(t *testing.T) {
	b := start(t, nil)
	if status, h, _ := b.get(t, "/"); status != 503 || h.Get(reasonField) != reasonNotReady {
		t.Errorf("%d %s", status, h.Get(reasonField))
	}
}

func TestOwnAnswers(t *testing.T) {
	s := to("127.0.0.1:1")
	s.Routes[0].Match = model.Leaf(model.Path, "/refused")
	s.Routes = append(s.Routes, &model.Route{
		Name: model.Name{Name: "lost"}, Source: "file/test", Match: model.Leaf(model.Path, "/lost"),
		Backends: []model.Backend{{Service: model.Ref{Name: model.Name{Name: "nowhere"}}, Weight: 1}},
	})
	b := start(t, s)
	for _, c := range []struct {
		path   string
		status int
		reason string
	}{
		{"/else", 404, reasonNoRoute},
		{"/lost", 503, reasonUnknownService},
		{"/refused", 502, reasonUpstreamError},
		{"/%2e%2e/x", 400, reasonBadRequest},
	} {
		status, h, body := b.get(t, c.path)
		if status != c.status || h.Get(reasonField) != c.reason || !strings.Contains(body, c.reason) {
			t.Errorf("%s: %d %s %q, want %d %s", c.path, status, h.Get(reasonField), body, c.status, c.reason)
		}
	}
}

// A guarded route stands beside an open one to the same service. What is wrong with its guard does not open it.
func TestBrokenRouteStaysShut(t *testing.T) {
	for name, damage := range map[string]func(admin *model.Route){
		"middleware missing":   func(r *model.Route) { r.Middlewares = []model.Ref{{Name: model.Name{Name: "auth"}}} },
		"definition not read":  func(r *model.Route) { r.Broken = true },
		"and no service known": func(r *model.Route) { r.Broken, r.Backends = true, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := to(serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }))
			admin := *s.Routes[0]
			admin.Name.Name, admin.Match, admin.Priority = "admin", model.Leaf(model.PathPrefix, "/admin"), 2
			damage(&admin)
			s.Routes = append(s.Routes, &admin)
			s.Sort()
			b := start(t, s)
			if status, h, body := b.get(t, "/admin/users"); status != 503 || h.Get(reasonField) != reasonBadMiddleware {
				t.Errorf("the guarded route: %d %s %q", status, h.Get(reasonField), body)
			}
			if status, _, body := b.get(t, "/"); status != 200 || body != "served" {
				t.Errorf("the open route: %d %q", status, body)
			}
		})
	}
}

func TestRequestAsTheServiceSeesIt(t *testing.T) {
	seen := make(chan *http.Request, 1)
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	b := start(t, to(addr))
	b.get(t, "/a//b/../c?x=%41&&y", "Host", "Shop.example", "X-Forwarded-For", "10.0.0.1", "Connection", "X-Real-Ip",
		"Fairlead-Service", "shop", "Te", "trailers, gzip", "Accept", "*/*")
	r := <-seen
	if r.URL.RequestURI() != "/a/c?x=%41&&y" || r.Host != "Shop.example" {
		t.Errorf("%s %s", r.Host, r.URL.RequestURI())
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "80",
		"X-Forwarded-Host": "Shop.example", "Fairlead-Service": "", "Te": "trailers", "Connection": "TE", "Accept": "*/*",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTooManyFields(t *testing.T) {
	b := start(t, to("127.0.0.1:1"), func(o *Options) { o.EntryPoints[0].Headers = 5 })
	var fields []string
	for range 6 {
		fields = append(fields, "X-Many", "1")
	}
	if status, h, _ := b.get(t, "/", fields...); status != 431 || h.Get(reasonField) != reasonTooManyFields {
		t.Errorf("%d %s", status, h.Get(reasonField))
	}
}

func TestRewriteHost(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
	s := to(addr)
	s.Services[0].RewriteHost = true
	if _, _, body := start(t, s).get(t, "/", "Host", "shop.example"); body != addr {
		t.Errorf("host %q, want %q", body, addr)
	}
}

func TestMiddlewareSaysWhy(t *testing.T) {
	s := to("127.0.0.1:1")
	s.Middlewares = []*model.Middleware{{
		Name: model.Name{Name: "inside"}, Source: "file/test",
		IPAllowList: &model.IPAllowList{Ranges: []string{"192.0.2.0/24"}},
	}}
	s.Routes[0].Middlewares = []model.Ref{{Name: model.Name{Name: "inside"}}}
	if status, h, _ := start(t, s).get(t, "/"); status != 403 || h.Get(reasonField) != "refused_by_ipAllowList" {
		t.Errorf("%d %q", status, h.Get(reasonField))
	}
}

func TestUnknownRouteBeforeAllSourcesSpoke(t *testing.T) {
	b := start(t, nil)
	s := to("127.0.0.1:1")
	s.Routes[0].Match = model.Leaf(model.Path, "/known")
	b.Apply(s, false)
	if status, h, _ := b.get(t, "/"); status != 503 || h.Get(reasonField) != reasonNotReady {
		t.Errorf("not whole: %d %s", status, h.Get(reasonField))
	}
	b.Apply(s, true)
	if status, h, _ := b.get(t, "/"); status != 404 || h.Get(reasonField) != reasonNoRoute {
		t.Errorf("whole: %d %s", status, h.Get(reasonField))
	}
}
