package route_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// fleet returns hosts × paths routes, each with a service of its own, ten endpoints each, and one of ten middlewares.
func fleet(hosts, paths int) *model.Snapshot {
	s := &model.Snapshot{Order: []model.Source{"file"}}
	for i := range 10 {
		s.Middlewares = append(s.Middlewares, &model.Middleware{
			Name: model.Name{Name: fmt.Sprintf("m%d", i)}, Source: "file", Headers: &model.Headers{},
		})
	}
	for i := range hosts * paths {
		name := model.Name{Namespace: fmt.Sprintf("team-%02d", i%37), Name: fmt.Sprintf("app-%06d", i)}
		svc := &model.Service{Name: name, Source: "file"}
		for e := range 10 {
			addr := fmt.Sprintf("10.%d.%d.%d:8080", i>>8&255, i&255, e)
			svc.Endpoints = append(svc.Endpoints, model.Endpoint{Addr: addr, Weight: 1})
		}
		match := model.Match{Of: []model.Match{
			model.Leaf(model.Host, fleetHost(i/paths)), model.Leaf(model.PathPrefix, fleetPath(i%paths)),
		}}
		s.Services = append(s.Services, svc)
		s.Routes = append(s.Routes, &model.Route{
			Name: name, Source: "file", EntryPoints: []string{"websecure"}, Match: match, Priority: len(match.String()),
			Backends:    []model.Backend{{Service: model.Ref{Name: name}, Weight: 1}},
			Middlewares: []model.Ref{{Name: model.Name{Name: fmt.Sprintf("m%d", i%10)}}},
		})
	}
	s.Sort()
	return s
}

func fleetHost(i int) string { return fmt.Sprintf("shop-%05d.customers.example", i) }
func fleetPath(i int) string { return fmt.Sprintf("/api/v1/part-%05d", i) }

// shapes are the ways in which routes spread over hosts and paths.
var shapes = []struct{ hosts, paths int }{{1000, 10}, {10_000, 1}, {1, 10_000}, {10_000, 10}}

func eachShape(b *testing.B, f func(b *testing.B, s *model.Snapshot, hosts, paths int)) {
	for _, shape := range shapes {
		b.Run(fmt.Sprintf("%dx%d", shape.hosts, shape.paths), func(b *testing.B) {
			f(b, fleet(shape.hosts, shape.paths), shape.hosts, shape.paths)
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	eachShape(b, func(b *testing.B, s *model.Snapshot, _, _ int) {
		b.ReportAllocs()
		for b.Loop() {
			route.Compile(s)
		}
	})
}

// BenchmarkChangeOne goes to and fro between two snapshots that differ in one object.
func BenchmarkChangeOne(b *testing.B) {
	changes := []struct {
		name string
		make func(s *model.Snapshot)
	}{
		{"route", func(s *model.Snapshot) {
			s.Routes = slices.Clone(s.Routes)
			changed := *s.Routes[len(s.Routes)/3]
			changed.Priority++
			s.Routes[len(s.Routes)/3] = &changed
		}},
		{"route-gone", func(s *model.Snapshot) {
			s.Routes = slices.Delete(slices.Clone(s.Routes), len(s.Routes)/3, len(s.Routes)/3+1)
		}},
		{"service", func(s *model.Snapshot) {
			s.Services = slices.Clone(s.Services)
			changed := *s.Services[len(s.Services)/3]
			changed.Endpoints = changed.Endpoints[1:]
			s.Services[len(s.Services)/3] = &changed
		}},
		{"service-gone", func(s *model.Snapshot) {
			s.Services = slices.Delete(slices.Clone(s.Services), len(s.Services)/3, len(s.Services)/3+1)
		}},
	}
	for _, change := range changes {
		b.Run(change.name, func(b *testing.B) {
			eachShape(b, func(b *testing.B, s *model.Snapshot, _, _ int) {
				after := *s
				change.make(&after)
				snapshots := []*model.Snapshot{s, &after}
				t := route.Compile(s)
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					i ^= 1
					t = route.Recompile(t, snapshots[i])
				}
			})
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	eachShape(b, func(b *testing.B, s *model.Snapshot, hosts, paths int) {
		t := route.Compile(s)
		requests := make([]route.Request, 4096)
		for i := range requests {
			n := i * 7919 % (hosts * paths)
			requests[i] = route.Request{
				EntryPoint: "websecure", TLS: true, Method: "GET", Host: fleetHost(n / paths), Path: fleetPath(n%paths) + "/item/7",
				ClientIP: netip.AddrFrom4([4]byte{192, 0, 2, 1}),
			}
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, ok := t.Match(&requests[i%len(requests)]); !ok {
				b.Fatal("no match")
			}
			i++
		}
	})
}
