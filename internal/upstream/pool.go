package upstream

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/model"
)

// Pool is the membership of one service. It never changes; what may be used of it does.
type Pool struct {
	hosts    *Hosts
	name     model.Name
	balance  model.Balance
	service  *service
	sessions bool // hosts are pinned to
	passive  *model.Passive
	members  []member  // sorted by tier, cluster, address
	clusters []cluster // sorted by tier, cluster

	view   atomic.Pointer[view]
	due    atomic.Int64 // when the view must be made again; 0: now
	mu     sync.Mutex   // for making a view
	closed sync.Once
}

// member is an endpoint and the host that it means.
type member struct {
	host   *Host
	check  *check // nil: none
	weight float64
	state  model.EndpointState
}

// cluster is the members of a pool that run in one cluster.
type cluster struct {
	share   model.Share
	members []member
	turn    *rotation
	hash    uint64
}

// Pool returns the pool of a service. It refers to the live hosts of the service's endpoints, makes those that are not
// there yet, and registers their checks, which trust whom the transport trusts; nil: the default one. A service of
// backends has no endpoints, so its pool is empty.
//
// A pool must be closed when the last request that may use it is over. To lose nothing, make the new one before.
func (h *Hosts) Pool(s *model.Service, by *model.Transport) *Pool {
	p := &Pool{
		hosts: h, name: s.Name, balance: s.Balance, sessions: s.Sticky != nil, passive: s.Passive,
		members: make([]member, 0, len(s.Endpoints)),
	}
	direct, link := ask(s, by), linkQuestion(h.tuning)
	h.mu.Lock()
	defer h.mu.Unlock()
	p.service = h.holdService(s.Ref())
	for _, e := range s.Endpoints {
		host := h.hold(IDOf(s, &e))
		host.join(p)
		var check *check
		switch {
		case e.Gateway:
			check = h.holdCheck(host, link)
		case direct != nil:
			check = h.holdCheck(host, *direct)
		}
		p.members = append(p.members, member{host, check, float64(max(0, e.Weight)), e.State})
	}
	p.group()
	return p
}

// group sorts the members and cuts them into clusters. The caller holds Hosts.mu.
func (p *Pool) group() {
	slices.SortStableFunc(p.members, func(a, b member) int {
		return cmp.Or(cmp.Compare(p.balance.Share(a.host.id.Cluster).Tier, p.balance.Share(b.host.id.Cluster).Tier),
			a.host.id.compare(b.host.id))
	})
	for low, high := 0, 0; low < len(p.members); low = high {
		name := p.members[low].host.id.Cluster
		for high < len(p.members) && p.members[high].host.id.Cluster == name {
			high++
		}
		turn := p.service.turns[name]
		if turn == nil {
			turn = new(rotation)
			p.service.turns[name] = turn
		}
		p.clusters = append(p.clusters, cluster{p.balance.Share(name), p.members[low:high], turn, hashText(name)})
	}
}

// Close gives the references back. The pool can still be used, but learns nothing new. Only the first call counts.
func (p *Pool) Close() { p.closed.Do(func() { p.hosts.release(p) }) }

// Retry takes one retry out of the service's retry budget, which outlives pools. It reports false when that is spent:
// then the request must not be tried again.
func (p *Pool) Retry() bool { return p.service.budget.retry(p.hosts.now()) }

// Portions returns what each cluster gets at this moment, sorted by tier, then cluster, and whether that is out of the
// ordinary (see [Reason]).
func (p *Pool) Portions() ([]Portion, Reason) {
	v := p.current(p.hosts.now())
	return slices.Clone(v.portions), v.reason
}

// Clusters returns what [Pool.Portions] is made from, sorted by tier, then cluster. For what-if: change it and call
// [Split].
func (p *Pool) Clusters() []ClusterHealth {
	return slices.Clone(p.current(p.hosts.now()).health)
}

// Ready returns how many of the service's endpoints can be used without reserve at this moment, and how many are meant
// to take new requests.
func (p *Pool) Ready() (ready, total int) {
	v := p.current(p.hosts.now())
	return v.ready, v.offered
}

// Up reports whether the service can do without another that does the same: there are healthy hosts, or hosts of which
// no check has told yet.
func (p *Pool) Up() bool { return p.current(p.hosts.now()).up }

// Wanted reports whether a request should be sent here rather than to another service that does the same: the pool is
// up, or it is time to try whether a host is back.
func (p *Pool) Wanted() bool {
	now := p.hosts.now()
	v := p.current(now)
	return v.up || slices.ContainsFunc(v.trials, func(h *Host) bool { return h.isTrialDue(now) })
}

// current returns the view, up to date.
func (p *Pool) current(now int64) *view {
	v := p.view.Load()
	if v != nil && now < p.due.Load() {
		return v
	}
	if v == nil {
		p.mu.Lock()
	} else if !p.mu.TryLock() {
		return v // somebody makes a new one; nobody waits for it
	}
	defer p.mu.Unlock()
	if v = p.view.Load(); v != nil && now < p.due.Load() {
		return v
	}
	p.due.Store(math.MaxInt64)
	v, next := p.look(now)
	p.view.Store(v)
	p.due.CompareAndSwap(math.MaxInt64, next) // fails when a host changed meanwhile: then the view is due at once
	return v
}
