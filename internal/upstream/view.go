package upstream

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// view is what may be used of a pool right now. It is immutable.
type view struct {
	health   []ClusterHealth
	portions []Portion
	reason   Reason
	groups   []group            // the clusters that may be used at all; sorted by tier, cluster
	last     int                // the last group that has a share; -1: none has
	only     *group             // the one that has every share; nil: there are several, or none
	sticky   bool               // the client's address decides
	up       bool               // see Pool.Up
	pins     map[uint64][]*Host // by mark, those that serve the sessions they have; nil: there are no sessions
	trials   []*Host            // each is due one trial request
	ready    int                // members that may be used without reserve
	untold   bool               // there are members that are only in reserve because no check has said how they are
	offered  int                // members that are meant to take new requests
}

// standing says how far a host may be used, best first.
type standing int

const (
	ready   standing = iota
	reserve          // when nothing is ready
	out              // in panic
	lost             // never: known to lead nowhere
)

// assessment is a member as it stands right now.
type assessment struct {
	standing standing
	weight   float64 // with slow start
	ejected  bool    // put out by requests; the cluster counts it in
	untold   bool    // no check has said how it is
	over     bool    // its time is over, but no request has shown yet that the host is back
	soft     bool    // see ejection
	begin    int64   // of the ejection
	trial    bool    // a request must show it now
	why      string
}

// look makes the view, and says when the next must be made.
func (p *Pool) look(now int64) (*view, int64) {
	next := int64(math.MaxInt64)
	v := &view{sticky: p.balance.Picker == model.HRW, last: -1}
	assessed := make([][]assessment, len(p.clusters))
	for i := range p.clusters {
		assessed[i] = p.clusters[i].assess(now, &next, p.hosts.tuning.EjectPercent)
		health := p.clusters[i].sum(assessed[i])
		asked, serves := p.reported(&p.clusters[i], &health)
		if asked {
			next = min(next, now+int64(p.hosts.tuning.Capacity))
		}
		v.health = append(v.health, health)
		v.count(p.clusters[i].members, assessed[i])
		if p.sessions && serves {
			v.addPins(p.clusters[i].members, assessed[i])
		}
	}
	v.portions, v.reason = Split(p.balance, v.health)
	v.up = v.reason == OK || v.reason == Standby && v.untold
	worst := map[Reason]standing{Standby: reserve, Panic: out}[v.reason]
	sum, sharing := 0.0, 0
	for i := range p.clusters {
		portion := v.portions[i]
		if portion.Weight == 0 {
			continue
		}
		g := p.clusters[i].group(assessed[i], worst, p.balance.Picker)
		if sum += portion.Share; portion.Share > 0 {
			v.last = len(v.groups)
			sharing++
		}
		g.share, g.until = portion.Share, fraction(sum/100)
		v.groups = append(v.groups, g)
	}
	if sharing == 1 {
		v.only = &v.groups[v.last]
	}
	if v.last >= 0 {
		v.addTrials(p, assessed)
	}
	return v, next
}

// count adds up the members that take new requests, and those among them that are ready.
func (v *view) count(members []member, assessed []assessment) {
	for i := range members {
		if !members[i].offered() {
			continue
		}
		v.offered++
		if assessed[i].standing == ready {
			v.ready++
		}
		v.untold = v.untold || assessed[i].untold && assessed[i].standing == reserve && !assessed[i].ejected
	}
}

// addPins finds the members that may go on with the sessions that they have. Those that are drained may, and so may a
// cluster of weight 0.
func (v *view) addPins(members []member, assessed []assessment) {
	for i, m := range members {
		if assessed[i].standing <= reserve {
			if v.pins == nil {
				v.pins = make(map[uint64][]*Host, len(members))
			}
			mark := m.host.Mark()
			v.pins[mark] = append(v.pins[mark], m.host)
		}
	}
}

// addTrials finds the hosts that are due a trial request.
func (v *view) addTrials(p *Pool, assessed [][]assessment) {
	for i, c := range p.clusters {
		if c.share.Weight <= 0 || c.share.Tier > v.groups[v.last].tier {
			continue // it would not be used if it were back
		}
		for j, a := range assessed[i] {
			if a.trial && c.members[j].offered() {
				v.trials = append(v.trials, c.members[j].host)
			}
		}
	}
}

