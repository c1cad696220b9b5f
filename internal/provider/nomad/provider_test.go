package nomad_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	provider "github.com/fairlead/fairlead/internal/provider/nomad"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

const source = model.Source("nomad/main")

// instance is one of a service, on a port, in an allocation of its own, named like it.
func instance(service, id string, port int, tags ...string) registration {
	return registration{
		ID: "_nomad-task-" + id, ServiceName: service, AllocID: id, Tags: tags, Address: "127.0.0.1", Port: port,
		CreateIndex: 5, ModifyIndex: 5,
	}
}

// rules makes services of rules. Their allocations have no checks.
func (n *nomad) rules(rules map[string]string) {
	n.services = map[string][]registration{}
	for name, rule := range rules {
		n.services[name] = []registration{instance(name, name+"-1", 81, "traefik.http.routers."+name+".rule="+rule)}
		n.checks[name+"-1"] = nil
	}
}

func start(t *testing.T, n *nomad, change func(*provider.Config)) *provider.Provider {
	t.Helper()
	o := provider.Config{
		Source: source, Address: n.URL, Namespace: "default", Checks: 10 * time.Millisecond,
		Token: func() (string, error) { return "secret", nil },
		Options: dynamic.WorkloadOptions{
			ExposedByDefault: true, DefaultRule: dynamic.DefaultRule, Prefixes: []string{"fairlead", "traefik"},
		},
	}
	if change != nil {
		change(&o)
	}
	p, err := provider.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
		n := serve(t)
		return providertest.Place{
			Source: source, Provider: start(t, n, nil), Apart: true,
			Set: func(set map[string]string) { n.change(func() { n.rules(set) }) },
			Spoil: func(set map[string]string) {
				set = maps.Clone(set)
				set["bad"] = "Hos(`"
				n.change(func() { n.rules(set) })
			},
			Break: func() { n.change(func() { n.broken = true }) },
			Heal:  func() { n.change(func() { n.broken = false }) },
		}
	}})
}

// run runs a provider until stop is called or the test ends, and returns what it publishes.
func run(t *testing.T, p *provider.Provider) (published chan model.Snapshot, stop func() error) {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	published = make(chan model.Snapshot, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, func(s model.Snapshot) { published <- s }) }()
	var ended bool
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		_ = stop()
		goleak.VerifyNone(t, ignore)
	})
	return published, stop
}

// until waits for a snapshot whose services have these endpoints, by port and state.
func until(t *testing.T, published chan model.Snapshot, want string) model.Snapshot {
	t.Helper()
	got := "nothing"
	for {
		select {
		case s := <-published:
			got = ""
			for _, service := range s.Services {
				for _, e := range service.Endpoints {
					got += strings.TrimPrefix(e.Addr, "127.0.0.1") + string(e.State) + " "
				}
			}
			if got == want {
				return s
			}
		case <-time.After(time.Minute):
			t.Fatalf("published %q, want %q", got, want)
		}
	}
}

func TestInstances(t *testing.T) {
	n := serve(t)
	published, _ := run(t, start(t, n, nil))
	until(t, published, "")
	set := func(all ...registration) {
		n.change(func() { n.services = map[string][]registration{"shop": all} })
	}
	n.checks["a"], n.checks["b"] = nil, nil
	set(instance("shop", "a", 81))
	s := until(t, published, ":81 ")
	if len(s.Routes) != 1 || s.Routes[0].Match.String() != "Host(`shop`)" {
		t.Errorf("routes %v", s.Routes)
	}
	set(instance("shop", "a", 81), instance("shop", "b", 82))
	until(t, published, ":81 :82 ")
	set(instance("shop", "b", 82))
	until(t, published, ":82 ")
	n.change(func() { n.services = nil })
	if s := until(t, published, ""); len(s.Routes) != 0 {
		t.Errorf("%d routes of a service that is gone", len(s.Routes))
	}
}

// An allocation gets requests once its checks pass, and no more when one fails. What the checks do not say is as it
// was.
func TestChecks(t *testing.T) {
	n := serve(t)
	says := func(allocation, state string) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.checks[allocation] = map[string]string{"shop": state, "other": "success"}
	}
	says("a", "success")
	says("b", "pending")
	n.services["shop"] = []registration{instance("shop", "a", 81), instance("shop", "b", 82)}
	p := start(t, n, nil)
	published, stop := run(t, p)
	until(t, published, ":81 ")
	says("b", "success")
	until(t, published, ":81 :82 ")
	says("a", "failure")
	if s := until(t, published, ":82 "); len(s.Routes) != 1 {
		t.Errorf("%d routes", len(s.Routes))
	}

	// The agent is started again: no check has run since.
	if err := stop(); err == nil {
		t.Error("a run ends without an error")
	}
	says("a", "pending")
	says("b", "pending")
	published, stop = run(t, p)
	until(t, published, ":82 ")
	says("b", "failure")
	if s := until(t, published, ""); len(s.Routes) != 1 {
		t.Errorf("%d routes once no instance is ready, want the one of before", len(s.Routes))
	}
	says("a", "success")
	until(t, published, ":81 ")

	// The node is not to be reached: what was known counts. Of what is new, nothing is known that speaks against it.
	n.change(func() {
		delete(n.checks, "a")
		n.services["shop"] = append(n.services["shop"], instance("shop", "c", 83))
	})
	until(t, published, ":81 :83 ")
	_ = stop()
}

