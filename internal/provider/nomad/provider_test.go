package nomad_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

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
				n.change(func() { n.rules(providertest.Spoilt(set)) })
			},
			Break: func() { n.change(func() { n.broken = true }) },
			Heal:  func() { n.change(func() { n.broken = false }) },
		}
	}})
}

func TestInstances(t *testing.T) {
	n := serve(t)
	w := providertest.Start(t, start(t, n, nil), providertest.Ports)
	w.Until("")
	set := func(all ...registration) {
		n.change(func() { n.services = map[string][]registration{"shop": all} })
	}
	n.checks["a"], n.checks["b"] = nil, nil
	set(instance("shop", "a", 81))
	s := w.Until(":81 ")
	if len(s.Routes) != 1 || s.Routes[0].Match.String() != "Host(`shop`)" {
		t.Errorf("routes %v", s.Routes)
	}
	set(instance("shop", "a", 81), instance("shop", "b", 82))
	w.Until(":81 :82 ")
	set(instance("shop", "b", 82))
	w.Until(":82 ")
	n.change(func() { n.services = nil })
	if s := w.Until(""); len(s.Routes) != 0 {
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
	w := providertest.Start(t, p, providertest.Ports)
	w.Until(":81 ")
	says("b", "success")
	w.Until(":81 :82 ")
	says("a", "failure")
	if s := w.Until(":82 "); len(s.Routes) != 1 {
		t.Errorf("%d routes", len(s.Routes))
	}

	// The agent is started again: no check has run since.
	if err := w.Stop(); err == nil {
		t.Error("a run ends without an error")
	}
	says("a", "pending")
	says("b", "pending")
	w = providertest.Start(t, p, providertest.Ports)
	w.Until(":82 ")
	says("b", "failure")
	if s := w.Until(""); len(s.Routes) != 1 {
		t.Errorf("%d routes once no instance is ready, want the one of before", len(s.Routes))
	}
	says("a", "success")
	w.Until(":81 ")

	// The node is not to be reached: what was known counts. Of what is new, nothing is known that speaks against it.
	n.change(func() {
		delete(n.checks, "a")
		n.services["shop"] = append(n.services["shop"], instance("shop", "c", 83))
	})
	w.Until(":81 :83 ")
	_ = w.Stop()
}

// A Nomad client registers a service before it knows of its checks.
func TestChecksToCome(t *testing.T) {
	n := serve(t)
	n.checks["a"], n.checks["b"] = nil, nil
	n.checked = map[string]bool{"b": true}
	n.services["shop"] = []registration{instance("shop", "a", 81), instance("shop", "b", 82)}
	w := providertest.Start(t, start(t, n, nil), providertest.Ports)
	w.Until(":81 ")
	n.mu.Lock()
	n.checks["b"] = map[string]string{"shop": "success"}
	n.mu.Unlock()
	w.Until(":81 :82 ")
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
		w := providertest.Start(t, start(t, n, test.change), providertest.Ports)
		if s := w.Until(test.want); len(s.Routes) != test.routes {
			t.Errorf("%d routes, want %d", len(s.Routes), test.routes)
		}
		_ = w.Stop()
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
	w := providertest.Start(t, start(t, n, func(c *provider.Config) {
		c.Options.ExposedByDefault, c.Options.Constraints = false, "Tag(`prod`)"
		c.Region, c.Namespace, c.Stale = "eu", "team", true
	}), providertest.Ports)
	s := w.Until(":82 :85 ")
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
