package upstream

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/model"
)

// group is a cluster of a view, with the hosts of it that may be used.
type group struct {
	name    string // of the cluster
	tier    int
	share   float64 // percent
	until   uint64  // the end of its part of all uint64; the part begins where that of the group before ends
	hash    uint64
	picker  model.Picker
	slots   []slot
	equal   bool     // every slot has the same weight
	order   []uint32 // wrr: the indexes of slots in the order of turns
	turn    *rotation
	reserve []*Host // what a retry may use when there is nothing else
}

// slot is a host with its weight.
type slot struct {
	host   *Host
	weight float64 // 1 is the average of the group
	until  float64 // sum of the weights up to this one
}

// rotation counts turns. It lives with the service, so that a new view or pool goes on where the last one was.
type rotation struct{ count atomic.Uint64 }

// next returns the number of the turn, from 0.
func (r *rotation) next() uint64 { return r.count.Add(1) - 1 }

// point returns the next of a sequence of points that fills all uint64 evenly at every moment (multiples of the golden
// ratio), so that any part of it gets its share, and soon.
func (r *rotation) point() uint64 { return r.count.Add(1) * golden }

const golden = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio

// fraction turns a part from 0 to 1 into one of all uint64.
func fraction(x float64) uint64 {
	if x >= 1 {
		return math.MaxUint64
	}
	return uint64(x * (1 << 63) * 2)
}

// group puts together what may be used of a cluster: the hosts that stand no worse than worst.
func (c *cluster) group(all []assessment, worst standing, picker model.Picker) group {
	g := group{name: c.share.Cluster, tier: c.share.Tier, hash: c.hash, picker: picker, turn: c.turn, equal: true}
	sum := 0.0
	for i, m := range c.members {
		a := all[i]
		switch {
		case !m.offered():
		case a.standing <= worst:
			sum += a.weight
			g.slots = append(g.slots, slot{m.host, a.weight, sum})
		case a.standing == reserve:
			g.reserve = append(g.reserve, m.host)
		}
	}
	average := sum / float64(len(g.slots))
	for i := range g.slots {
		g.slots[i].weight /= average
		g.equal = g.equal && g.slots[i].weight == g.slots[0].weight
	}
	if picker == model.WRR && !g.equal {
		g.order = turns(g.slots)
	}
	return g
}

