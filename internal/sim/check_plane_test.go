package sim

import (
	"maps"
	"slices"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// recent is how many of the older generations are looked at again when there is a new one.
const recent = 5

// check judges the tables that came since the last time, and reports whether there were any.
func (p *plane) check() (fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := max(1, p.checked); i < len(p.generations); i++ {
		before, after := p.generations[i-1].merged, p.generations[i].merged
		if after.Version == before.Version+1 { // of what was skipped, a service may have come and gone
			checkPointers(p.w, p.who, before, after)
		}
		p.checkRules(p.generations[i-1].table, p.generations[i].table)
	}
	fresh = p.checked < len(p.generations)
	if fresh {
		p.checkGenerations(max(0, p.checked-recent))
		p.checkMerge()
		p.checkCompile()
	}
	p.checked = len(p.generations)
	return fresh
}

// checkGenerations: a table answers as it did when it was new, though there are newer ones (invariant 2).
func (p *plane) checkGenerations(from int) {
	for i := from; i < len(p.generations); i++ {
		g := p.generations[i]
		for j, r := range answers(g.table, p.w.requests) {
			if r != g.answers[j] {
				p.w.broken("generations", "%s: table %d of %d answers %s with %s; when it was new, with %s", p.who, i,
					len(p.generations), requestText(p.w.requests[j]), refOf(r), refOf(g.answers[j]))
			}
		}
	}
}

// checkRules: a rule of which nothing changed keeps its pointer from table to table (invariant 1).
func (p *plane) checkRules(before, after *route.Table) {
	old := before.Rules()
	for slot, rule := range after.Rules() {
		if slot >= len(old) || rule == nil || old[slot] == nil || rule == old[slot] {
			continue
		}
		was := old[slot]
		if was.Route == rule.Route && slices.Equal(was.Backends, rule.Backends) &&
			slices.Equal(was.Middlewares, rule.Middlewares) {
			p.w.broken("pointers", "%s: the rule of %s did not change, and yet is another", p.who, rule.Route.Ref())
		}
	}
}

// checkMerge: what the sources say merges into equal bytes in whichever order it came, and so it is served
// (invariant 4).
func (p *plane) checkMerge() {
	sources := slices.Sorted(maps.Keys(p.sources))
	want := withoutProblems(p.merge(p.order, p.sources))
	if has := withoutProblems(p.merged); has != want {
		p.w.broken("order", "%s serves\n\t%s\nand the sources say\n\t%s", p.who, has, want)
	}
	rng := p.w.rng(p.who, uint64(len(p.generations)))
	for range 2 {
		rng.Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
		c, from := catalog.New(catalog.Options{Order: p.order}), map[model.Source]model.Snapshot{}
		for _, s := range sources {
			from[s] = p.sources[s]
			c.Set(p.sources[s])
		}
		for _, has := range []*model.Snapshot{p.merge(p.order, from), c.Current()} {
			if text := withoutProblems(has); text != want {
				p.w.broken("order", "%s: merged in the order %v\n\t%s\nwant\n\t%s", p.who, sources, text, want)
			}
		}
	}
}

// withoutProblems is a snapshot in bytes, but for what the catalog itself adds to it.
func withoutProblems(s *model.Snapshot) string {
	bare := *s
	bare.Problems, bare.Version = nil, 0
	return string(encode(bare))
}

// checkCompile: a table made step by step is the table made from nothing (invariant 4).
func (p *plane) checkCompile() {
	fresh := route.Compile(p.merged)
	if !slices.Equal(fresh.Problems(), p.table.Problems()) {
		p.w.broken("compile", "%s: problems %v; compiled from nothing, %v", p.who, p.table.Problems(), fresh.Problems())
	}
	want := answers(fresh, p.w.requests)
	for i, r := range answers(p.table, p.w.requests) {
		if r != want[i] {
			p.w.broken("compile", "%s: %s goes to %s; compiled from nothing, to %s", p.who, requestText(p.w.requests[i]),
				refOf(r), refOf(want[i]))
		}
	}
}