// A Nomad client registers a service before it knows of its checks.
func TestChecksToCome(t *testing.T) {
	n := serve(t)
	n.checks["a"], n.checks["b"] = nil, nil
	n.checked = map[string]bool{"b": true}
	n.services["shop"] = []registration{instance("shop", "a", 81), instance("shop", "b", 82)}
	published, _ := run(t, start(t, n, nil))
	until(t, published, ":81 ")
	n.mu.Lock()
	n.checks["b"] = map[string]string{"shop": "success"}
	n.mu.Unlock()
	until(t, published, ":81 :82 ")
}

func TestNoChecks(t *testing.T) {
	n := serve(t)
	n.checks["a"] = map[string]string{"shop": "failure"}
	n.services["shop"] = []registration{instance("shop", "a", 81)}
	for _, test := range []struct {
		change func(*provider.Config)
		want   string
		routes int
	}{
		{nil, "", 1},
		{func(c *provider.Config) { c.DropEmpty = true }, "", 0},
		{func(c *provider.Config) { c.Checks = 0 }, ":81 ", 1},
	} {
		published, stop := run(t, start(t, n, test.change))
		if s := until(t, published, test.want); len(s.Routes) != test.routes {
			t.Errorf("%d routes, want %d", len(s.Routes), test.routes)
		}
		_ = stop()
	}
}

func TestWhichServices(t *testing.T) {
	n := serve(t)
	all := []registration{
		instance("plain", "1", 81, "web"),
		instance("shop", "2", 82, "fairlead.enable=true", "prod"),
		instance("shop", "5", 85, "fairlead.enable=true", "prod", "traefik.nomad.canary=true"),
		instance("test", "3", 83, "fairlead.enable=true", "test"),
		instance("disabled", "4", 84, "traefik.enable=false", "prod"),
	}
	for _, r := range all {
		n.services[r.ServiceName] = append(n.services[r.ServiceName], r)
		n.checks[r.AllocID] = nil
	}
	published, _ := run(t, start(t, n, func(c *provider.Config) {
		c.Options.ExposedByDefault, c.Options.Constraints = false, "Tag(`prod`)"
		c.Region, c.Namespace, c.Stale = "eu", "team", true
	}))
	s := until(t, published, ":82 :85 ")
	var got []string
	for _, r := range s.Routes {
		got = append(got, r.Match.String())
	}
	if want := []string{"Host(`shop`)", "Host(`shop-canary`)"}; !slices.Equal(got, want) {
		t.Errorf("routes %v, want %v", got, want)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.requests {
		q := r.URL.Query()
		if q.Get("region") != "eu" || q.Get("namespace") != "team" || !q.Has("stale") ||
			r.Header.Get("X-Nomad-Token") != "secret" {
			t.Errorf("asked %s with token %q", r.URL, r.Header.Get("X-Nomad-Token"))
		}
		if strings.HasSuffix(r.URL.Path, "/plain") || strings.Contains(r.URL.Path, "allocation/1/") {
			t.Error("a service that says nothing to us is read")
		}
	}
}

// What ends a run, and how it is told.
func TestMistrust(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(*nomad)
		want string
	}{
		"the stream ends": {
			func(n *nomad) { n.change(func() { n.broken = true }) },
			`asking Nomad: the event stream ends: "subscription closed by server, client should resubscribe"`,
		},
		"an answer is older than the event": {
			func(n *nomad) {
				n.change(func() { n.lagging = true; n.services["shop"] = []registration{instance("shop", "a", 81)} })
			},
			"asking Nomad: what it knows of the service shop is older than its own event",
		},
		"the token is refused": {
			func(n *nomad) { n.Config.Handler = http.NotFoundHandler() },
			`asking Nomad: it answers 404 Not Found: "404 page not found"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := serve(t)
			p := start(t, n, nil)
			if name == "the token is refused" {
				test.do(n)
			}
			err := p.Run(t.Context(), func(model.Snapshot) { test.do(n) })
			if err == nil || err.Error() != test.want {
				t.Errorf("it ends with %v, want %s", err, test.want)
			}
		})
	}
}