// turns lays out one round of a weighted rotation, each host's turns spread evenly over it. The round has at most about
// maxTurns turns: finer weights are rounded, but everybody has a turn.
func turns(slots []slot) []uint32 {
	type turn struct {
		at   float64 // from 0 to 1
		slot uint32
	}
	least := slots[0].weight
	for _, s := range slots {
		least = min(least, s.weight)
	}
	const maxTurns = 4000
	unit := max(least/10, float64(len(slots))/maxTurns) // a tenth, because a slow start goes by tenths
	var all []turn
	for i, s := range slots {
		n := max(1, int(math.Round(s.weight/unit)))
		for k := range n {
			all = append(all, turn{(float64(k) + 0.5) / float64(n), uint32(i)}) //nolint:gosec // an index of a slice
		}
	}
	slices.SortStableFunc(all, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	order := make([]uint32, len(all))
	for i, t := range all {
		order[i] = t.slot
	}
	return order
}

// pick chooses a host. The group has at least one.
func (g *group) pick(now int64, client uint64) *Host {
	if len(g.slots) == 1 {
		return g.slots[0].host
	}
	switch g.picker {
	case model.WRR:
		n := g.turn.next()
		if g.order == nil {
			return g.slots[n%uint64(len(g.slots))].host
		}
		return g.slots[g.order[n%uint64(len(g.order))]].host
	case model.LRQ:
		return g.idlest()
	case model.LRT:
		return g.soonest(now)
	case model.HRW:
		return g.rendezvous(client)
	}
	return g.better(now)
}

// draw returns a random slot, by weight.
func (g *group) draw() *slot {
	if g.equal {
		return &g.slots[rand.IntN(len(g.slots))] //nolint:gosec // spreading load needs no secret
	}
	x := rand.Float64() * g.slots[len(g.slots)-1].until //nolint:gosec // as above
	i := sort.Search(len(g.slots)-1, func(i int) bool { return x < g.slots[i].until })
	return &g.slots[i]
}

// clearly is by how much the second of two hosts must be better to be preferred. While both do well, the first drawn
// stays, so that the split follows the weights and not the noise of their latencies.
const clearly = 1.25

// better draws two hosts by weight and prefers the one that costs less: the latency expected × (1 + requests in
// flight for its weight). Both draws are from all, so one host may be drawn twice: every host gets requests, however
// slow it was.
func (g *group) better(now int64) *Host {
	a, b := g.draw(), g.draw()
	slow, fast := a.host.expected(now), b.host.expected(now)
	if slow == 0 || fast == 0 {
		slow, fast = 1, 1 // one is not measured yet: only the load counts, lest it be flooded
	}
	slow *= 1 + float64(a.host.inFlight.Load())/a.weight
	fast *= 1 + float64(b.host.inFlight.Load())/b.weight
	if fast*clearly < slow {
		return b.host
	}
	return a.host
}

// idlest returns the host with the fewest requests in flight for its weight, among at most 64 in a row; among equals
// the one drawn by weight.
func (g *group) idlest() *Host {
	const most = 64
	best := g.draw()
	load := float64(best.host.inFlight.Load()) / best.weight
	start := 0
	if len(g.slots) > most {
		start = rand.IntN(len(g.slots)) //nolint:gosec // spreading load needs no secret
	}
	for i := range min(most, len(g.slots)) {
		s := &g.slots[(start+i)%len(g.slots)]
		if l := float64(s.host.inFlight.Load()) / s.weight; l < load {
			best, load = s, l
		}
	}
	return best.host
}

// soonest returns the host with the least average time × (1 + requests in flight) for its weight; among equals the one
// drawn by weight. One that is not measured yet counts as if it were as fast as the fastest: it gets requests, but no
// flood of them before the first is answered.
func (g *group) soonest(now int64) *Host {
	fastest := math.Inf(1)
	for i := range g.slots {
		if mean := g.slots[i].host.usual(now); mean > 0 {
			fastest = min(fastest, mean)
		}
	}
	if math.IsInf(fastest, 1) {
		fastest = 1
	}
	best := g.draw()
	least := best.due(now, fastest)
	for i := range g.slots {
		if due := g.slots[i].due(now, fastest); due < least {
			best, least = &g.slots[i], due
		}
	}
	return best.host
}

// due says how long a request would take, for the weight. Unknown stands for a time that is not known.
func (s *slot) due(now int64, unknown float64) float64 {
	mean := s.host.usual(now)
	if mean == 0 {
		mean = unknown
	}
	return mean * (1 + float64(s.host.inFlight.Load())) / s.weight
}

// rendezvous returns the host that the client belongs to. When hosts come and go, only the clients of those move.
func (g *group) rendezvous(client uint64) *Host {
	var best *Host
	most := -1.0
	for i := range g.slots {
		s := &g.slots[i]
		score := float64(mix(client ^ s.host.hash))
		if !g.equal {
			score = weigh(s.weight, mix(client^s.host.hash))
		}
		if score > most {
			best, most = s.host, score
		}
	}
	return best
}

// weigh is the weighted score of rendezvous hashing: the highest of several wins as often as its weight says.
func weigh(weight float64, hash uint64) float64 {
	return weight / -math.Log((float64(hash>>11)+0.5)/(1<<53))
}

// mix spreads the bits of x (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// MarkOf tells a name from others, the same in every process.
func MarkOf(name string) uint64 { return hashText(name) }

// Score says how much a client belongs to the one of several that has the name: it goes where its score is highest. So
// each gets its part by weight, and when one comes or goes, only its own clients move.
func Score(client netip.Addr, name string, weight float64) float64 {
	return weigh(weight, mix(hashClient(client)^hashText(name)))
}

// hashText hashes a name; the same in every process.
func hashText(s string) uint64 {
	sum := fnv.New64a()
	sum.Write([]byte(s))
	return sum.Sum64()
}

// hashClient hashes an address; the same in every process. An IPv4 address in IPv6 form is the same client.
func hashClient(addr netip.Addr) uint64 {
	b := addr.As16()
	return mix(binary.BigEndian.Uint64(b[:8])*golden ^ binary.BigEndian.Uint64(b[8:]))
}
