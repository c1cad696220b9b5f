package sim

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// traffic is the requests of an edge's clients, without the requests: it picks hosts from the pools of the present
// table and tells them how it went. It keeps the same books as the hosts do.
type traffic struct {
	edge  *edge
	hosts *upstream.Hosts

	mu    sync.Mutex
	pools map[model.Ref]served
	books map[upstream.ID]entry
	open  []upstream.Exchange // until the next time
	held  []upstream.ID       // their hosts
}

type served struct {
	service *model.Service
	pool    *upstream.Pool
}

// entry is what must be known of a host.
type entry struct {
	requests, failures uint64
	inFlight           int64
	ejected            time.Time
}

func newTraffic(e *edge) *traffic {
	return &traffic{
		edge: e, pools: map[model.Ref]served{}, books: map[upstream.ID]entry{},
		hosts: upstream.NewHosts(upstream.Options{Tuning: upstream.Tuning{Forget: 24 * time.Hour}}),
	}
}

// apply makes the pools of a snapshot, each before the one that it replaces is closed.
func (t *traffic) apply(merged *model.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.edge.w.hooks.forget {
		t.hosts = upstream.NewHosts(upstream.Options{})
	}
	before := t.pools
	t.pools = map[model.Ref]served{}
	for _, s := range merged.Services {
		old, had := before[s.Ref()]
		if had && old.service == s {
			t.pools[s.Ref()] = old
			delete(before, s.Ref())
			continue
		}
		t.pools[s.Ref()] = served{s, t.hosts.Pool(s, nil)}
	}
	for _, old := range before {
		old.pool.Close()
	}
}

// drive sends a request to each service. Every second one is still under way when drive returns.
func (t *traffic) drive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	for i, ref := range slices.SortedFunc(maps.Keys(t.pools), model.Ref.Compare) {
		host, _ := t.pools[ref].pool.Pick(&upstream.Attempt{})
		if host == nil {
			continue
		}
		x, book := host.Begin(), t.books[host.ID()]
		book.requests++
		switch {
		case !t.edge.w.reaches(t.edge.name, host.Addr()):
			book.failures++
			x.Done(upstream.Outcome{Kind: upstream.ConnectError})
		case i%2 == 0:
			x.Done(upstream.Outcome{Kind: upstream.Answered, Status: 200})
		default:
			book.inFlight++
			t.open, t.held = append(t.open, x), append(t.held, host.ID())
		}
		t.books[host.ID()] = book
	}
	for _, s := range t.hosts.States() {
		book := t.books[s.ID]
		book.ejected = s.Ejected
		t.books[s.ID] = book
	}
}

// end ends the requests that are under way.
func (t *traffic) end() {
	for i, x := range t.open {
		x.Done(upstream.Outcome{Kind: upstream.Answered, Status: 200})
		book := t.books[t.held[i]]
		book.inFlight--
		t.books[t.held[i]] = book
	}
	t.open, t.held = nil, nil
}

func (t *traffic) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	for _, p := range t.pools {
		p.pool.Close()
	}
}

// hostsOf returns the books' hosts in order.
func (t *traffic) hostsOf() []upstream.ID {
	return slices.SortedFunc(maps.Keys(t.books), func(a, b upstream.ID) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Addr, b.Addr))
	})
}
