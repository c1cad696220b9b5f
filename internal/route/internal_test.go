package route

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// TestNothingIsLeft: what comes and goes leaves nothing in the index, however often.
func TestNothingIsLeft(t *testing.T) {
	table := Compile(&model.Snapshot{})
	for round := range 5 {
		s := &model.Snapshot{}
		for i := range 300 {
			s.Routes = append(s.Routes, &model.Route{
				Name: model.Name{Name: fmt.Sprint(round, "-", i)},
				Match: model.Match{Of: []model.Match{
					{Op: model.Any, Of: []model.Match{
						model.Leaf(model.Host, fmt.Sprint("h", i%70)), model.Leaf(model.Host, fmt.Sprint("*.h", i%50)),
						model.Leaf(model.Method, fmt.Sprint("M", i%2)),
					}[:2+i%2]},
					model.Leaf([]model.Test{model.Path, model.PathPrefix}[i%2], fmt.Sprint("/p/", i%90)),
				}},
				Backends: []model.Backend{{Service: model.Ref{Name: model.Name{Name: "none"}}}},
			})
		}
		s.Sort()
		table = Recompile(table, s)
		if table.lanes.http.exact.len == 0 || table.lanes.http.suffix.len == 0 || table.lanes.http.anywhere == nil {
			t.Fatal("the index lacks a part")
		}
		for len(s.Routes) > 0 {
			less := *s
			less.Routes = slices.Delete(slices.Clone(s.Routes), 0, min(len(s.Routes), 7))
			s = &less
			table = Recompile(table, s)
		}
		x := &table.lanes.http
		if x.exact.len+x.suffix.len+len(table.uses)+len(table.claims) > 0 || x.anywhere != nil {
			t.Errorf("left: %d hosts, %d suffixes, %d uses, %d claims, %v",
				x.exact.len, x.suffix.len, len(table.uses), len(table.claims), x.anywhere)
		}
		if len(table.rules) > 300 {
			t.Errorf("%d slots for 300 routes", len(table.rules))
		}
	}
}

func TestProductIsBounded(t *testing.T) {
	var hosts, paths model.Match
	hosts.Op, paths.Op = model.Any, model.Any
	for i := range 100 {
		hosts.Of = append(hosts.Of, model.Leaf(model.Host, fmt.Sprint("h", i)))
		paths.Of = append(paths.Of, model.Leaf(model.Path, fmt.Sprint("/", i)))
	}
	for _, of := range [][]model.Match{{hosts, paths}, {paths, hosts}} {
		keys, rest := cover(&model.Match{Of: of})
		if len(keys) != 100 || keys[0].host == "" || rest == nil {
			t.Errorf("%d keys like %v, the rest %s", len(keys), keys[0], rest)
		}
		p, err := new(compiler).compile(rest)
		if err != nil {
			t.Fatal(err)
		}
		if p.failed(&Request{Host: "h1", Path: "/nowhere"}) == nil || p.failed(&Request{Host: "h1", Path: "/7"}) != nil {
			t.Error("the rest does not test the paths")
		}
	}
	var both []model.Match
	for i := range 10 {
		both = append(both, model.Match{Of: []model.Match{
			model.Leaf(model.Host, fmt.Sprint("h", i)), model.Leaf(model.Path, fmt.Sprint("/", i)),
		}})
	}
	if keys, rest := cover(&model.Match{Op: model.Any, Of: both}); len(keys) != 10 || rest != nil {
		t.Errorf("alternatives: %v, %s", keys, rest)
	}
}
