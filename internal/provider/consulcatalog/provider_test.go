package consulcatalog_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/consulcatalog"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

const source = model.Source("consulCatalog/main")

// consul answers the two questions as Consul documents it: it holds back an answer that is not newer than the index.
type consul struct {
	*httptest.Server
	mu       sync.Mutex
	index    uint64
	entries  map[string][]*api.ServiceEntry
	broken   bool
	leaf     string
	roots    []string
	changed  chan struct{} // closed and replaced with every change
	requests []*http.Request
}

func serve(t *testing.T) *consul {
	t.Helper()
	c := &consul{index: 1, changed: make(chan struct{})}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *consul) change(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	c.index++
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *consul) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	since, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	c.mu.Lock()
	c.requests = append(c.requests, r)
	for !c.broken && c.index <= since {
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	if c.broken {
		http.Error(w, "No cluster leader", http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-Consul-Index", strconv.FormatUint(c.index, 10))
	if answer := c.mesh(r.URL.Path); answer != nil {
		_ = json.NewEncoder(w).Encode(answer)
		return
	}
	name, one := strings.CutPrefix(r.URL.Path, "/v1/health/service/")
	if one {
		_ = json.NewEncoder(w).Encode(append([]*api.ServiceEntry{}, c.entries[name]...))
		return
	}
	names := map[string][]string{}
	for name, entries := range c.entries {
		names[name] = nil
		for _, e := range entries {
			names[name] = append(names[name], e.Service.Tags...)
		}
	}
	_ = json.NewEncoder(w).Encode(names)
}

// mesh answers what is asked of the mesh; nil: something else was asked.
func (c *consul) mesh(path string) any {
	of, proxies := strings.CutPrefix(path, "/v1/health/connect/")
	service, leaf := strings.CutPrefix(path, "/v1/agent/connect/ca/leaf/")
	switch {
	case proxies:
		return append([]*api.ServiceEntry{}, c.entries[of+"-sidecar-proxy"]...)
	case leaf:
		return api.LeafCert{CertPEM: c.leaf, PrivateKeyPEM: "key of " + service}
	case path == "/v1/agent/connect/ca/roots":
		list := api.CARootList{TrustDomain: "a.consul"}
		for _, root := range c.roots {
			list.Roots = append(list.Roots, &api.CARoot{RootCertPEM: root})
		}
		return list
	}
	return nil
}

// instance is one of a service, whose check is in a state.
func instance(service, id, state string, tags ...string) *api.ServiceEntry {
	return &api.ServiceEntry{
		Node: &api.Node{Node: "n", Address: "127.0.0.1"},
		Service: &api.AgentService{
			ID: id, Service: service, Tags: tags, Port: 80 + int(id[len(id)-1]),
			Weights: api.AgentWeights{Passing: 1, Warning: 1},
		},
		Checks: api.HealthChecks{{CheckID: "service:" + id, Status: state, Output: "it ran"}},
	}
}

func rules(rules map[string]string) map[string][]*api.ServiceEntry {
	all := map[string][]*api.ServiceEntry{}
	for name, rule := range rules {
		all[name] = []*api.ServiceEntry{instance(name, name+"-1", "passing", "traefik.http.routers."+name+".rule="+rule)}
	}
	return all
}

func start(t *testing.T, c *consul, change func(*consulcatalog.Config)) *consulcatalog.Provider {
	t.Helper()
	none := func() (string, error) { return "", nil }
	o := consulcatalog.Config{
		Source: source, Address: strings.TrimPrefix(c.URL, "http://"), Password: none,
		Token:  func() (string, error) { return "secret", nil },
		States: []string{"passing", "warning"},
		Options: dynamic.WorkloadOptions{
			ExposedByDefault: true, DefaultRule: dynamic.DefaultRule, Prefixes: []string{"fairlead", "traefik"},
		},
	}
	if change != nil {
		change(&o)
	}
	p, err := consulcatalog.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
		c := serve(t)
		return providertest.Place{
			Source: source, Provider: start(t, c, nil), Apart: true,
			Set: func(set map[string]string) { c.change(func() { c.entries = rules(set) }) },
			Spoil: func(set map[string]string) {
				c.change(func() { c.entries = rules(providertest.Spoilt(set)) })
			},
			Break: func() { c.change(func() { c.broken = true }) },
			Heal:  func() { c.change(func() { c.broken = false }) },
		}
	}})
}

func TestHealth(t *testing.T) {
	c := serve(t)
	set := func(entries ...*api.ServiceEntry) {
		c.change(func() { c.entries = map[string][]*api.ServiceEntry{"shop": entries} })
	}
	set(instance("shop", "shop-1", "passing"), instance("shop", "shop-2", "warning"))
	w := providertest.Start(t, start(t, c, nil), providertest.Ports)
	w.Until(":129 :130 ")
	set(instance("shop", "shop-1", "passing"), instance("shop", "shop-2", "critical"))
	w.Until(":129 ")
	set(instance("shop", "shop-1", "critical"), instance("shop", "shop-2", "critical"))
	if s := w.Until(""); len(s.Routes) != 1 {
		t.Errorf("%d routes once no instance is healthy, want the one of before", len(s.Routes))
	}
	// An agent was started again: its checks have not run yet. Nor have those of an instance that is new.
	set(instance("shop", "shop-1", "passing"), instance("shop", "shop-2", "critical"))
	w.Until(":129 ")
	for _, id := range []string{"shop-1", "shop-2", "shop-3"} {
		e := instance("shop", id, "critical")
		e.Checks[0].Output = ""
		c.change(func() { c.entries["shop"] = append(c.entries["shop"][:id[5]-'1'], e) })
	}
	set(append(c.entries["shop"], instance("shop", "shop-4", "passing"))...)
	w.Until(":129 :132 ")
	maintained := instance("shop", "shop-1", "passing")
	maintained.Checks = append(maintained.Checks,
		&api.HealthCheck{CheckID: "_service_maintenance:shop-1", Status: "critical"})
	set(maintained, instance("shop", "shop-2", "passing"))
	w.Until(":129draining :130 ")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if r.Header.Get("X-Consul-Token") != "secret" {
			t.Error("a question without the token")
		}
	}
}

func TestWhichServices(t *testing.T) {
	c := serve(t)
	c.change(func() {
		c.entries = map[string][]*api.ServiceEntry{
			"plain": {instance("plain", "plain-1", "passing", "web")},
			"shop": {
				instance("shop", "shop-2", "passing", "fairlead.enable=true", "prod"),
				instance("shop", "shop-5", "passing", "fairlead.enable=true", "prod", "traefik.consulcatalog.canary=true"),
			},
			"test":     {instance("test", "test-3", "passing", "fairlead.enable=true", "test")},
			"disabled": {instance("disabled", "disabled-4", "passing", "traefik.enable=false", "prod")},
		}
	})
	w := providertest.Start(t, start(t, c, func(o *consulcatalog.Config) {
		o.Options.ExposedByDefault, o.Options.Constraints = false, "Tag(`prod`)"
		o.Datacenter, o.Stale = "dc2", true
	}), providertest.Ports)
	s := w.Until(":130 :133 ")
	if len(s.Routes) != 2 || s.Routes[0].Match.String()+s.Routes[1].Match.String() != "Host(`shop`)Host(`shop-canary`)" {
		t.Errorf("routes %v", s.Routes)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if q := r.URL.Query(); q.Get("dc") != "dc2" || !q.Has("stale") {
			t.Errorf("asked %s", r.URL)
		}
		if strings.HasSuffix(r.URL.Path, "/plain") {
			t.Error("a service that says nothing to us is watched")
		}
	}
}
