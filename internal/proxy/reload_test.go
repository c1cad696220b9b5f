package proxy

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// A reload is a snapshot in which every object is new: equal, but at another address. It changes more than any provider
// does. reload applies n of them.
func (b *bench) reload(make func() *model.Snapshot, n int) {
	for range n {
		b.Apply(make(), true)
	}
}

func TestReloadKeepsConnections(t *testing.T) {
	var accepted atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			accepted.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	b := start(t, to(addr))
	for range 20 {
		b.reload(func() *model.Snapshot { return to(addr) }, 5)
		b.get(t, "/")
	}
	if n := accepted.Load(); n != 1 {
		t.Errorf("the service saw %d connections, want 1", n)
	}
}

func TestReloadKeepsLimits(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) {})
	limited := func() *model.Snapshot {
		s := to(addr)
		s.Middlewares = []*model.Middleware{{
			Name: model.Name{Name: "limit"}, Source: "file/test",
			RateLimit: &model.RateLimit{Average: 1, Period: time.Hour, Burst: 3},
		}}
		s.Routes[0].Middlewares = []model.Ref{{Name: model.Name{Name: "limit"}}}
		return s
	}
	b := start(t, limited())
	served := 0
	for range 10 {
		b.reload(limited, 5)
		if status, _, _ := b.get(t, "/"); status == http.StatusOK {
			served++
		}
	}
	if served != 3 {
		t.Errorf("%d requests were let through, want the burst of 3", served)
	}
}

func TestReloadKeepsEjections(t *testing.T) {
	bad, requests := dying(t, "")
	good := serve(t, func(http.ResponseWriter, *http.Request) {})
	b := start(t, to(bad, good))
	for range 40 {
		b.get(t, "/")
	}
	before := requests.Load()
	if before < 3 {
		t.Fatalf("the bad service was tried %d times: not ejected yet", before)
	}
	for range 20 {
		b.reload(func() *model.Snapshot { return to(bad, good) }, 5)
		b.get(t, "/")
	}
	for _, h := range b.hosts.States() {
		if h.Addr == bad && h.Ejected.IsZero() {
			t.Error("the ejection is forgotten")
		}
		if h.Addr == bad && h.Failures < 3 {
			t.Errorf("%d failures are remembered", h.Failures)
		}
	}
	if n := requests.Load() - before; n > 2 { // trials, should the ejection end meanwhile
		t.Errorf("the ejected service was tried %d times", n)
	}
}

func TestReloadKeepsHealth(t *testing.T) {
	checked := make(chan struct{}, 100)
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			checked <- struct{}{}
		}
	})
	withCheck := func() *model.Snapshot {
		s := to(addr)
		s.Services[0].Check = &model.HealthCheck{Path: "/healthz", Interval: time.Hour}
		return s
	}
	hosts := upstream.NewHosts(upstream.Options{})
	ended := make(chan error, 1)
	b := start(t, withCheck(), func(o *Options) { o.Hosts = hosts })
	go func() { ended <- hosts.Run(t.Context()) }()
	t.Cleanup(func() { <-ended })
	<-checked
	for hosts.States()[0].Health != upstream.Healthy { // until the check's answer is counted
		b.get(t, "/")
	}
	b.reload(withCheck, 50)
	if h := hosts.States()[0]; h.Health != upstream.Healthy {
		t.Errorf("health after reloads: %s", h.Health)
	}
	if n := len(checked); n != 0 {
		t.Errorf("reloads caused %d more checks", n)
	}
}

func TestReloadUnderLoad(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	b := start(t, to(addr))
	stop, reloaded := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				reloaded <- n
				return
			default:
				b.Apply(to(addr), true)
				n++
			}
		}
	}()
	for range 2000 {
		if status, h, _ := b.get(t, "/"); status != http.StatusOK {
			t.Fatalf("%d %s", status, h.Get(reasonField))
		}
	}
	close(stop)
	if n := <-reloaded; n < 100 {
		t.Errorf("only %d reloads", n)
	}
}
