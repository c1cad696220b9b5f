package api

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// BenchmarkLists asks an instance of 10,000 routes, as many services, and 100,000 endpoints.
func BenchmarkLists(b *testing.B) {
	const many, endpoints = 10_000, 10
	big := newBench(b)
	s := model.Snapshot{Source: "file/main", Version: 1}
	for i := range many {
		n := name(fmt.Sprintf("app-%d", i))
		service := &model.Service{Name: n, Source: s.Source}
		for j := range endpoints {
			addr := fmt.Sprintf("10.%d.%d.%d:80", i/256, i%256, j)
			service.Endpoints = append(service.Endpoints, model.Endpoint{Addr: addr, Weight: 1})
		}
		s.Services = append(s.Services, service)
		s.Routes = append(s.Routes, &model.Route{
			Name: n, Source: s.Source, Match: model.Leaf(model.Host, n.Name+".example"), Priority: 20, Backends: to(n.Name),
		})
	}
	big.set(s)
	for _, what := range []string{
		"routes", "services", "services?name=app-77", "clusters", "hosts", "problems", "explain?url=http://app-77.example",
	} {
		b.Run(what, func(b *testing.B) {
			r := httptest.NewRequest("GET", base+"/"+what, nil)
			r.Header.Set("Authorization", "Bearer "+big.admin)
			for b.Loop() {
				w := httptest.NewRecorder()
				big.ServeHTTP(w, r)
				b.SetBytes(int64(w.Body.Len()))
			}
		})
	}
}
