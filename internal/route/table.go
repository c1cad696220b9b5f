package route

import (
	"hash/maphash"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// Table is every route of one snapshot, compiled. It is immutable. The zero Table has no routes.
type Table struct {
	snapshot   *model.Snapshot
	generation uint64 // grows from a table to those made from it; see node.born
	seed       maphash.Seed
	lanes      lanes
	nests      map[model.Name]*nest          // of the routes that have parents, by the parent's name
	misplaced  map[model.Ref][]model.Problem // what is wrong with the places of such routes
	rules      []*Rule                       // by slot; nil: free, or the route's rule cannot be compiled
	entries    []*entry                      // by slot; nil: free
	// entryPoints are the lists that routes name, each once: routes share them, so that they are near when they are read.
	entryPoints [][]string
	slots       []int32  // of the snapshot's routes, in their order
	free        []int32  // slots
	uses        postings // by the name of a service, middleware or transport: who refers to it
	claims      postings // by candidate.claim
}

// entry is what a table knows of a route besides its rule. Entries are immutable once their table is.
type entry struct {
	*candidate
	uses     []uint32        // hashes of the names that the route refers to, directly or not; sorted
	problems []model.Problem // of the rule and its references; sorted
	conflict *model.Problem  // set where another route goes first
}

// Match returns the first rule, in the order that [Compile] documents, that accepts the request. It does not allocate.
func (t *Table) Match(q *Request) (*Rule, bool) {
	s := search{q: q, rules: t.rules}
	rule := s.run(t)
	return rule, rule != nil
}

// MatchExported is Match among the routes that are offered to followers, the broken ones included. The entry point does
// not matter: the request came through a link, and it was checked where it came from. TLS is what the client used
// there.
func (t *Table) MatchExported(q *Request) (*Rule, bool) {
	s := search{q: q, rules: t.rules, exported: true}
	rule := s.run(t)
	return rule, rule != nil
}

// MatchUnder is Match among the children of a rule. They have the entry points of their parent.
func (t *Table) MatchUnder(parent *Rule, q *Request) (*Rule, bool) {
	n := t.nests[parent.Route.Name]
	if n == nil {
		return nil, false
	}
	s := search{q: q, rules: t.rules, parent: parent.Route}
	rule := s.look(&n.index, t)
	return rule, rule != nil
}

// Names reports whether there are routes of a lane that name the host, or a wildcard that stands for it.
func (t *Table) Names(lane model.Lane, host string) bool {
	trees := t.lanes.of(lane).trees(t.seed, host)
	return trees[0] != nil || trees[1] != nil
}

// Rules returns the rules by slot; nil where the slot is free or the rule of its route cannot be compiled. The caller
// must not change the slice.
func (t *Table) Rules() []*Rule { return t.rules }

// Problems returns what is wrong with the routes, sorted: what a route refers to is not there or leads in circles, its
// rule cannot be compiled, or another route with the same rule goes first. It does not repeat the snapshot's own.
func (t *Table) Problems() []model.Problem {
	var out []model.Problem
	for _, slot := range t.slots {
		e := t.entries[slot]
		out = append(out, e.problems...)
		out = append(out, t.misplaced[e.route.Ref()]...)
		if e.conflict != nil {
			out = append(out, *e.conflict)
		}
	}
	slices.SortFunc(out, model.Problem.Compare)
	return slices.Compact(out) // several routes may lead to what is wrong
}

// search is one request on its way through the index.
type search struct {
	q        *Request
	rules    []*Rule
	exported bool
	parent   *model.Route // whose children are searched; nil: those that have none are
	best     *candidate   // the first by the order, of those that accept q and were seen so far
}

func (s *search) run(t *Table) *Rule { return s.look(t.lanes.of(s.q.Lane), t) }

func (s *search) look(x *index, t *Table) *Rule {
	for _, tree := range x.trees(t.seed, s.q.Host) {
		if tree != nil {
			s.visit(tree, s.q.Path)
		}
	}
	if s.best == nil {
		return nil
	}
	return s.rules[s.best.slot]
}

// visit tries the candidates of a tree, the longest paths first: they tend to come first in the order, which spares the
// others.
func (s *search) visit(n *node, path string) {
	rest, ok := strings.CutPrefix(path, n.text)
	if !ok {
		return
	}
	if rest == "" {
		s.try(n.exact)
	} else if i := strings.IndexByte(n.labels, rest[0]); i >= 0 {
		s.visit(n.children[i], rest[1:])
	}
	s.try(n.under)
}

// try looks for a better candidate in a sorted list, as far as it can have one.
func (s *search) try(list []*candidate) {
	for _, c := range list {
		if s.best != nil && order(s.best, c) <= 0 {
			return
		}
		if s.open(c) && c.accepts(s.q) && s.rules[c.slot] != nil {
			s.best = c
			return
		}
	}
}

// open reports whether c is among the routes that the search is about.
func (s *search) open(c *candidate) bool {
	if s.parent != nil {
		return c.isChildOf(s.parent)
	}
	if s.exported {
		return c.route.Export.Offered && c.admitsTLS(s.q)
	}
	return c.admits(s.q)
}
