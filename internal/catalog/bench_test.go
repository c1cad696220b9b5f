package catalog

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// fleet is 10,000 routes and as many services with 100,000 endpoints: one local source, and 20 links of which ten each
// export the same 400 services.
func fleet() map[model.Source]model.Snapshot {
	from := map[model.Source]model.Snapshot{"file/local": list("file/local", 2000, 0)}
	for i := range 20 {
		source := model.LinkSource(fmt.Sprintf("cluster-%02d", i))
		from[source] = list(source, 400, i%2*400)
	}
	return from
}

// list makes a source's snapshot of size services of ten endpoints and their routes, with the numbers that follow
// first.
func list(source model.Source, size, first int) model.Snapshot {
	s := model.Snapshot{Source: source, Version: 1}
	for i := first; i < first+size; i++ {
		name := model.Name{Namespace: "prod", Name: fmt.Sprintf("service-%05d", i)}
		service := &model.Service{Name: name, Source: source}
		for port := range 10 {
			service.Endpoints = append(service.Endpoints, model.Endpoint{
				Addr: fmt.Sprintf("%s.example:%d", source.Instance(), 9000+port), Cluster: source.Instance(), Weight: 1,
			})
		}
		host := fmt.Sprintf("%s.%s.example", name.Name, source.Instance())
		s.Services = append(s.Services, service)
		s.Routes = append(s.Routes, &model.Route{
			Name: name, Source: source, Match: model.Leaf(model.Host, host), Priority: len(host),
			Backends: []model.Backend{{Service: service.Ref(), Weight: 1}},
		})
	}
	s.Sort()
	return s
}

func BenchmarkMerge(b *testing.B) {
	from := fleet()
	b.ReportAllocs()
	for b.Loop() {
		Merge(nil, from)
	}
}

// BenchmarkChangeOne is one source publishing again with one object changed.
func BenchmarkChangeOne(b *testing.B) {
	for _, source := range []model.Source{"file/local", "link/cluster-07"} {
		before := fleet()[source]
		route, service := before, before
		route.Routes = replaced(before.Routes)
		service.Services = replaced(before.Services)
		b.Run("route of "+source.Kind(), func(b *testing.B) { benchmarkChange(b, before, route) })
		b.Run("service of "+source.Kind(), func(b *testing.B) { benchmarkChange(b, before, service) })
	}
}

// replaced returns a copy of list in which the object in the middle is another, equal one.
func replaced[T any](list []*T) []*T {
	out := append([]*T(nil), list...)
	object := *list[len(list)/2]
	out[len(list)/2] = &object
	return out
}

func benchmarkChange(b *testing.B, before, after model.Snapshot) {
	c := New(Options{})
	for _, s := range fleet() {
		c.Set(s)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Set(after)
		before, after = after, before
	}
}
