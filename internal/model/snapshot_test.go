package model_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

func route(name string, priority int) *model.Route {
	return &model.Route{Name: model.Name{Name: name}, Source: "file/a", Priority: priority}
}

func TestReuse(t *testing.T) {
	secret := func(text string) []*model.Middleware {
		return []*model.Middleware{{APIKey: &model.APIKey{Hashes: []model.Secret{model.NewSecret(text)}}}}
	}
	reach := func(idle int) []*model.Transport {
		return []*model.Transport{{Name: model.Name{Name: "t"}, IdleConnsPerHost: idle}}
	}
	stale := []model.Problem{{Code: model.Stale}}
	cases := []struct {
		name       string
		prev, next model.Snapshot
		changed    bool
		reused     int // routes of next that are prev's after it
	}{
		{"nothing", model.Snapshot{}, model.Snapshot{}, false, 0},
		{"the same", routes(route("a", 1), route("b", 1)), routes(route("a", 1), route("b", 1)), false, 2},
		{"first added", routes(route("b", 1)), routes(route("a", 1), route("b", 1)), true, 1},
		{"last added", routes(route("a", 1)), routes(route("a", 1), route("b", 1)), true, 1},
		{"first removed", routes(route("a", 1), route("b", 1)), routes(route("b", 1)), true, 1},
		{"last removed", routes(route("a", 1), route("b", 1)), routes(route("a", 1)), true, 1},
		{"all removed", routes(route("a", 1)), model.Snapshot{}, true, 0},
		{"one replaced", routes(route("a", 1), route("b", 1)), routes(route("a", 2), route("b", 1)), true, 1},
		{"one for another", routes(route("a", 1), route("b", 1)), routes(route("b", 1), route("c", 1)), true, 1},
		{"version only", model.Snapshot{Version: 1}, model.Snapshot{Version: 2}, false, 0},
		{"problem", model.Snapshot{}, model.Snapshot{Problems: stale}, true, 0},
		{"order", model.Snapshot{}, model.Snapshot{Order: []model.Source{"a"}}, true, 0},
		{"transport", model.Snapshot{Transports: reach(1)}, model.Snapshot{Transports: reach(2)}, true, 0},
		{"same transport", model.Snapshot{Transports: reach(1)}, model.Snapshot{Transports: reach(1)}, false, 0},
		{"same secret", model.Snapshot{Middlewares: secret("x")}, model.Snapshot{Middlewares: secret("x")}, false, 0},
		{"new secret", model.Snapshot{Middlewares: secret("x")}, model.Snapshot{Middlewares: secret("y")}, true, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := model.Reuse(&tc.prev, &tc.next); got != tc.changed {
				t.Errorf("changed is %v, want %v", got, tc.changed)
			}
			reused := 0
			for _, r := range tc.next.Routes {
				if slices.Contains(tc.prev.Routes, r) {
					reused++
				}
			}
			if reused != tc.reused {
				t.Errorf("%d routes kept their pointers, want %d", reused, tc.reused)
			}
		})
	}
}

func routes(list ...*model.Route) model.Snapshot { return model.Snapshot{Routes: list} }

// Reuse says "changed" exactly when the bytes differ, changes no byte, leaves prev alone, and keeps every pointer it
// can.
func TestReuseAgreesWithBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prev, next := drawRoutes(t), drawRoutes(t)
		before, want := encode(t, prev), encode(t, next)
		pointers := slices.Clone(prev.Routes)
		changed := model.Reuse(&prev, &next)
		if changed != (before != want) {
			t.Fatalf("changed is %v:\n%s\n%s", changed, before, want)
		}
		if got := encode(t, next); got != want {
			t.Fatalf("it changed the new snapshot:\n%s\n%s", want, got)
		}
		if !slices.Equal(pointers, prev.Routes) || encode(t, prev) != before {
			t.Fatal("it changed the old snapshot")
		}
		for _, r := range next.Routes {
			old, ok := model.Find(prev.Routes, r.Ref())
			if ok && cmp.Equal(old, r) && old != r {
				t.Fatalf("%v did not keep its pointer", r.Ref())
			}
		}
	})
}

