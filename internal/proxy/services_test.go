package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// site is a snapshot in which every request goes to the first of the services.
func site(services ...*model.Service) *model.Snapshot {
	s := &model.Snapshot{
		Services: slices.Clone(services),
		Routes: []*model.Route{{
			Name: model.Name{Name: "all"}, Source: "file/test", Match: model.Leaf(model.PathPrefix, "/"), Priority: 1,
			Backends: []model.Backend{{Service: services[0].Ref(), Weight: 1}},
		}},
	}
	s.Sort()
	return s
}

// servers is a service with endpoints.
func servers(name string, addrs ...string) *model.Service {
	s := &model.Service{Name: model.Name{Name: name}, Source: "file/test"}
	for _, a := range addrs {
		s.Endpoints = append(s.Endpoints, model.Endpoint{Addr: a, Weight: 1})
	}
	return s
}

// choice is a service that uses others.
func choice(name string, use model.Use, names ...string) *model.Service {
	s := &model.Service{Name: model.Name{Name: name}, Source: "file/test", Use: use}
	for _, n := range names {
		s.Backends = append(s.Backends, model.Backend{Service: model.Ref{Name: model.Name{Name: n}}, Weight: 1})
	}
	return s
}

// says starts a service that answers with its name and what it was sent.
func says(t *testing.T, name string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", name, r.Method, r.URL.Path, body)
	})
}

// atBothDepths runs a test with requests that are relayed as they come, and with ones that are an http.Request.
func atBothDepths(t *testing.T, test func(t *testing.T, fields ...string)) {
	t.Run("raw", func(t *testing.T) { test(t) })
	t.Run("general", func(t *testing.T) { test(t, "Via", "1.1 somebody") })
}

func (b *bench) isRaw() bool { return b.generation.Load().actions[0].relay != nil }

func quickly(o *Options) {
	o.Hosts = upstream.NewHosts(upstream.Options{Log: o.Log, Tuning: upstream.Tuning{
		EjectBase: 10 * time.Millisecond, EjectMax: 20 * time.Millisecond, SlowStart: time.Millisecond,
	}})
}

// The main service dies under load: no request is lost, the fallback serves, and when the main one is back, it does.
func TestFailoverUnderLoad(t *testing.T) {
	atBothDepths(t, func(t *testing.T, fields ...string) {
		dieUnderLoad(t, choice("shop", model.Failover, "main", "backup"), fields...)
	})
}

// Of a service that is aware, the others stand in for the one that dies, and so it is without a way out.
func TestAwareUnderLoad(t *testing.T) {
	shop := choice("shop", model.ByWeight, "backup", "main", "nothing")
	shop.Aware, shop.Backends[2].Weight = true, 0
	dieUnderLoad(t, shop)
}

func dieUnderLoad(t *testing.T, shop *model.Service, fields ...string) {
	t.Helper()
	var entered atomic.Int64
	gate := make(chan struct{})
	main := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			entered.Add(1)
			<-gate
		}
		_, _ = io.WriteString(w, "main")
	}))
	addr := main.Listener.Addr().String()
	backup := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			entered.Add(1)
		}
		_, _ = io.WriteString(w, "backup")
	})
	b := start(t, site(shop, servers("main", addr), servers("backup", backup), servers("nothing")), quickly)
	if !b.isRaw() {
		t.Error("a service that fails over is not served at the raw depth")
	}
	ask := func(path string) {
		status, _, body := b.get(t, path, fields...)
		if status != 200 || body != "main" && body != "backup" {
			t.Errorf("%d %q", status, body)
		}
	}
	var load sync.WaitGroup
	for range 20 {
		load.Go(func() { ask("/held") })
	}
	for entered.Load() < 20 {
		ask("/")
	}
	for range 4 {
		load.Go(func() {
			for range 50 {
				ask("/")
			}
		})
	}
	_ = main.Listener.Close()
	main.CloseClientConnections()
	load.Wait()
	close(gate)
	body := ""
	for range 10 {
		if _, _, body = b.get(t, "/", fields...); body == "backup" {
			break
		}
		main.CloseClientConnections() // it may have accepted one while it closed the others
	}
	if body != "backup" {
		t.Errorf("after the death: %q", body)
	}
	main.Close()
	again := startAt(t, addr, "main")
	defer again.Close()
	for body != "main" {
		_, _, body = b.get(t, "/", fields...)
	}
}

