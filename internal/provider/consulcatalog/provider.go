package consulcatalog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// Config says which Consul is asked, and which of its services are served.
type Config struct {
	Source     model.Source
	Address    string                 // "host:port"
	Datacenter string                 // "": the server's
	Namespace  string                 // "": the token's
	Token      func() (string, error) // called at the start of every run
	Username   string                 // of HTTP's own authentication; "": nobody
	Password   func() (string, error)
	TLS        *tls.Config // nil: plain text
	// Stale lets servers that are not the leader answer; Consistent has the leader make sure that it is one.
	Stale, Consistent bool
	// States are those of checks with which an instance is served: "passing", "warning", …
	States  []string
	Options dynamic.WorkloadOptions
	Mesh    *Mesh // nil: the instance is no part of Consul's mesh
}

// Provider follows one Consul.
type Provider struct {
	config    Config
	workloads *dynamic.Workloads
	states    map[string]string // of the checks of each instance, by what it is called; it outlives runs
}

// New returns a provider. The error is about the options.
func New(c Config) (*Provider, error) {
	w, err := dynamic.NewWorkloads(c.Source, c.Options)
	return &Provider{config: c, workloads: w}, err
}

const (
	holdOff     = 5 * time.Millisecond  // without news, until a burst is over
	longestHold = 50 * time.Millisecond // however long a burst lasts
)

// catalog is what is known of Consul in one run.
type catalog struct {
	client  *client
	watches map[string]watch // by service
	entries map[string][]*api.ServiceEntry
	unread  map[string]bool // services of which nothing is known yet
	names   chan []named
	read    chan service
	failed  chan error
	running sync.WaitGroup
	heard   bool        // of the names
	told    chan news   // of the mesh
	mesh    *membership // nil: there is none
}

// whole reports whether all is known that is to be published.
func (c *catalog) whole() bool { return c.heard && len(c.unread) == 0 && c.mesh.known() }

// named is a service, and whether it is reached over the mesh.
type named struct {
	name string
	mesh bool
}

// watch is what follows a service.
type watch struct {
	stop context.CancelFunc
	mesh bool
}

// service is what one service is now.
type service struct {
	named
	entries []*api.ServiceEntry
}

// Run publishes the services now and whenever they change. It returns an error when Consul cannot be asked.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	client, err := dial(&p.config)
	if err != nil {
		return fmt.Errorf("connecting to Consul: %w", err)
	}
	defer client.close()
	ctx, cancel := context.WithCancel(ctx)
	c := &catalog{
		client: client, watches: map[string]watch{}, entries: map[string][]*api.ServiceEntry{},
		unread: map[string]bool{}, names: make(chan []named), read: make(chan service), failed: make(chan error),
		told: make(chan news),
	}
	defer c.running.Wait()
	defer cancel()
	c.watch(ctx, func(ctx context.Context, index uint64) (uint64, func(), error) {
		all, next, err := client.services(ctx, index)
		return next, func() { send(ctx, c.names, p.served(all)) }, err
	})
	c.join(ctx, p.config.Mesh)
	for {
		for !c.whole() {
			if err := c.next(ctx, nil); err != nil {
				return err
			}
		}
		publish(p.workloads.Build(p.list(c)))
		if err := c.burst(ctx); err != nil {
			return err
		}
	}
}

// burst waits for news, and until no more come.
func (c *catalog) burst(ctx context.Context) error {
	err := c.next(ctx, nil)
	longest := time.Now().Add(longestHold)
	for err == nil && time.Now().Before(longest) {
		quiet := time.After(holdOff)
		if err = c.next(ctx, quiet); errors.Is(err, errQuiet) {
			return nil
		}
	}
	return err
}

var errQuiet = errors.New("nothing is new")

// next takes the next news. quiet ends the wait; nil: nothing does.
func (c *catalog) next(ctx context.Context, quiet <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-quiet:
		return errQuiet
	case err := <-c.failed:
		return fmt.Errorf("asking Consul: %w", err)
	case names := <-c.names:
		c.follow(ctx, names)
		c.heard = true
	case told := <-c.told:
		return c.mesh.learn(told)
	case s := <-c.read:
		if w, still := c.watches[s.name]; still && w.mesh == s.mesh {
			c.entries[s.name] = s.entries
			delete(c.unread, s.name)
		}
	}
	return nil
}

