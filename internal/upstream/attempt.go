package upstream

import (
	"math/rand/v2"
	"net/netip"
	"slices"
)

// maxTried is how many hosts a request remembers; beyond that it may come back to the first.
const maxTried = 8

// Attempt is one request on its way to a host, over all its attempts. The zero value is ready; use it for one request.
type Attempt struct {
	// Client is who asks; it decides where the picker is [model.HRW]. The zero value: anybody.
	Client netip.Addr
	// Pin is the mark of where the session belongs ([Host.Mark]). That gets the first attempt, if it can serve. 0: none.
	Pin uint64
	// Elsewhere says that the request may go to another service instead. Then no host is picked that is only used for
	// want of others: none that is not healthy, and none for the second time.
	Elsewhere bool

	tried [maxTried]*Host
	count int
}

// Tries returns how many hosts were picked so far.
func (a *Attempt) Tries() int { return a.count }

// note remembers a host that was picked.
func (a *Attempt) note(h *Host) {
	if h != nil {
		a.tried[a.count%maxTried] = h
		a.count++
	}
}

// saw reports whether the host was picked before.
func (a *Attempt) saw(h *Host) bool {
	for _, t := range a.tried[:min(a.count, maxTried)] {
		if t == h {
			return true
		}
	}
	return false
}

// gateway reports whether a gateway of the cluster was picked before.
func (a *Attempt) gateway(cluster string) bool {
	for _, t := range a.tried[:min(a.count, maxTried)] {
		if t.id.Gateway && t.id.Cluster == cluster {
			return true
		}
	}
	return false
}

// Pick chooses the host for the next attempt of a request, and notes it in a. The first attempt goes to where the
// session belongs, or else by the shares (see [Split]) and then by the picker; it counts for the retry budget. Where
// the gateway that was tried of a session's cluster turned out to be lost, the next attempt goes to another of the
// cluster's gateways. Any further attempt goes, in this order, to
//
//  1. a host that this request has not tried, in a cluster that it has not tried through a gateway: first by the
//     shares, then in clusters that have none now (a later tier),
//  2. another gateway of a cluster that it tried,
//  3. a host in reserve (not checked yet, in hold-down, or waiting for its trial),
//  4. a host that it tried.
//
// Where the request may go elsewhere, 3 and 4 are left out, and so are all hosts while the pool is not up ([Pool.Up]),
// but for a trial.
//
// Clusters of weight 0 are used for sessions only. There is no host only when the reason says so.
func (p *Pool) Pick(a *Attempt) (*Host, Reason) {
	now := p.hosts.now()
	v := p.current(now)
	if a.count == 0 {
		p.service.budget.request(now)
	}
	host, reason := v.pinned(a), OK
	switch {
	case host != nil:
	case a.count > 0:
		host, reason = v.again(p, a, now)
	default:
		host, reason = v.first(p, a, now)
	}
	a.note(host)
	return host, reason
}

// Beyond reports whether a request that was tried through the gateways of clusters has another cluster to go to.
func (p *Pool) Beyond(a *Attempt) bool {
	v := p.current(p.hosts.now())
	return slices.ContainsFunc(v.groups, func(g group) bool { return !a.gateway(g.name) && g.fresh(a) != nil })
}

// first picks for a first attempt.
func (v *view) first(p *Pool, a *Attempt, now int64) (*Host, Reason) {
	for _, h := range v.trials {
		if h.tryTrial(now) {
			return h, Trial
		}
	}
	client := v.client(a)
	switch {
	case v.last < 0:
		return nil, v.reason
	case a.Elsewhere && !v.up:
		return nil, NoneHealthy
	case v.only != nil:
		return v.only.pick(now, client), v.reason
	case v.sticky:
		return v.owner(client).pick(now, client), v.reason
	}
	point := p.service.turn.point()
	i := 0
	for i < v.last && point >= v.groups[i].until {
		i++
	}
	return v.groups[i].pick(now, client), v.reason
}

// pinned returns a host that a session belongs to; nil: there is none, none can serve, or one was tried that can.
func (v *view) pinned(a *Attempt) *Host {
	if a.Pin == 0 {
		return nil
	}
	hosts := v.pins[a.Pin]
	if len(hosts) == 0 || slices.ContainsFunc(hosts, a.saw) {
		return nil
	}
	return hosts[rand.IntN(len(hosts))] //nolint:gosec // spreading load needs no secret
}

// client returns the hash that decides where the picker asks for one.
func (v *view) client(a *Attempt) uint64 {
	switch {
	case !v.sticky:
		return 0
	case !a.Client.IsValid():
		return rand.Uint64() //nolint:gosec // spreading load needs no secret
	}
	return hashClient(a.Client)
}

// owner returns the group that the client belongs to. When shares change, only as many clients move as must.
func (v *view) owner(client uint64) *group {
	var best *group
	most := -1.0
	for i := range v.groups {
		g := &v.groups[i]
		if g.share > 0 {
			if score := weigh(g.share, mix(client^g.hash)); score > most {
				best, most = g, score
			}
		}
	}
	return best
}

// again picks for a further attempt.
func (v *view) again(p *Pool, a *Attempt, now int64) (*Host, Reason) {
	if a.Elsewhere && !v.up {
		return nil, NoneHealthy
	}
	if h := v.shared(a); h != nil {
		return h, v.reason
	}
	for _, seen := range []bool{false, true} { // clusters tried through a gateway come last
		for i := range v.groups {
			if g := &v.groups[i]; a.gateway(g.name) == seen {
				if h := g.fresh(a); h != nil {
					return h, Retried
				}
			}
		}
	}
	if a.Elsewhere {
		return nil, NoneHealthy
	}
	for i := range v.groups {
		for _, h := range v.groups[i].reserve {
			if !a.saw(h) {
				return h, Retried
			}
		}
	}
	return v.first(p, a, now)
}

// shared picks a new host by the shares, among clusters not tried through a gateway.
func (v *view) shared(a *Attempt) *Host {
	left := 0.0
	for i := range v.groups {
		if g := &v.groups[i]; g.open(a) {
			left += g.share
		}
	}
	x := rand.Float64() * left //nolint:gosec // spreading load needs no secret
	for i := range v.groups {
		g := &v.groups[i]
		if !g.open(a) {
			continue
		}
		if x -= g.share; x < 0 {
			return g.fresh(a)
		}
	}
	return nil
}

// open reports whether a further attempt may go to the group by its share.
func (g *group) open(a *Attempt) bool {
	return g.share > 0 && !a.gateway(g.name) && g.fresh(a) != nil
}

// fresh returns a host that the request has not tried, the idlest of a few; nil: none.
func (g *group) fresh(a *Attempt) *Host {
	const few = 4
	var best *Host
	start, found := rand.IntN(max(1, len(g.slots))), 0 //nolint:gosec // spreading load needs no secret
	for i := range g.slots {
		h := g.slots[(start+i)%len(g.slots)].host
		if a.saw(h) {
			continue
		}
		if best == nil || h.inFlight.Load() < best.inFlight.Load() {
			best = h
		}
		if found++; found == few {
			break
		}
	}
	return best
}
