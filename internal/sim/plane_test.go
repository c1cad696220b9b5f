package sim

import (
	"sync"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// plane is what every instance has, at the edge and in a cluster: a catalog, and the tables made of what it says. All
// of them are kept, to see that they stay as they were.
type plane struct {
	w       *world
	who     string
	order   []model.Source
	catalog *catalog.Catalog

	compile func(prev *route.Table, s *model.Snapshot) *route.Table               // honest: route.Recompile
	merge   func([]model.Source, map[model.Source]model.Snapshot) *model.Snapshot // honest: catalog.Merge

	mu          sync.Mutex
	sources     map[model.Source]model.Snapshot // the latest of each
	merged      *model.Snapshot
	table       *route.Table
	generations []generation
	checked     int // of the generations, those that were judged when they were new
}

// generation is a table, with what it answered when it was new.
type generation struct {
	merged  *model.Snapshot
	table   *route.Table
	answers []*model.Route
}

func newPlane(w *world, who string, o catalog.Options) *plane {
	return &plane{
		w: w, who: who, catalog: catalog.New(o), sources: map[model.Source]model.Snapshot{},
		compile: w.hooks.compile, merge: w.hooks.merge,
	}
}

// heard notes what a source said.
func (p *plane) heard(s model.Snapshot) {
	p.w.ledger.enter(p.who, &s)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources[s.Source] = s
}

// apply makes the next table.
func (p *plane) apply(merged *model.Snapshot) *route.Table {
	p.w.ledger.enter(p.who, merged)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.merged, p.table = merged, p.compile(p.table, merged)
	p.generations = append(p.generations, generation{merged, p.table, answers(p.table, p.w.requests)})
	return p.table
}