// follow watches these services and no others.
func (c *catalog) follow(ctx context.Context, names []named) {
	for name, w := range c.watches {
		if !slices.Contains(names, named{name, w.mesh}) {
			w.stop()
			delete(c.watches, name)
			delete(c.entries, name)
			delete(c.unread, name)
		}
	}
	for _, n := range names {
		if _, known := c.watches[n.name]; known {
			continue
		}
		c.unread[n.name] = true
		stop := c.watch(ctx, func(ctx context.Context, index uint64) (uint64, func(), error) {
			entries, next, err := c.client.instances(ctx, n, index)
			return next, func() { send(ctx, c.read, service{n, entries}) }, err
		})
		c.watches[n.name] = watch{stop, n.mesh}
	}
}

// watch asks again and again, each time for what is newer than the answer before, and tells what is new.
func (c *catalog) watch(
	ctx context.Context, ask func(ctx context.Context, index uint64) (uint64, func(), error),
) context.CancelFunc {
	ctx, stop := context.WithCancel(ctx)
	c.running.Go(func() {
		defer stop()
		var index uint64
		for ctx.Err() == nil {
			next, tell, err := ask(ctx, index)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				send(ctx, c.failed, err)
				return
			}
			if next != index || index == 0 {
				tell()
			}
			if next < index { // the server was put back to an earlier state
				next = 0
			}
			index = max(next, 1) // 0 is not held back
		}
	})
	return stop
}

// send hands a value on, unless ctx ends before.
func send[T any](ctx context.Context, to chan<- T, value T) {
	select {
	case to <- value:
	case <-ctx.Done():
	}
}

// list returns the instances of all services.
func (p *Provider) list(c *catalog) []dynamic.Workload {
	var list []dynamic.Workload
	states := map[string]string{}
	for _, of := range slices.Sorted(maps.Keys(c.entries)) {
		for _, e := range c.entries[of] {
			if e.Service.Kind == api.ServiceKindConnectProxy && !c.watches[of].mesh {
				continue // nobody is served there who is not of the mesh
			}
			name := "instance " + e.Node.Node + "/" + e.Service.ID
			states[name] = p.state(name, e.Checks)
			list = append(list, p.workload(of, name, states[name], e))
			if c.watches[of].mesh {
				c.mesh.enter(&list[len(list)-1], of, e)
			}
		}
	}
	p.states = states
	return list
}

// state returns what the checks of an instance say together. When an agent was started again, all of its checks are
// critical, and say nothing, until each has run: what was known counts until then.
func (p *Provider) state(instance string, checks api.HealthChecks) string {
	state := checks.AggregatedStatus()
	was, known := p.states[instance]
	ran := func(c *api.HealthCheck) bool { return c.Status == api.HealthCritical && c.Output != "" }
	if known && state == api.HealthCritical && !slices.ContainsFunc(checks, ran) {
		return was
	}
	return state
}

// served returns the names of the services that may be served.
func (p *Provider) served(all map[string][]string) (names []named) {
	for name, tags := range all {
		if p.workloads.MayServe(tags) {
			names = append(names, named{name, p.inMesh(tags)})
		}
	}
	return names
}

// inMesh reports whether a service is reached over the mesh.
func (p *Provider) inMesh(tags []string) bool {
	if p.config.Mesh == nil {
		return false
	}
	said, err := strconv.ParseBool(p.workloads.Setting(dynamic.TagLabels(tags), "consulcatalog.connect"))
	return said || err != nil && p.config.Mesh.ByDefault
}

func (p *Provider) workload(service, name, state string, e *api.ServiceEntry) dynamic.Workload {
	w := dynamic.Workload{
		Name: service, Instance: name, Tags: e.Service.Tags, Labels: dynamic.TagLabels(e.Service.Tags),
		Host: e.Service.Address, Weight: e.Service.Weights.Passing,
		Created: time.Unix(int64(e.Service.CreateIndex), 0), // no time, but in its order
	}
	if p.workloads.Switch(w.Labels, "consulcatalog.canary") {
		w.Short, w.Name = w.Name, w.Name+"-canary"
	}
	if w.Host == "" {
		w.Host = e.Node.Address
	}
	if port := e.Service.Port; port > 0 && port < 1<<16 {
		w.Ports = []dynamic.WorkloadPort{{Number: uint16(port)}, {Number: uint16(port), UDP: true}}
	}
	switch {
	case state == api.HealthMaint:
		w.State = model.Draining
	case !slices.Contains(p.config.States, state):
		w.State, w.Host, w.Ports = model.NotReady, "", nil
	case state == api.HealthWarning:
		w.Weight = e.Service.Weights.Warning
	}
	return w
}