// reported asks for the capacity that the cluster of gateways reports. It says whether there is anything to ask, and
// whether the cluster may serve the sessions that it has: not where its endpoints are unhealthy, but where all of them
// are drained, which are no part of its capacity.
func (p *Pool) reported(c *cluster, health *ClusterHealth) (asked, serves bool) {
	health.Capacity = 1
	if !slices.ContainsFunc(c.members, func(m member) bool { return m.host.id.Gateway }) {
		return false, true
	}
	ready, total, known := p.hosts.capacity(c.share.Cluster, p.name)
	if !known {
		return true, true
	}
	health.Capacity = 0
	if total > 0 {
		health.Capacity = unit(float64(ready) / float64(total))
	}
	return true, ready > 0 || total == 0
}

// assess looks at every member. next becomes the time of the first change that needs no event.
func (c *cluster) assess(now int64, next *int64, percent int) []assessment {
	all := make([]assessment, len(c.members))
	var soft []*assessment
	offered := 0
	for i := range c.members {
		all[i] = c.members[i].assess(now, next)
		if c.members[i].offered() {
			offered++
			if all[i].ejected && all[i].soft {
				soft = append(soft, &all[i])
			}
		}
	}
	// Those that were ejected first stay out; the rest of them is used as if nothing had been.
	slices.SortStableFunc(soft, func(a, b *assessment) int { return cmp.Compare(a.begin, b.begin) })
	for _, a := range soft[min(len(soft), offered*percent/100):] {
		a.ejected = false
	}
	for i := range all {
		switch a := &all[i]; {
		case a.ejected && a.over:
			a.trial = a.standing == ready
			a.standing = max(a.standing, reserve)
		case a.ejected:
			a.standing = max(a.standing, out)
		}
	}
	return all
}

// offered reports whether the member's source wants it to take new requests.
func (m *member) offered() bool { return m.weight > 0 && m.state == model.Ready }

// assess looks at one member.
func (m *member) assess(now int64, next *int64) assessment {
	h := m.host
	h.mu.Lock()
	defer h.mu.Unlock()
	a := assessment{weight: m.weight}
	switch e := &h.ejection; {
	case e.active:
		a.ejected, a.over, a.soft, a.begin = true, now >= e.until, e.soft, e.begin
		a.why = "ejected: " + h.lastErr
		if !a.over {
			*next = min(*next, e.until)
		}
	default:
		a.weight *= h.hosts.ramp(e.back, now, next)
	}
	c := m.check
	switch {
	case c == nil:
	case c.health == Unknown:
		a.standing, a.untold, a.why = reserve, true, "not checked yet"
	case c.health == Unhealthy && c.link && c.confirmed:
		a.standing, a.why = lost, "data path lost: "+h.lastErr
	case c.health == Unhealthy:
		a.standing, a.why = out, "unhealthy: "+h.lastErr
	case now < c.held:
		a.standing, a.why = reserve, "back, in hold-down"
		*next = min(*next, c.held)
	default:
		a.weight = min(a.weight, m.weight*h.hosts.ramp(c.held, now, next))
	}
	if m.state == model.NotReady {
		a.standing, a.why = lost, "not ready"
	}
	return a
}

// ramp is the part of its weight that a host gets which came back at since: a tenth more with every tenth of SlowStart.
func (h *Hosts) ramp(since, now int64, next *int64) float64 {
	step := max(1, int64(h.tuning.SlowStart)/10)
	done := (now - since) / step
	if since == 0 || done >= 9 {
		return 1
	}
	*next = min(*next, since+(done+1)*step)
	return float64(done+1) / 10
}

// sum adds the members up. Gateways are doors to the same endpoints: the best of them stands for all.
func (c *cluster) sum(all []assessment) ClusterHealth {
	var total, doors float64
	var parts, best [3]float64 // by standing
	s := ClusterHealth{Cluster: c.share.Cluster}
	bad := 0
	for i, m := range c.members {
		if m.weight == 0 || m.state == model.Draining {
			continue
		}
		a := all[i]
		total += m.weight
		if m.host.id.Gateway {
			doors += m.weight
		}
		if a.standing != ready {
			bad++
			s.Why = cmp.Or(s.Why, a.why)
		}
		for limit := a.standing; limit < lost; limit++ {
			weight := m.weight
			if limit == ready {
				weight = a.weight
			}
			if m.host.id.Gateway {
				best[limit] = max(best[limit], weight/m.weight)
			} else {
				parts[limit] += weight
			}
		}
	}
	if total == 0 {
		s.Drained = true
		return s
	}
	if bad > 1 {
		s.Why = fmt.Sprintf("%d hosts; the first: %s", bad, s.Why)
	}
	part := func(limit standing) float64 { return unit((parts[limit] + best[limit]*doors) / total) }
	s.Healthy, s.Standby, s.Panic = part(ready), part(reserve), part(out)
	return s
}
