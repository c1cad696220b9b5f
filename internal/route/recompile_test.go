package route_test

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/google/go-cmp/cmp"
)

// TestRecompile edits snapshots at random. Each table made from the one before it must answer like one made from
// nothing, and no table may change when others are made from it.
func TestRecompile(t *testing.T) {
	for seed := range uint64(12) {
		d := randomDice(seed)
		var requests []*route.Request
		for range 8 {
			requests = append(requests, d.request())
		}
		s := d.snapshot(d.roll(60))
		table := route.Compile(s)
		tables, answers := []*route.Table{table}, []string{show(table, requests)}
		for range 25 {
			before := s
			for range 1 + d.roll(3) {
				s = d.edit(s)
			}
			after := route.Recompile(table, s)
			got := show(after, requests)
			if want := show(route.Compile(s), requests); got != want {
				t.Fatalf("seed %d: - Compile, + Recompile:\n%s", seed, cmp.Diff(want, got))
			}
			compareSlots(t, table, before, after, s)
			table = after
			tables, answers = append(tables, table), append(answers, got)
		}
		for i := range tables {
			if got := show(tables[i], requests); got != answers[i] {
				t.Fatalf("seed %d: table %d changed:\n%s", seed, i, cmp.Diff(answers[i], got))
			}
			// Not only the next one: others can be made from a table too.
			if want, got := answers[len(answers)-1], show(route.Recompile(tables[i], s), requests); got != want {
				t.Fatalf("seed %d: Recompile from table %d:\n%s", seed, i, cmp.Diff(want, got))
			}
		}
	}
}

// compareSlots checks what rules keep from one table to the next.
func compareSlots(t *testing.T, before *route.Table, old *model.Snapshot, after *route.Table, s *model.Snapshot) {
	t.Helper()
	slots := map[model.Ref]*route.Rule{}
	for slot, rule := range before.Rules() {
		if rule != nil {
			if rule.Slot != slot {
				t.Fatalf("%s is in slot %d, and says %d", rule.Route.Ref(), slot, rule.Slot)
			}
			slots[rule.Route.Ref()] = rule
		}
	}
	var children []*model.Route
	for _, list := range [][]*model.Route{old.Routes, s.Routes} {
		children = append(children, slices.DeleteFunc(slices.Clone(list), func(r *model.Route) bool {
			return len(r.Parents) == 0
		})...)
	}
	n := len(children) / 2
	same := len(children)%2 == 0 && slices.Equal(children[:n], children[n:]) &&
		slices.Equal(old.Services, s.Services) && slices.Equal(old.Middlewares, s.Middlewares) &&
		slices.Equal(old.Transports, s.Transports)
	for _, rule := range after.Rules() {
		if rule == nil {
			continue
		}
		was := slots[rule.Route.Ref()]
		if was == nil {
			continue
		}
		if was.Slot != rule.Slot {
			t.Fatalf("%s went from slot %d to %d", rule.Route.Ref(), was.Slot, rule.Slot)
		}
		if same && was != rule && was.Route == rule.Route && slices.Equal(old.Order, s.Order) {
			t.Fatalf("nothing of %s changed, but its rule is another", rule.Route.Ref())
		}
	}
}

func TestRecompileSwapsOnlyWhatChanged(t *testing.T) {
	s := fleet(20, 5)
	before := route.Compile(s)
	next := *s
	next.Services = slices.Clone(s.Services)
	changed := *s.Services[7]
	changed.Endpoints = changed.Endpoints[1:]
	next.Services[7] = &changed
	// Of the same name as another, but from elsewhere: its route is looked at again, and stays as it is.
	next.Services = append(next.Services, &model.Service{Name: s.Services[9].Name, Source: "docker/a"})
	next.Sort()
	after := route.Recompile(before, &next)
	for slot, rule := range after.Rules() {
		leads := rule.Backends[0].Service == &changed
		if (rule != before.Rules()[slot]) != leads {
			t.Errorf("slot %d: new rule %v, leads to the changed service %v", slot, !leads, leads)
		}
	}
}
