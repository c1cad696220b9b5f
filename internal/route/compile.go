package route

import (
	"hash/maphash"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// Compile makes a table of a merged snapshot. It is pure, and total: a bad route becomes a [model.Problem].
//
// Of the routes that accept a request, the first in this order serves it:
//
//  1. by Priority, the higher first;
//  2. by the source's place in Snapshot.Order, the earlier first; sources that it does not name come after, as equals;
//  3. by Since, the earlier first; zero, "always ours", before all;
//  4. by TLS: a route for requests over TLS alone goes before one for all, which has the others;
//  5. by name (namespace, then name), then by source.
//
// A route that has parents is not among them: it is served under each of its parents, where the same order decides
// among its children ([Table.MatchUnder]). Where a parent is not there (unknown_parent), it gets no request from there;
// routes may not be each other's parents (cycle). A route with children leads to them, and not to a service besides: it
// is broken then.
//
// Each lane is a world of its own: a connection is led by routes of the lane of TCP only, and they name services and
// middlewares of that lane. The order is the same in all of them.
//
// The order is total, and nothing else decides: not which of two rules is more specific, not which came last.
//
// A mistake takes no guard off a route. It keeps its place, and its requests are answered 503 ([Rule.Broken]), where it
// is Broken in the snapshot, or one of its middlewares is not there (unknown_middleware), leads in circles (cycle) or
// has too many parts (limit_exceeded): the next route in the order might lead to the same service unguarded. A route is
// served with 503 as well where none of its services is there (unknown_service), or its weighted services lead in
// circles or have too many parts; where some of its services are there, they share all the requests. A service whose
// transport is not there (unknown_transport) counts as not there. Only a route whose rule cannot be compiled
// (invalid_rule) is not served, and the next in the order is tried: nobody knows which requests are its own.
//
// A route has a conflict where a served one before it has the same rule and priority, serves one of its entry points,
// is for TLS if it is, and leads elsewhere, or is broken where it is not: it gets no request there.
//
// The snapshot must be sorted, each object in it once, and must not change any more.
func Compile(s *model.Snapshot) *Table { return Recompile(nil, s) }

// Recompile returns what Compile returns, except that routes keep the slots that they have in prev, and rules of which
// nothing changed the pointers. It takes time for what changed, and little for the rest: an object is the same when its
// pointer is. Prev stays as it is; nil is a table without routes.
func Recompile(prev *Table, s *model.Snapshot) *Table {
	b := newBuild(prev, s)
	b.walkRoutes()
	b.markUsers()
	b.update()
	return b.table
}

// build is one Recompile under way.
type build struct {
	prev     *Table
	table    *Table // shares with prev what did not change
	edit     edit
	compiler compiler
	resolver *resolver
	piles    *piles
	owned    bool // entries and rules are the table's own
	fresh    bool // the order of sources changed: nothing of prev is of use but the slots

	came  []arrival
	nests map[model.Name]bool // those of the table that are the build's own
	stale []int32             // slots of routes, other than those that came, whose references are to be resolved again

	uses, claims changes
	contested    []uint32 // claims of which conflicts may have come or gone
}

// arrival is a route that is new or changed.
type arrival struct {
	slot  int32
	route *model.Route
}

// changes of postings.
type changes struct{ gone, came []uint64 }

func newBuild(prev *Table, s *model.Snapshot) *build {
	if prev == nil || prev.snapshot == nil {
		prev = &Table{snapshot: &model.Snapshot{Order: s.Order}, seed: maphash.MakeSeed()}
	}
	t := *prev
	t.snapshot = s
	t.generation++
	b := &build{prev: prev, table: &t, fresh: !slices.Equal(prev.snapshot.Order, s.Order)}
	if b.fresh {
		t.lanes, t.nests, t.uses, t.claims = lanes{}, nil, nil, nil
	}
	b.edit.born = t.generation
	b.resolver = newResolver(s, t.seed)
	return b
}

// walkRoutes gives the routes their slots, takes those that are gone or changed out of the index, and notes which are
// to come in: all must be out before, see [edit].
func (b *build) walkRoutes() {
	t, before, after := b.table, b.prev.snapshot.Routes, b.table.snapshot.Routes
	if !b.fresh && slices.Equal(before, after) {
		return
	}
	b.own()
	t.free = slices.Clone(t.free)
	t.slots = make([]int32, len(after))
	if more := len(after) - len(before); more > 0 {
		t.entries, t.rules = slices.Grow(t.entries, more), slices.Grow(t.rules, more)
		b.came = make([]arrival, 0, more)
	}
	walk(before, after, func(i, j int) {
		switch {
		case j < 0:
			slot := b.prev.slots[i]
			b.drop(slot)
			t.free = append(t.free, slot)
			return
		case i < 0:
			t.slots[j] = b.takeSlot()
		default:
			t.slots[j] = b.prev.slots[i]
			if !b.fresh && before[i] == after[j] {
				return
			}
			b.drop(t.slots[j])
		}
		b.came = append(b.came, arrival{t.slots[j], after[j]})
	})
}

func (b *build) takeSlot() int32 {
	t := b.table
	if last := len(t.free) - 1; last >= 0 {
		slot := t.free[last]
		t.free = t.free[:last]
		return slot
	}
	t.entries = append(t.entries, nil)
	t.rules = append(t.rules, nil)
	return int32(len(t.rules) - 1)
}

// drop takes the route in a slot out of the table.
func (b *build) drop(slot int32) {
	t := b.table
	e := t.entries[slot]
	t.entries[slot], t.rules[slot] = nil, nil
	if b.fresh {
		return
	}
	b.removeFromIndex(e.candidate)
	b.claims.gone = append(b.claims.gone, posting(e.claim, slot))
	b.contested = append(b.contested, e.claim)
	b.noteUses(e, nil)
}

// own makes entries and rules the table's own, before they are written.
func (b *build) own() {
	if !b.owned {
		b.table.entries = slices.Clone(b.table.entries)
		b.table.rules = slices.Clone(b.table.rules)
		b.owned = true
	}
}

// markUsers finds the routes that refer to services, middlewares and transports that are new, changed or gone.
func (b *build) markUsers() {
	if len(b.table.uses) == 0 {
		return
	}
	mark := func(name model.Name) {
		for _, use := range b.table.uses.of(b.resolver.hash(name)) {
			if slot := slotOf(use); b.table.entries[slot] != nil { // nil: gone, or among those that came
				b.stale = append(b.stale, slot)
			}
		}
	}
	eachChange(b.prev.snapshot.Services, b.table.snapshot.Services, mark)
	eachChange(b.prev.snapshot.Middlewares, b.table.snapshot.Middlewares, mark)
	eachChange(b.prev.snapshot.Transports, b.table.snapshot.Transports, mark)
}

// update brings in the routes that came, resolves references, and finds the conflicts that this makes or ends.
func (b *build) update() {
	t := b.table
	b.piles = newPiles(len(b.came) + len(b.stale))
	b.edit.piles, b.resolver.piles = b.piles, b.piles
	b.resolver.expect(len(b.came) + len(b.stale))
	b.claims.came = slices.Grow(b.claims.came, len(b.came))
	b.contested = slices.Grow(b.contested, len(b.came))
	b.uses.came = slices.Grow(b.uses.came, 2*len(b.came)) // most routes name a service and perhaps a middleware
	candidates := make([]*candidate, len(b.came))
	for i, a := range b.came {
		c := b.candidate(a)
		candidates[i] = c
		b.addToIndex(c)
		b.claims.came = append(b.claims.came, posting(c.claim, a.slot))
		b.contested = append(b.contested, c.claim)
	}
	b.edit.settle()
	b.markParents()
	b.resolver.nests = t.nests
	for i, a := range b.came {
		t.entries[a.slot], t.rules[a.slot] = b.resolver.resolve(candidates[i])
		b.noteUses(nil, t.entries[a.slot])
	}
	slices.Sort(b.stale)
	for _, slot := range slices.Compact(b.stale) {
		b.refresh(slot)
	}
	t.uses = t.uses.replace(b.uses)
	t.claims = t.claims.replace(b.claims)
	b.findConflicts()
	b.placeChildren()
}

// refresh resolves the references of a route again.
func (b *build) refresh(slot int32) {
	b.own()
	t := b.table
	before, rule := t.entries[slot], t.rules[slot]
	e, after := b.resolver.resolve(before.candidate)
	e.conflict = before.conflict
	t.entries[slot] = e
	b.noteUses(before, e)
	if !rule.equal(after) {
		t.rules[slot] = after
	}
	if !rule.leadsWith(after) {
		b.contested = append(b.contested, e.claim)
	}
}

// noteUses notes what a route refers to, and no longer refers to; either entry may be nil.
func (b *build) noteUses(before, after *entry) {
	if before != nil && after != nil && slices.Equal(before.uses, after.uses) {
		return
	}
	if before != nil {
		for _, use := range before.uses {
			b.uses.gone = append(b.uses.gone, posting(use, before.slot))
		}
	}
	if after != nil {
		for _, use := range after.uses {
			b.uses.came = append(b.uses.came, posting(use, after.slot))
		}
	}
}