// To recall what was published spares comparing, and changes nothing else.
func TestRecallAgreesWithReuse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		published, said := drawRoutes(t), model.Snapshot{}
		for _, r := range published.Routes { // equal, but not the same
			again := *r
			said.Routes = append(said.Routes, rapid.SampledFrom([]*model.Route{r, &again}).Draw(t, "again"))
		}
		next := drawRoutes(t)
		for i, r := range next.Routes {
			if old, ok := model.Find(said.Routes, r.Ref()); ok && rapid.Bool().Draw(t, "unchanged") {
				next.Routes[i] = old
			}
		}
		recalled, want := next.WithOwnLists(), next.WithOwnLists()
		model.Recall(&said, &published, &recalled)
		for i, r := range recalled.Routes {
			if at := slices.Index(said.Routes, next.Routes[i]); at >= 0 && r != published.Routes[at] {
				t.Fatalf("%v is not recalled", r.Ref())
			}
		}
		a, b := model.Reuse(&published, &recalled), model.Reuse(&published, &want)
		if a != b || !slices.Equal(recalled.Routes, want.Routes) {
			t.Fatalf("with recalling: %v, %s; without: %v, %s", a, encode(t, recalled), b, encode(t, want))
		}
	})
}

// Whatever came before, a list is sorted, and what is new in it is brought in order.
func TestSortAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last, next := drawRoutes(t), drawRoutes(t)
		for i, r := range next.Routes {
			if old, ok := model.Find(last.Routes, r.Ref()); ok && rapid.Bool().Draw(t, "unchanged") {
				next.Routes[i] = old
			} else {
				r.EntryPoints = []string{"web", "second"}
			}
		}
		want := slices.Clone(next.Routes)
		if rapid.Bool().Draw(t, "shuffle") {
			shuffle(t, next.Routes)
		}
		next.SortAfter(&last)
		if !slices.Equal(next.Routes, want) {
			t.Fatalf("not sorted: %s", encode(t, next))
		}
		for _, r := range next.Routes {
			if !slices.IsSorted(r.EntryPoints) {
				t.Fatalf("the entry points of %v are not sorted", r.Ref())
			}
		}
	})
}

func drawRoutes(t *rapid.T) model.Snapshot {
	var s model.Snapshot
	for i := range 5 {
		if priority := rapid.IntRange(0, 3).Draw(t, "priority"); priority > 0 {
			s.Routes = append(s.Routes, route(fmt.Sprint("route-", i), priority))
		}
	}
	return s
}

func encode(t *rapid.T, s model.Snapshot) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFind(t *testing.T) {
	list := []*model.Route{route("a", 1), route("b", 1), route("d", 1)}
	for _, want := range list {
		if got, ok := model.Find(list, want.Ref()); !ok || got != want {
			t.Errorf("%v: got %v, %v", want.Ref(), got, ok)
		}
	}
	for _, ref := range []string{"", "a", "a@file/b", "c@file/a", "e@file/a"} {
		if got, ok := model.Find(list, model.ParseRef(ref)); ok || got != nil {
			t.Errorf("found %q: %v", ref, got)
		}
	}
}

func TestSort(t *testing.T) {
	sorted := func() model.Snapshot {
		return model.Snapshot{
			Services: []*model.Service{
				{
					Name: model.Name{Name: "a"}, Endpoints: []model.Endpoint{{Addr: "1:1"}, {Addr: "2:1"}, {Addr: "3:1"}},
					Balance: model.Balance{Shares: []model.Share{{Cluster: ""}, {Cluster: "oslo"}, {Cluster: "rome"}}},
				},
				{Name: model.Name{Name: "a"}, Source: "file/b"},
				{Name: model.Name{Namespace: "n", Name: "a"}},
			},
			Routes: []*model.Route{
				{Name: model.Name{Name: "a"}, EntryPoints: []string{"udp", "web", "websecure"}},
				{Name: model.Name{Name: "b"}},
				{Name: model.Name{Name: "c"}},
			},
			Middlewares: []*model.Middleware{{Name: model.Name{Name: "a"}}, {Name: model.Name{Name: "b"}}},
			Transports:  []*model.Transport{{Name: model.Name{Name: "a"}}, {Name: model.Name{Name: "b"}}},
			Problems:    []model.Problem{{Code: model.Late}, {Code: model.Stale}, {Code: model.Stale, Since: time.Unix(1, 0)}},
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		got := sorted()
		shuffle(t, got.Services)
		shuffle(t, got.Routes)
		shuffle(t, got.Middlewares)
		shuffle(t, got.Transports)
		shuffle(t, got.Problems)
		for _, s := range got.Services {
			shuffle(t, s.Endpoints)
			shuffle(t, s.Balance.Shares)
		}
		for _, r := range got.Routes {
			shuffle(t, r.EntryPoints)
		}
		got.Sort()
		if diff := cmp.Diff(sorted(), got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func shuffle[T any](t *rapid.T, list []T) { copy(list, rapid.Permutation(list).Draw(t, "order")) }
