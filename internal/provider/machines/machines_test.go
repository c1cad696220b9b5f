package machines_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/machines"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

const source = model.Source("machines/main")

// memory is a store that can be told to fail.
type memory struct {
	mu    sync.Mutex
	items map[string][]byte
	puts  int
	fails bool
}

var errBroken = errors.New("broken")

func newMemory() *memory { return &memory{items: map[string][]byte{}} }

func (m *memory) List(_ context.Context, prefix string) (list []machines.Item, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return nil, errBroken
	}
	for key, value := range m.items {
		if strings.HasPrefix(key, prefix) {
			list = append(list, machines.Item{Key: key, Value: value, Version: 1})
		}
	}
	return list, nil
}

func (m *memory) Put(_ context.Context, key string, value []byte, _ uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return 0, errBroken
	}
	m.puts++
	m.items[key] = value
	return 1, nil
}

func (m *memory) Delete(_ context.Context, key string, _ uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return errBroken
	}
	delete(m.items, key)
	return nil
}

func (m *memory) break_(fails bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails = fails
}

func provider(t testing.TB, s machines.Store) *machines.Provider {
	t.Helper()
	p, err := machines.New(machines.Config{Source: source}, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// labels make routes, each with a service of its own, of one program.
func labels(rules map[string]string) map[string]string {
	all := map[string]string{}
	for name, rule := range rules {
		all["traefik.http.routers."+name+".rule"] = rule
		all["traefik.http.routers."+name+".service"] = name
		all["traefik.http.services."+name+".loadbalancer.server.port"] = "80"
	}
	return all
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
		store := newMemory()
		p := provider(t, store)
		set := func(rules map[string]string) {
			_, err := p.Register(t.Context(), machines.Registration{
				Service: "all", Address: "10.0.0.7:80", Labels: labels(rules), TTL: time.Hour, Weight: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return providertest.Place{
			Source: source, Provider: p, Set: set,
			Spoil: func(rules map[string]string) {
				set(providertest.Spoilt(rules))
			},
			Break: func() { store.break_(true) },
			Heal:  func() { store.break_(false) },
			Waits: true,
		}
	}})
}

// running is a provider at work.
type running struct {
	t         *testing.T
	published chan model.Snapshot
}

func run(t *testing.T, p *machines.Provider) *running {
	t.Helper()
	r := &running{t, make(chan model.Snapshot, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, func(s model.Snapshot) { r.published <- s }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	return r
}

// now returns what was published last, as text: service, endpoints with weight and state, problems.
func (r *running) now() string {
	r.t.Helper()
	synctest.Wait()
	var s model.Snapshot
	for len(r.published) > 0 {
		s = <-r.published
	}
	var parts []string
	for _, service := range s.Services {
		text := service.Name.Name
		if service.Lane != model.LaneHTTP || service.Protocol != model.HTTP {
			text += fmt.Sprintf(" (%s)", service.Protocol)
		}
		if c := service.Check; c != nil {
			text += fmt.Sprintf(" check %q every %v", c.Path, c.Interval)
		}
		for _, e := range service.Endpoints {
			text += fmt.Sprintf(" %s×%d%s", e.Addr, e.Weight, e.State)
		}
		parts = append(parts, text)
	}
	for _, route := range s.Routes {
		parts = append(parts, "route "+route.Name.Name)
	}
	for _, p := range s.Problems {
		parts = append(parts, fmt.Sprintf("[%s %s]", p.Code, p.At))
	}
	return strings.Join(parts, "; ")
}

func (r *running) wants(want string) {
	r.t.Helper()
	if got := r.now(); got != want {
		r.t.Errorf("published %q, want %q", got, want)
	}
}

func register(t *testing.T, p *machines.Provider, r machines.Registration) {
	t.Helper()
	if _, err := p.Register(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func shop(address string, change ...func(*machines.Registration)) machines.Registration {
	r := machines.Registration{Service: "shop", Address: address, Weight: 1, TTL: 10 * time.Second}
	for _, f := range change {
		f(&r)
	}
	return r
}

func TestLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		p := provider(t, store)
		r := run(t, p)
		r.wants("")
		register(t, p, shop("10.0.0.7:80"))
		register(t, p, shop("10.0.0.8:80"))
		r.wants("shop 10.0.0.7:80×1 10.0.0.8:80×1")
		puts := store.puts
		time.Sleep(9 * time.Second)
		register(t, p, shop("10.0.0.7:80")) // renewed
		time.Sleep(2 * time.Second)
		r.wants("shop 10.0.0.7:80×1")
		if store.puts != puts {
			t.Error("a renewal was written to the store")
		}
		store.break_(true)
		register(t, p, shop("10.0.0.7:80")) // needs no store
		if _, err := p.Register(t.Context(), shop("10.0.0.9:80")); !errors.Is(err, errBroken) {
			t.Errorf("registered without a store: %v", err)
		}
		time.Sleep(11 * time.Second)
		r.wants("")
		store.break_(false)
		if err := p.Deregister(t.Context(), "shop", "10.0.0.7:80"); !errors.Is(err, machines.ErrNotFound) {
			t.Errorf("deregistered what is not there: %v", err)
		}
	})
}

func TestDrainAndDeregister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider(t, newMemory())
		r := run(t, p)
		register(t, p, shop("10.0.0.7:80"))
		register(t, p, shop("10.0.0.8:80", func(r *machines.Registration) { r.Weight = 3 }))
		register(t, p, shop("10.0.0.7:80", func(r *machines.Registration) { r.State = model.Draining }))
		r.wants("shop 10.0.0.7:80×1draining 10.0.0.8:80×3")
		register(t, p, shop("10.0.0.8:80", func(r *machines.Registration) { r.State = model.NotReady }))
		r.wants("shop 10.0.0.7:80×1draining 10.0.0.8:80×1notReady")
		register(t, p, shop("10.0.0.8:80", func(r *machines.Registration) { r.Weight = 0 }))
		r.wants("shop 10.0.0.7:80×1draining 10.0.0.8:80×1draining")
		if err := p.Deregister(t.Context(), "shop", "10.0.0.7:80"); err != nil {
			t.Fatal(err)
		}
		r.wants("shop 10.0.0.8:80×1draining")
	})
}

