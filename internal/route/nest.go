package route

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/fairlead/fairlead/internal/model"
)

// nest has the routes that are served under parents of one name: which of these, isChildOf says. Nests are immutable
// once their table is.
type nest struct {
	index
	children []*candidate
}

// isChildOf reports whether c is served under a route.
func (c *candidate) isChildOf(parent *model.Route) bool {
	return slices.ContainsFunc(c.route.Parents, func(ref model.Ref) bool {
		source := cmp.Or(ref.Source, c.route.Source)
		return ref.Name == parent.Name && c.route.Lane == parent.Lane &&
			(source == parent.Source || string(source) == parent.Source.Kind())
	})
}

// hasChildren reports whether a route is the parent of some.
func hasChildren(nests map[model.Name]*nest, r *model.Route) bool {
	n := nests[r.Name]
	return n != nil && slices.ContainsFunc(n.children, func(c *candidate) bool { return c.isChildOf(r) })
}

// nest returns the build's own copy of the nest of a name.
func (b *build) nest(name model.Name) *nest {
	if b.nests == nil {
		b.nests = make(map[model.Name]bool)
		if b.table.nests = maps.Clone(b.table.nests); b.table.nests == nil {
			b.table.nests = make(map[model.Name]*nest)
		}
	}
	if !b.nests[name] {
		b.nests[name] = true
		own := new(nest)
		if before := b.table.nests[name]; before != nil {
			*own = nest{before.index, slices.Clone(before.children)}
		}
		b.table.nests[name] = own
	}
	return b.table.nests[name]
}

// parents returns the names of a route's parents, each once.
func parents(r *model.Route) (names []model.Name) {
	for _, ref := range r.Parents {
		if !slices.Contains(names, ref.Name) {
			names = append(names, ref.Name)
		}
	}
	return names
}

// addToIndex brings a candidate to where it is looked for.
func (b *build) addToIndex(c *candidate) {
	if len(c.route.Parents) == 0 {
		b.table.lanes.of(c.route.Lane).add(&b.edit, b.table.seed, c)
		return
	}
	for _, name := range parents(c.route) {
		n := b.nest(name)
		n.add(&b.edit, b.table.seed, c)
		n.children = append(n.children, c)
	}
}

// removeFromIndex takes a candidate from where it is looked for.
func (b *build) removeFromIndex(c *candidate) {
	if len(c.route.Parents) == 0 {
		b.table.lanes.of(c.route.Lane).remove(&b.edit, b.table.seed, c)
		return
	}
	for _, name := range parents(c.route) {
		n := b.nest(name)
		n.remove(&b.edit, b.table.seed, c)
		n.children = slices.DeleteFunc(n.children, func(o *candidate) bool { return o == c })
	}
}

// markParents notes that the routes whose children changed are to be resolved again.
func (b *build) markParents() {
	routes := b.table.snapshot.Routes
	for name := range b.nests {
		for i := routesOf(routes, name); i < len(routes) && routes[i].Name == name; i++ {
			if slot := b.table.slots[i]; b.table.entries[slot] != nil { // nil: among those that came
				b.stale = append(b.stale, slot)
			}
		}
	}
}

// routesOf returns where the first route of a name is, or would be.
func routesOf(routes []*model.Route, name model.Name) int {
	return sort.Search(len(routes), func(i int) bool { return routes[i].Name.Compare(name) >= 0 })
}

// placeChildren finds what is wrong with the places of the routes that have parents: these are not there, or lead in
// circles.
func (b *build) placeChildren() {
	t := b.table
	t.misplaced = nil
	for _, n := range t.nests {
		for _, c := range n.children {
			if t.misplaced == nil {
				t.misplaced = make(map[model.Ref][]model.Problem)
			}
			if ref := c.route.Ref(); t.misplaced[ref] == nil {
				t.misplaced[ref] = b.place(c)
			}
		}
	}
}

// place returns what is wrong with the place of one route.
func (b *build) place(c *candidate) (problems []model.Problem) {
	problem := model.Problem{Object: model.Object{Kind: model.KindRoute, Ref: c.route.Ref()}, Field: "parentRefs"}
	for _, name := range parents(c.route) {
		if len(b.above(c, name)) == 0 {
			problem.Code = model.UnknownParent
			problem.Message = fmt.Sprintf("there is no route %s; define it, or take it away; it is not served there", name)
			problems = append(problems, problem)
		}
	}
	if b.circles(c, c.route, make(map[*model.Route]bool)) {
		problem.Code = model.Cycle
		problem.Message = "routes are each other's parents; break the circle; who comes round it is answered 508"
		problems = append(problems, problem)
	}
	return problems
}

// above returns the parents of a route that have a name.
func (b *build) above(c *candidate, name model.Name) (found []*model.Route) {
	routes := b.table.snapshot.Routes
	for i := routesOf(routes, name); i < len(routes) && routes[i].Name == name; i++ {
		if c.isChildOf(routes[i]) {
			found = append(found, routes[i])
		}
	}
	return found
}

// circles reports whether the parents of a route, and theirs, are the wanted one.
func (b *build) circles(c *candidate, wanted *model.Route, seen map[*model.Route]bool) bool {
	for _, name := range parents(c.route) {
		for _, parent := range b.above(c, name) {
			if parent == wanted {
				return true
			}
			if !seen[parent] {
				seen[parent] = true
				if b.circles(&candidate{route: parent}, wanted, seen) {
					return true
				}
			}
		}
	}
	return false
}
