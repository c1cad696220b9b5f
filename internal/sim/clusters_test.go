package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
)

var (
	clusterNames = []string{"ams", "fra", "lon", "mad", "osl"}
	quiet        = slog.New(slog.DiscardHandler)
)

// fileSource is where a cluster's own routes come from.
const fileSource model.Source = "file/main"

// cluster is one cluster: what its orchestrator knows, the keys that it gave, and its instances, one or two.
type cluster struct {
	w         *world
	name      string
	place     int
	instances []*instance

	mu      sync.Mutex
	history []state // every state there ever was; the last is the present one
	down    bool    // the orchestrator cannot be read
	ready   int     // endpoints of each service that are ready, of three
	changed chan struct{}
	keys    map[string]*session  // by key
	revoked map[string]time.Time // by edge
}

const endpoints = 3

func newCluster(w *world, place int) *cluster {
	name := clusterNames[place]
	c := &cluster{
		w: w, name: name, place: place, ready: endpoints, changed: make(chan struct{}), keys: map[string]*session{},
		revoked: map[string]time.Time{},
		history: []state{{claims: []claim{{
			name: "home", stamp: w.stamp(), hosts: []string{"a." + name + ".example"}, service: name + "/home", priority: 10,
		}}}},
	}
	for _, edge := range edgeNames {
		c.keys[keyOf(edge, name)] = &session{edge, make(chan struct{})}
	}
	for i := range 2 - min(1, place/2) { // ams and fra have two
		c.instances = append(c.instances, &instance{cluster: c, addr: fmt.Sprintf("%s-%d", name, i+1)})
	}
	return c
}

func (c *cluster) addresses() (out []string) {
	for _, i := range c.instances {
		out = append(out, i.addr)
	}
	return out
}

// set makes a change, of which all is seen at once or nothing.
func (c *cluster) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.changed)
	c.changed = make(chan struct{})
}

// become makes a state of the present one. The caller holds the lock.
func (c *cluster) become(sets []claim, dels []string) {
	next := slices.DeleteFunc(slices.Clone(c.now().claims), func(old claim) bool {
		return slices.Contains(dels, old.name) ||
			slices.ContainsFunc(sets, func(s claim) bool { return s.name == old.name })
	})
	for _, s := range sets {
		s.stamp = c.w.stamp()
		next = append(next, s)
	}
	slices.SortFunc(next, func(a, b claim) int { return model.ParseName(a.name).Compare(model.ParseName(b.name)) })
	c.history = append(c.history, state{next})
}

func (c *cluster) now() state { return c.history[len(c.history)-1] }

// session is the use of a key; it implements link.Session.
type session struct {
	edge string
	done chan struct{}
}

func (s *session) ID() string            { return s.edge }
func (s *session) Done() <-chan struct{} { return s.done }

func keyOf(edge, cluster string) string { return "flk_" + edge + "_" + cluster + "_" + marker }

var errNoKey = errors.New("no such key")

// Authorize implements link.Authorizer.
func (c *cluster) Authorize(key, _ string) (link.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.keys[key]; s != nil {
		return s, nil
	}
	return nil, errNoKey
}

// revoke ends an edge's key, admit gives it back.
func (c *cluster) revoke(edge string) {
	c.set(func() {
		if s := c.keys[keyOf(edge, c.name)]; s != nil {
			if !c.w.hooks.loyal {
				close(s.done)
			}
			delete(c.keys, keyOf(edge, c.name))
			c.revoked[edge] = time.Now()
		}
	})
}

func (c *cluster) admit(edge string) {
	c.set(func() {
		if c.keys[keyOf(edge, c.name)] == nil {
			c.keys[keyOf(edge, c.name)] = &session{edge, make(chan struct{})}
			delete(c.revoked, edge)
		}
	})
}

// revokedAt returns since when an edge has no key; zero: it has one.
func (c *cluster) revokedAt(edge string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revoked[edge]
}

// instance is one running Fairlead of a cluster. Its memory goes with it.
type instance struct {
	cluster *cluster
	addr    string
	lives   uint64
	stop    func() // nil: not running

	plane    *plane
	exporter *link.Exporter
	told     bool // the orchestrator was read in this life; guarded by world.mu
}

func (i *instance) start() {
	if i.stop != nil {
		return
	}
	i.lives++
	w, c := i.cluster.w, i.cluster
	ctx, cancel := context.WithCancel(context.Background())
	i.told = false
	i.plane = newPlane(w, i.addr, catalog.Options{Expect: []model.Source{fileSource}})
	i.exporter = link.NewExporter(link.ExporterOptions{
		Cluster: c.name, Auth: c, Log: quiet,
		Capacity: func(model.Ref) (int, int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.ready, endpoints
		},
	})
	orchestrator := &patient{next: &orchestrator{i}, rng: w.rng(i.addr, i.lives)}
	var running sync.WaitGroup
	running.Go(func() { _ = i.plane.catalog.Run(ctx) })
	running.Go(func() { _ = i.exporter.Run(ctx) })
	running.Go(func() { _ = provider.Run(ctx, fileSource, orchestrator, &ears{instance: i}, quiet) })
	running.Go(func() { i.apply(ctx) })
	w.net.setSite(i.addr, i.exporter)
	i.stop = func() {
		w.net.setSite(i.addr, nil)
		cancel()
		running.Wait()
		i.stop = nil
	}
}

// apply takes each change into the table, and shows it when everything there is was heard of: see Exporter.Publish.
func (i *instance) apply(ctx context.Context) {
	for merged := range i.plane.catalog.Watch(ctx) {
		i.plane.apply(merged)
		select {
		case <-i.plane.catalog.Ready():
			if i.heard() || i.cluster.w.hooks.hasty {
				i.exporter.Publish(merged)
			}
		default:
		}
	}
}

func (i *instance) heard() bool {
	i.cluster.w.mu.Lock()
	defer i.cluster.w.mu.Unlock()
	return i.told
}

// ears is the way from the orchestrator into the catalog.
type ears struct{ instance *instance }

func (e *ears) Set(s model.Snapshot) {
	w := e.instance.cluster.w
	w.mu.Lock()
	e.instance.told = true
	w.mu.Unlock()
	e.instance.plane.heard(s)
	e.instance.plane.catalog.Set(s)
}

func (e *ears) Fail(source model.Source, err error) { e.instance.plane.catalog.Fail(source, err) }

// orchestrator is a provider: what an instance can read of its cluster.
type orchestrator struct{ *instance }

var errDown = errors.New("the orchestrator does not answer")

func (o *orchestrator) Run(ctx context.Context, publish func(model.Snapshot)) error {
	c := o.cluster
	lag := c.w.rng("lag "+o.addr, o.lives)
	for ctx.Err() == nil {
		c.mu.Lock()
		down, now, changed := c.down, c.now(), c.changed
		c.mu.Unlock()
		if down {
			return errDown
		}
		publish(now.snapshot(fileSource))
		select {
		case <-ctx.Done():
		case <-changed:
			pause(ctx, between(lag, usualDelay/10, 20*usualDelay)) // so instances of a cluster may differ for a while
		}
	}
	return ctx.Err()
}