// startAt starts a service at an address that was used before.
func startAt(t *testing.T, addr, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, name)
	}))
	_ = s.Listener.Close()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s.Listener = l
	s.Start()
	return s
}

func TestFailoverByStatus(t *testing.T) {
	atBothDepths(t, func(t *testing.T, fields ...string) {
		on := func(s *model.Service, from, to int) *model.Service {
			s.FailOn = &model.FailOn{Status: []model.StatusRange{{From: from, To: to}}, MaxBodyBytes: 100 << 10}
			return s
		}
		// Three tiers, the first two of them a service of their own that only minds 404.
		b := start(t, site(
			on(choice("shop", model.Failover, "two", "last"), 500, 599),
			on(choice("two", model.Failover, "a", "b"), 404, 404),
			servers("a", serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				switch r.URL.Path {
				case "/missing", "/gone":
					w.WriteHeader(404)
				case "/broken":
					w.WriteHeader(503)
				default:
					_, _ = io.WriteString(w, "a")
				}
			})),
			servers("b", serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.URL.Path == "/gone" {
					w.WriteHeader(500)
				}
				fmt.Fprintf(w, "b %s", body)
			})),
			servers("last", says(t, "last")),
		))
		large := strings.Repeat("x", 100<<10)
		for _, c := range []struct {
			path, send string
			status     int
			want       string
		}{
			{"/", "1", 200, "a"},
			{"/missing", "2", 200, "b 2"},
			{"/broken", "3", 200, "last POST /broken 3"},
			{"/gone", "4", 200, "last POST /gone 4"},
			{"/gone", large, 200, "last POST /gone " + large},
			{"/broken", large + "x", 503, ""}, // it cannot be sent again
		} {
			status, _, body := b.do(t, http.MethodPost, c.path, strings.NewReader(c.send), fields...)
			if status != c.status || body != c.want {
				t.Errorf("%s with %d bytes: %d %.60q, want %d %.60q", c.path, len(c.send), status, body, c.status, c.want)
			}
		}
	})
}

// Where everything is down, the last is tried, and the answer says what came of it.
func TestFailoverToNothing(t *testing.T) {
	b := start(t, site(choice("shop", model.Failover, "main", "backup"), servers("main", "127.0.0.1:1"),
		servers("backup", "127.0.0.1:2")))
	for range 5 {
		if status, h, _ := b.get(t, "/"); status != 502 || h.Get(reasonField) != reasonUpstreamError {
			t.Errorf("%d %s", status, h.Get(reasonField))
		}
	}
	b.Apply(site(choice("shop", model.Failover, "main", "backup"), servers("main"), servers("backup")), true)
	if status, h, _ := b.get(t, "/"); status != 503 || h.Get(reasonField) != reasonNoHealthyHost {
		t.Errorf("without servers: %d %s", status, h.Get(reasonField))
	}
}

// A service's middlewares see its requests and no others', also when it fails: what they make of a request does not
// reach the fallback.
func TestServiceMiddlewares(t *testing.T) {
	head := func(name, value string) *model.Middleware {
		return &model.Middleware{
			Name: model.Name{Name: name}, Source: "file/test", AddPrefix: &model.AddPrefix{Prefix: value},
		}
	}
	main := servers("main", serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Main", "yes")
		if r.Method == http.MethodPost {
			w.WriteHeader(503)
		}
		fmt.Fprintf(w, "main %s", r.URL.Path)
	}))
	main.Middlewares = []model.Ref{{Name: model.Name{Name: "below"}}}
	shop := choice("shop", model.Failover, "main", "backup")
	shop.FailOn = &model.FailOn{Status: []model.StatusRange{{From: 500, To: 599}}, MaxBodyBytes: 1 << 20}
	shop.Middlewares = []model.Ref{{Name: model.Name{Name: "top"}}}
	s := site(shop, main, servers("backup", says(t, "backup")))
	s.Middlewares = []*model.Middleware{head("below", "/main"), head("top", "/top")}
	s.Sort()
	b := start(t, s)
	if status, _, body := b.get(t, "/x"); status != 200 || body != "main /main/top/x" {
		t.Errorf("main: %d %q", status, body)
	}
	status, h, body := b.do(t, http.MethodPost, "/x", strings.NewReader("hello"))
	if status != 200 || body != "backup POST /top/x hello" || h.Get("X-Main") != "" {
		t.Errorf("backup: %d %q %v", status, body, h)
	}
	// The main service is gone altogether.
	gone := *main
	gone.Endpoints = []model.Endpoint{{Addr: "127.0.0.1:1", Weight: 1}}
	without := site(shop, &gone, s.Services[0])
	without.Middlewares = s.Middlewares
	b.Apply(without, true)
	for range 5 {
		if status, _, body := b.get(t, "/x"); status != 200 || body != "backup GET /top/x " {
			t.Errorf("without main: %d %q", status, body)
		}
	}
	// Without its guard, it is not served.
	open := site(shop, main, s.Services[0])
	b.Apply(open, true)
	if status, h, _ := b.get(t, "/x"); status != 503 || h.Get(reasonField) != reasonBadMiddleware {
		t.Errorf("unguarded: %d %s", status, h.Get(reasonField))
	}
}

