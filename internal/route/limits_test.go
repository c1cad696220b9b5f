package route_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

func TestExplainIsBounded(t *testing.T) {
	s := &model.Snapshot{}
	for i := range 300 {
		s.Routes = append(s.Routes, &model.Route{
			Name: model.Name{Name: fmt.Sprintf("r%03d", i)}, Match: model.Leaf(model.PathPrefix, fmt.Sprintf("/%03d", i/2)),
		})
	}
	q := &route.Request{Path: "/149", Default: true}
	table := route.Compile(s)
	steps := table.Explain(q)
	if len(steps) != 100 {
		t.Errorf("%d steps", len(steps))
	}
	if a, b := steps[98], steps[99]; !a.Chosen || a.Route != s.Routes[298] || b.Route != s.Routes[299] {
		t.Errorf("the last two steps are %s and %s", a, b)
	}
}

// TestReferencesAreBounded: twenty levels that name the next level twice stand for a million parts.
func TestReferencesAreBounded(t *testing.T) {
	s := &model.Snapshot{}
	name := func(i int) model.Name { return model.Name{Name: fmt.Sprintf("n%02d", i)} }
	for i := range 20 {
		next := model.Ref{Name: name(i + 1)}
		s.Services = append(s.Services, &model.Service{
			Name: name(i), Backends: []model.Backend{{Service: next, Weight: 1}, {Service: next, Weight: 1}},
		})
		s.Middlewares = append(s.Middlewares, &model.Middleware{
			Name: name(i), Chain: &model.Chain{Middlewares: []model.Ref{next, next}},
		})
	}
	s.Services = append(s.Services, &model.Service{Name: name(20)})
	s.Middlewares = append(s.Middlewares, &model.Middleware{Name: name(20), Headers: &model.Headers{}})
	top := model.Ref{Name: name(0)}
	s.Routes = []*model.Route{
		{Name: name(1), Match: model.Leaf(model.Host, "a"), Backends: []model.Backend{{Service: top}}},
		{Name: name(2), Match: model.Leaf(model.Host, "b"), Middlewares: []model.Ref{top}, Backends: []model.Backend{
			{Service: model.Ref{Name: name(20)}},
		}},
	}
	s.Sort()
	table := route.Compile(s)
	problems := table.Problems()
	if len(problems) != 2 || problems[0].Code != model.LimitExceeded || problems[1].Code != model.LimitExceeded {
		t.Errorf("problems: %v", problems)
	}
	if rule, ok := table.Match(&route.Request{Host: "a", Default: true}); !ok || len(rule.Backends) != 0 {
		t.Errorf("the route with too many services is %v, %v; want one with no backends", rule, ok)
	}
	rule, ok := table.Match(&route.Request{Host: "b", Default: true})
	if !ok || !rule.Broken || rule.Middlewares != nil {
		t.Errorf("the route with too many middlewares is %v, %v; want a broken one", rule, ok)
	}
}

// TestLargeWeights: shares are about right whatever the weights; nothing that has a share loses it.
func TestLargeWeights(t *testing.T) {
	ref := func(name string) model.Ref { return model.Ref{Name: model.Name{Name: name}} }
	huge := []model.Backend{{Service: ref("a"), Weight: math.MaxInt}, {Service: ref("b"), Weight: 1}}
	s := &model.Snapshot{
		Services: []*model.Service{
			{Name: ref("a").Name}, {Name: ref("b").Name},
			{Name: ref("w").Name, Backends: []model.Backend{
				{Service: ref("a"), Weight: 999_983}, {Service: ref("b"), Weight: 7},
			}},
			{Name: ref("x").Name, Backends: []model.Backend{{Service: ref("w"), Weight: 1}, {Service: ref("b"), Weight: 0}}},
			{Name: ref("y").Name, Backends: huge},
		},
		Routes: []*model.Route{{Backends: []model.Backend{
			{Service: ref("w"), Weight: math.MaxInt}, {Service: ref("x"), Weight: 1 << 20}, {Service: ref("y"), Weight: -1},
		}}},
	}
	rule, ok := route.Compile(s).Match(&route.Request{Default: true})
	if !ok {
		t.Fatal("no rule")
	}
	var weights []int
	for _, b := range rule.Backends {
		weights = append(weights, b.Weight)
	}
	for i, want := range []bool{true, true, true, true, false, false, false} {
		if i >= len(weights) || (weights[i] > 0) != want || weights[i] > 1<<20 {
			t.Fatalf("weights %v", weights)
		}
	}
	if weights[0] != weights[2] || weights[0] < 1000*weights[1] {
		t.Errorf("weights %v: w and x should share evenly, and most of it go to a", weights)
	}
}
