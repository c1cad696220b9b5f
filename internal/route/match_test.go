package route_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

func FuzzMatch(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(randomDice(seed).bytes[:2000])
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		d := &dice{bytes}
		s := d.snapshot(60)
		table := route.Compile(s)
		for range 30 {
			compare(t, s, table, d.request())
		}
	})
}

func compareRule(t *testing.T, q *route.Request, rule *route.Rule, ok bool, want *model.Route, broken bool) {
	t.Helper()
	switch {
	case ok != (want != nil) || ok && rule.Route != want:
		t.Fatalf("%+v:\n got %s\nwant %s", *q, shown(rule), shownRoute(want))
	case ok && (rule.Broken != broken || broken && rule.Middlewares != nil):
		t.Errorf("%s: broken %v, want %v; %v", shown(rule), rule.Broken, broken, rule.Middlewares)
	}
}

// compare compares a table with the twin.
func compare(t *testing.T, s *model.Snapshot, table *route.Table, q *route.Request) {
	t.Helper()
	for _, exported := range []bool{false, true} {
		match := table.Match
		if exported {
			match = table.MatchExported
		}
		rule, ok := match(q)
		want, broken := twin(s, q, exported)
		compareRule(t, q, rule, ok, want, broken)
		for depth := 0; ok && rule.Parent && depth < route.MaxDepth; depth++ {
			want, broken = twinUnder(want, s, q, false)
			rule, ok = table.MatchUnder(rule, q)
			compareRule(t, q, rule, ok, want, broken)
		}
	}
	rule, _ := table.Match(q)
	for depth := 0; rule != nil && rule.Parent && !rule.Broken && depth < route.MaxDepth; depth++ {
		child, ok := table.MatchUnder(rule, q)
		if !ok {
			break
		}
		rule = child
	}
	var chosen *route.Rule
	for _, step := range table.Explain(q) {
		if step.Chosen != (step.Why == "" || step.Chosen && step.Rule.Broken) {
			t.Errorf("%+v: chosen %v, but %q", *q, step.Chosen, step.Why)
		}
		if step.Chosen {
			chosen = step.Rule
		}
	}
	if chosen != rule {
		t.Errorf("%+v: Explain chose %s, Match %s", *q, shown(chosen), shown(rule))
	}
}

func shown(r *route.Rule) string {
	if r == nil {
		return "none"
	}
	return shownRoute(r.Route)
}

func shownRoute(r *model.Route) string {
	if r == nil {
		return "none"
	}
	return fmt.Sprintf("%s priority %d, %v: %s", r.Ref(), r.Priority, r.EntryPoints, r.Match)
}

func TestMatchLikeTwin(t *testing.T) {
	for seed := range uint64(40) {
		d := randomDice(seed)
		s := d.snapshot(100)
		table := route.Compile(s)
		for range 100 {
			if compare(t, s, table, d.request()); t.Failed() {
				t.Fatal("seed", seed)
			}
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes the pools of package regexp forget")
	}
	s := &model.Snapshot{}
	every := []model.Match{
		model.Leaf(model.Host, "*.a.test"), model.Leaf(model.PathPrefix, "/a"), model.Leaf(model.HostRegexp, "^x"),
		model.Leaf(model.PathRegexp, "b$"), model.Leaf(model.Method, "GET"), model.Leaf(model.ClientIP, "10.0.0.0/8"),
		{Op: model.Is, Test: model.Header, Key: "X-A", Value: "a"},
		{Op: model.Is, Test: model.HeaderRegexp, Key: "X-A", Value: "^a"},
		{Op: model.Is, Test: model.Query, Key: "k", Value: "a b"},
		{Op: model.Is, Test: model.QueryRegexp, Key: "j", Value: "^[0-9]$"},
		{Op: model.Not, Of: []model.Match{model.Leaf(model.Path, "/a/c")}},
		{Op: model.Any, Of: []model.Match{model.Leaf(model.Path, "/a/c"), model.Leaf(model.Path, "/a/b")}},
	}
	s.Routes = append(s.Routes,
		&model.Route{Name: model.Name{Name: "all"}, EntryPoints: []string{"web"}, TLS: true, Match: model.Match{Of: every}},
		&model.Route{Name: model.Name{Name: "none"}, Match: model.Match{
			Op: model.Not, Of: []model.Match{{Op: model.Any, Of: every}},
		}},
	)
	table := route.Compile(s)
	header := http.Header{"X-A": {"b", "a"}}
	if n := testing.AllocsPerRun(1000, func() {
		q := route.Request{
			EntryPoint: "web", Default: true, TLS: true, Method: "GET", Host: "x.a.test", Path: "/a/b", Header: header,
			RawQuery: "x=1&k=a%20c&k=%61+b&j=1", ClientIP: netip.AddrFrom4([4]byte{10, 1, 1, 1}),
		}
		if rule, ok := table.Match(&q); !ok || rule.Route.Name.Name != "all" {
			panic("wrong rule")
		}
		q.Host = "nowhere.test"
		if _, ok := table.Match(&q); ok {
			panic("wrong rule")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