// After a restart everything is there for one whole lease.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		register(t, provider(t, store), shop("10.0.0.7:80", func(r *machines.Registration) {
			r.Check = &model.HealthCheck{Path: "/healthz", Interval: 2 * time.Second}
		}))
		store.items["registrations/shop/x"] = []byte("{")
		store.items["registrations/shop/10.0.0.8:80"] = store.items["registrations/shop/10.0.0.7:80"]
		time.Sleep(time.Hour)
		p := provider(t, store)
		r := run(t, p)
		r.wants(`shop check "/healthz" every 2s 10.0.0.7:80×1`)
		time.Sleep(9 * time.Second)
		r.wants("")
		if got := len(p.List()); got != 1 {
			t.Errorf("%d registrations after 9 s", got)
		}
		time.Sleep(2 * time.Second)
		if got := len(p.List()); got != 0 {
			t.Errorf("%d registrations after the lease", got)
		}
	})
}

func TestProtocols(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := provider(t, newMemory())
		r := run(t, p)
		for protocol, service := range map[model.Protocol]string{
			model.HTTPS: "a", model.H2C: "b", model.TCP: "c", model.UDP: "d",
		} {
			register(t, p, machines.Registration{
				Service: service, Address: "10.0.0.7:80", Weight: 1, Protocol: protocol, TTL: time.Minute,
			})
		}
		register(t, p, machines.Registration{
			Service: "c", Address: "10.0.0.8:80", Weight: 1, Protocol: model.TCP, TTL: time.Minute,
		})
		r.wants("a (https) 10.0.0.7:80×1; b (h2c) 10.0.0.7:80×1; c (tcp) 10.0.0.7:80×1 10.0.0.8:80×1; d (udp) 10.0.0.7:80×1")

		// What is said of all of a service is said by the one that was first.
		time.Sleep(time.Second)
		register(t, p, machines.Registration{
			Service: "a", Address: "10.0.0.1:80", Weight: 1, TTL: time.Minute, Check: &model.HealthCheck{Path: "/"},
		})
		if got := r.now(); !strings.HasPrefix(got, "a (https) 10.0.0.7:80×1; ") ||
			!strings.Contains(got, "[conflict registration a/10.0.0.1:80]") {
			t.Errorf("published %s", got)
		}
	})
}

func TestMistakes(t *testing.T) {
	p := provider(t, newMemory())
	many := map[string]string{}
	for i := range 200 {
		many[fmt.Sprint(i)] = ""
	}
	for _, change := range []func(*machines.Registration){
		func(r *machines.Registration) { r.Service = "a/b" },
		func(r *machines.Registration) { r.Service = "a.b" },
		func(r *machines.Registration) { r.Service = "*" },
		func(r *machines.Registration) { r.Service = "" },
		func(r *machines.Registration) { r.Address = "10.0.0.7" },
		func(r *machines.Registration) { r.Address = ":80" },
		func(r *machines.Registration) { r.Address = "10.0.0.7:0" },
		func(r *machines.Registration) { r.Address = "10.0.0.7:http" },
		func(r *machines.Registration) { r.Address = "0.0.0.0:80" },
		func(r *machines.Registration) { r.Address = "a b:80" },
		func(r *machines.Registration) { r.Weight = -1 },
		func(r *machines.Registration) { r.Weight = 1001 },
		func(r *machines.Registration) { r.TTL = time.Millisecond },
		func(r *machines.Registration) { r.TTL = 2 * time.Hour },
		func(r *machines.Registration) { r.Protocol = "ftp" },
		func(r *machines.Registration) { r.State = "up" },
		func(r *machines.Registration) { r.Labels = many },
		func(r *machines.Registration) { r.Labels = map[string]string{"a": strings.Repeat("x", 9000)} },
		func(r *machines.Registration) { r.Check = &model.HealthCheck{Path: "healthz"} },
		func(r *machines.Registration) { r.Check = &model.HealthCheck{Path: "/", Interval: time.Millisecond} },
		func(r *machines.Registration) { r.Protocol, r.Check = model.TCP, &model.HealthCheck{Path: "/"} },
	} {
		r := shop("10.0.0.7:80", change)
		if _, err := p.Register(t.Context(), r); !errors.Is(err, machines.ErrInvalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
