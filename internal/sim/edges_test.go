package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/route"
)

var (
	edgeNames = []string{"east", "north", "west"}
	// precedence of the clusters at every edge. The others come after, as equals.
	precedence = []model.Source{"link/lon", "link/ams"}
)

const startDeadline = 10 * time.Second

// edge is a machine at the network's edge: its disks outlive what runs on it.
type edge struct {
	w       *world
	name    string
	disks   map[string]*disk // by cluster
	variant int              // of the grants
	lives   uint64
	life    *life  // nil: not running
	last    *relic // of the life before; nil: none
}

// life is an edge from its start to its end.
type life struct {
	edge    *edge
	started time.Time
	plane   *plane
	links   []*tracked // by place of the cluster
	traffic *traffic
	stop    func()

	readyAt time.Time // guarded by world.mu
}

func newEdge(w *world, place int) *edge {
	e := &edge{w: w, name: edgeNames[place], variant: place, disks: map[string]*disk{}}
	for _, c := range clusterNames {
		e.disks[c] = &disk{}
	}
	return e
}

func (e *edge) start() {
	if e.life != nil {
		return
	}
	e.lives++
	w := e.w
	ctx, cancel := context.WithCancel(context.Background())
	o := catalog.Options{Order: precedence, StartDeadline: startDeadline}
	for _, c := range clusterNames {
		o.Expect = append(o.Expect, model.LinkSource(c))
	}
	if w.hooks.catalog != nil {
		w.hooks.catalog(&o)
	}
	l := &life{edge: e, started: time.Now(), plane: newPlane(w, e.name, o), traffic: newTraffic(e)}
	l.plane.order = precedence
	var running sync.WaitGroup
	for _, c := range w.clusters {
		t := e.follow(l, c)
		l.links = append(l.links, t)
		var p provider.Provider = &patient{next: t.follower, rng: w.rng(e.name+" "+c.name, e.lives)}
		if w.hooks.follow != nil {
			p = w.hooks.follow(p)
		}
		var sink provider.Sink = t
		if w.hooks.said != nil {
			sink = w.hooks.said(sink)
		}
		running.Go(func() { _ = provider.Run(ctx, t.source, p, sink, quiet) })
	}
	running.Go(func() { _ = l.plane.catalog.Run(ctx) })
	running.Go(func() { l.apply(ctx) })
	e.life = l
	l.stop = func() {
		cancel()
		running.Wait()
		e.life = nil
	}
}

func (e *edge) follow(l *life, c *cluster) *tracked {
	grant := e.grant(c)
	d := e.disks[c.name]
	t := &tracked{
		life: l, cluster: c, source: model.LinkSource(c.name), grant: grant, disk: d.mount(e.w), began: time.Now(),
		index: map[string]int{}, next: l.plane.catalog,
	}
	t.damaged, t.restored = d.damaged(), d.content()
	if e.w.hooks.kept != nil {
		t.next = e.w.hooks.kept(t.next)
	}
	if e.w.hooks.grant != nil {
		grant = e.w.hooks.grant(grant)
	}
	t.follower = link.NewFollower(link.FollowerOptions{
		Cluster: c.name, Addresses: c.addresses(), Client: dialer{e.w.net, e.name, e.lives}, Grant: grant,
		Cache: t.disk, Log: quiet,
		Key: func() (string, error) { return keyOf(e.name, c.name), nil },
	})
	return t
}

func (e *edge) grant(c *cluster) link.Grant { return grantOf(e.variant, c.place, c.name) }

// crash ends everything at once: nothing more reaches the disks.
func (e *edge) crash() {
	if e.life == nil {
		return
	}
	e.last = e.life.relic()
	for _, t := range e.life.links {
		t.disk.unmount()
	}
	e.life.stop()
}

// quit ends the edge as a signal would.
func (e *edge) quit() {
	if e.life != nil {
		e.life.stop()
		e.last = nil
	}
}

// apply is what an edge does with each change.
func (l *life) apply(ctx context.Context) {
	for merged := range l.plane.catalog.Watch(ctx) {
		table := l.plane.apply(merged)
		l.traffic.apply(merged)
		for _, t := range l.links {
			if !l.edge.w.hooks.mute {
				t.follower.Report(conflicts(table, t.source))
			}
		}
		select {
		case <-l.plane.catalog.Ready():
			l.edge.w.mu.Lock()
			if l.readyAt.IsZero() {
				l.readyAt = time.Now()
			}
			l.edge.w.mu.Unlock()
		default:
		}
	}
	l.traffic.close()
}

// conflicts returns those of one cluster's routes.
func conflicts(t *route.Table, source model.Source) []model.Problem {
	return slices.DeleteFunc(slices.Clone(t.Problems()), func(p model.Problem) bool {
		return p.Code != model.Conflict || p.Object.Source != source
	})
}

// relic is what is remembered of a life, to be compared with the next.
type relic struct {
	variant int
	answers []string // to requests, in their order; nil: the disks were not up to date, so the next life may differ
}

func (l *life) relic() *relic {
	out := &relic{variant: l.edge.variant}
	for _, t := range l.links {
		if !t.saved() {
			return out
		}
	}
	for _, r := range answers(l.plane.table, l.edge.w.requests) {
		out.answers = append(out.answers, refOf(r))
	}
	return out
}
