package route

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// candidate is the matching half of a route: which requests it asks for, and its place in the order.
type candidate struct {
	// First what Match reads.
	priority    int
	precedence  int32 // the source's place in Snapshot.Order; see resolver.precedence
	slot        int32
	entryPoints []string
	residual    *predicate // what to test besides the keys; nil: nothing
	tls         bool
	strict      bool // what came over TLS and what did not are not the same to it: see admitsTLS
	route       *model.Route

	keys []key // where the index has it
	// claim is a hash of what the route asks for and of its priority: routes in conflict have the same.
	claim uint32
	err   error // the rule cannot be compiled; never served
}

// candidate compiles the matching half of a route.
func (b *build) candidate(a arrival) *candidate {
	r := a.route
	c := b.piles.candidates.one(b.piles.size)
	*c = candidate{
		route: r, slot: a.slot, priority: r.Priority, precedence: b.resolver.precedence(r.Source),
		tls: r.TLS, strict: r.Lane == model.LaneTCP,
		entryPoints: b.shared(r.EntryPoints), claim: claimOf(b.table.seed, r),
	}
	var rest *model.Match
	if c.keys, rest = cover(&r.Match); rest == nil {
		return c
	}
	if p, err := b.compiler.compile(rest); err != nil {
		c.err = err
	} else {
		c.residual = &p
	}
	return c
}

// maxShared bounds the lists of entry points that a table shares among routes, which are searched one by one.
const maxShared = 32

// shared returns the table's own copy of a list of entry points.
func (b *build) shared(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	t := b.table
	for _, known := range t.entryPoints {
		if slices.Equal(known, list) {
			return known
		}
	}
	if len(t.entryPoints) < maxShared {
		t.entryPoints = append(slices.Clip(t.entryPoints), list)
	}
	return list
}

// order is the total order of [Compile]: negative when a goes before b.
func order(a, b *candidate) int {
	if a.priority != b.priority {
		return sign(a.priority > b.priority)
	}
	if a.precedence != b.precedence {
		return sign(a.precedence < b.precedence)
	}
	if d := a.route.Since.Compare(b.route.Since); d != 0 {
		return d
	}
	if a.tls != b.tls {
		return sign(a.tls)
	}
	return a.route.Ref().Compare(b.route.Ref())
}

func sign(first bool) int {
	if first {
		return -1
	}
	return 1
}

// admits reports whether the route serves the entry point that q came in at, the way it came.
func (c *candidate) admits(q *Request) bool {
	return c.servesEntryPoint(q) && c.admitsTLS(q)
}

// admitsTLS reports whether the route serves what came as q did: over TLS, or in plain text. In the lane of TCP, a
// service that expects plain text cannot make anything of TLS. It reads nothing but the candidate, since it is asked
// for every request, and each line of memory that is not at hand takes as long as all of its tests.
func (c *candidate) admitsTLS(q *Request) bool {
	return q.TLS == c.tls || q.TLS && !c.strict
}

func (c *candidate) servesEntryPoint(q *Request) bool {
	if len(c.entryPoints) == 0 {
		return q.Default
	}
	return slices.Contains(c.entryPoints, q.EntryPoint)
}

// accepts reports whether q, which falls under one of c's keys, passes what is left to test.
func (c *candidate) accepts(q *Request) bool {
	return c.residual == nil || c.residual.failed(q) == nil
}

// claimOf hashes what [model.Match.String], the priority, TLS and the lane say together, without rendering anything.
func claimOf(seed maphash.Seed, r *model.Route) uint32 {
	h := hasher{seed: seed, sum: uint64(r.Priority)}
	if r.TLS {
		h.sum = ^h.sum
	}
	if r.Lane != model.LaneHTTP {
		h.text(string(r.Lane))
	}
	for _, parent := range r.Parents {
		h.text(parent.String())
	}
	h.match(&r.Match)
	return uint32(h.sum >> 32)
}

type hasher struct {
	seed maphash.Seed
	sum  uint64
}

func (h *hasher) text(s string) {
	h.sum = (bits.RotateLeft64(h.sum, 5) ^ maphash.String(h.seed, s)) * 0x9e3779b97f4a7c15
}

// match gives trees that render equally the same hash: a list of one operand is that operand.
func (h *hasher) match(m *model.Match) {
	switch {
	case m.Op == model.Is:
		h.text(string(m.Test))
		h.text(m.Key)
		h.text(m.Value)
	case len(m.Of) == 1 && m.Op != model.Not:
		h.match(&m.Of[0])
	default:
		for i := range m.Of {
			h.text(string(m.Op))
			h.match(&m.Of[i])
		}
	}
}