// A service that is aware leaves out what is down.
func TestAware(t *testing.T) {
	patient := func(o *Options) {
		o.Hosts = upstream.NewHosts(upstream.Options{Log: o.Log, Tuning: upstream.Tuning{EjectBase: time.Hour}})
	}
	for _, use := range []model.Use{model.ByWeight, model.ByClient} {
		shop := choice("shop", use, "a", "b", "c")
		shop.Aware = true
		b := start(t, site(shop, servers("a", "127.0.0.1:1"), servers("b", "127.0.0.1:2"), servers("c", says(t, "c"))),
			patient)
		service := &b.generation.Load().actions[0].backends[0]
		for _, dead := range service.parts[:2] {
			for dead.up() { // until requests have shown it
				host, _ := dead.pool.Pick(new(upstream.Attempt))
				load := host.Begin()
				load.Done(upstream.Outcome{Kind: upstream.ConnectError})
			}
		}
		for range 20 {
			if status, _, body := b.get(t, "/"); status != 200 || body != "c GET / " {
				t.Errorf("%q: %d %q", use, status, body)
			}
		}
		if up, total := service.ready(); up != 1 || total != 3 {
			t.Errorf("%q: %d of %d ready", use, up, total)
		}
	}
}

func TestByClient(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	services := []*model.Service{choice("shop", model.ByClient, names...)}
	for _, n := range names {
		services = append(services, servers(n, says(t, n)))
	}
	trusting := func(o *Options) { o.EntryPoints[0].TrustAll = true }
	b := start(t, site(services...), trusting)
	of := make(map[string]string)
	seen := make(map[string]bool)
	for i := range 100 {
		client := fmt.Sprintf("10.0.0.%d", i)
		_, _, of[client] = b.get(t, "/", "X-Forwarded-For", client)
		seen[of[client]] = true
	}
	if len(seen) != len(names) {
		t.Errorf("100 clients are at %d services", len(seen))
	}
	services[0] = choice("shop", model.ByClient, "a", "b", "c")
	b.Apply(site(services...), true)
	for client, before := range of {
		_, _, now := b.get(t, "/", "X-Forwarded-For", client)
		if now != before && !strings.HasPrefix(before, "d ") {
			t.Errorf("%s moved from %q to %q", client, before, now)
		}
	}
}

func TestClientsStayOnHosts(t *testing.T) {
	service := servers("shop", says(t, "a"), says(t, "b"), says(t, "c"))
	service.Balance.Picker = model.HRW
	b := start(t, site(service))
	_, _, first := b.get(t, "/")
	for range 20 {
		if _, _, now := b.get(t, "/"); now != first {
			t.Fatalf("the client went from %q to %q", first, now)
		}
	}
}

func TestPreservePath(t *testing.T) {
	service := servers("shop", says(t, "a"))
	service.Endpoints[0].Path = "/a b"
	b := start(t, site(service))
	for path, want := range map[string]string{
		"/x?y=1": "a GET /a b/x ", "/x%2fy": "a GET /a b/x/y ", "/": "a GET /a b/ ",
	} {
		if _, _, body := b.get(t, path); body != want {
			t.Errorf("%s: %q, want %q", path, body, want)
		}
	}
}
