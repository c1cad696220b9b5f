package upstream

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Options is what Hosts needs of its surroundings.
type Options struct {
	Log *slog.Logger // nil: says nothing
	// Prober runs active checks. Nil: NewDirect(nil, nil), which can only connect to a gateway, not speak to it.
	Prober Prober
	// Capacity tells how many endpoints of a service a followed cluster says are ready, of how many. It is called
	// while a view is made: it must be quick. Nil, or known false: nothing is said, which counts as everything ready.
	Capacity func(cluster string, service model.Name) (ready, total int, known bool)
	Tuning   Tuning
}

// Hosts is the live state of all hosts. It outlives every table and generation.
type Hosts struct {
	log      *slog.Logger
	prober   Prober
	capacity func(cluster string, service model.Name) (ready, total int, known bool)
	tuning   Tuning
	base     time.Time // what [Hosts.now] counts from

	wake  chan struct{} // the queue of checks has a new first
	pulse pulse

	mu       sync.Mutex
	hosts    map[ID]*Host
	services map[model.Ref]*service
	queue    queue
	checks   int // registered checks that are used by some pool
	running  int // probes under way, gateways not counted
	sweepAt  int64
}

// service is the live state of a service, as opposed to that of its hosts.
type service struct {
	budget budget
	turn   rotation
	turns  map[string]*rotation // by cluster; guarded by Hosts.mu
	refs   int                  // pools; guarded by Hosts.mu
	idle   int64                // when refs became 0
}

// NewHosts returns live state with nothing in it. Active checks run while [Hosts.Run] does.
func NewHosts(o Options) *Hosts {
	h := &Hosts{
		log: o.Log, prober: o.Prober, capacity: o.Capacity, tuning: o.Tuning.withDefaults(),
		base:     time.Now().Add(-time.Hour), // so that 0 is always long ago
		wake:     make(chan struct{}, 1),
		hosts:    map[ID]*Host{},
		services: map[model.Ref]*service{},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.prober == nil {
		h.prober = NewDirect(nil, nil)
	}
	if h.capacity == nil {
		h.capacity = func(string, model.Name) (int, int, bool) { return 0, 0, false }
	}
	return h
}

// now is the monotonic clock of everything in the package, in nanoseconds. It is always above 0.
func (h *Hosts) now() int64 { return int64(time.Since(h.base)) }

// at turns a reading of [Hosts.now] into a time for people; 0 is the zero time.
func (h *Hosts) at(now int64) time.Time {
	if now == 0 {
		return time.Time{}
	}
	return h.base.Add(time.Duration(now)).Round(0)
}

// hold returns the host with this identity, with one more reference. The caller holds h.mu.
func (h *Hosts) hold(id ID) *Host {
	host := h.hosts[id]
	if host == nil {
		host = newHost(h, id)
		h.hosts[id] = host
	}
	host.refs++
	return host
}

// holdService returns the live state of a service, with one more reference. The caller holds h.mu.
func (h *Hosts) holdService(ref model.Ref) *service {
	s := h.services[ref]
	if s == nil {
		s = &service{budget: newBudget(h.tuning), turns: map[string]*rotation{}}
		h.services[ref] = s
	}
	s.refs++
	return s
}

// release gives back what a pool held.
func (h *Hosts) release(p *Pool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	for i := range p.members {
		m := &p.members[i]
		m.host.leave(p)
		if m.check != nil {
			h.releaseCheck(m.check, now)
		}
		if m.host.refs--; m.host.refs == 0 {
			m.host.idle = now
		}
	}
	if p.service.refs--; p.service.refs == 0 {
		p.service.idle = now
	}
}

// sweep forgets what nobody has referred to for long. The caller holds h.mu.
func (h *Hosts) sweep(now int64) {
	old := now - int64(h.tuning.Forget)
	for id, host := range h.hosts {
		if host.refs == 0 && host.idle <= old && host.inFlight.Load() == 0 {
			delete(h.hosts, id)
			continue
		}
		host.sweep(old)
	}
	for ref, s := range h.services {
		if s.refs == 0 && s.idle <= old {
			delete(h.services, ref)
		}
	}
}

// States returns the state of every host, sorted by cluster, then address.
func (h *Hosts) States() []HostState {
	h.mu.Lock()
	hosts := make([]*Host, 0, len(h.hosts))
	for _, host := range h.hosts {
		hosts = append(hosts, host)
	}
	h.mu.Unlock()
	slices.SortFunc(hosts, func(a, b *Host) int { return a.id.compare(b.id) })
	states := make([]HostState, len(hosts))
	for i, host := range hosts {
		states[i] = host.State()
	}
	return states
}

// ID is what a host is known by.
type ID struct {
	Addr    string `json:"addr"`              // host:port to dial
	Cluster string `json:"cluster,omitempty"` // where it runs; "" is this instance's own cluster
	Gateway bool   `json:"gateway,omitempty"` // Addr is the cluster's link entry point
	UDP     bool   `json:"udp,omitempty"`     // what listens there for TCP is another host
}

// IDOf returns what the host of a service's endpoint is known by.
func IDOf(s *model.Service, e *model.Endpoint) ID {
	return ID{Addr: e.Addr, Cluster: e.Cluster, Gateway: e.Gateway, UDP: s.Lane == model.LaneUDP && !e.Gateway}
}

// compare orders identities by cluster, then address; TCP comes before UDP, and plain hosts before gateways.
func (id ID) compare(o ID) int {
	return cmp.Or(cmp.Compare(id.Cluster, o.Cluster), cmp.Compare(id.Addr, o.Addr),
		rank(id.UDP)-rank(o.UDP), rank(id.Gateway)-rank(o.Gateway))
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}
