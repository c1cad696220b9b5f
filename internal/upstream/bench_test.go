package upstream

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

func many(n int, picker model.Picker) *model.Service {
	s := &model.Service{Name: model.Name{Name: "shop"}, Balance: model.Balance{Picker: picker}}
	for i := range n {
		s.Endpoints = append(s.Endpoints, model.Endpoint{Addr: fmt.Sprintf("10.0.%d.%d:80", i/250, i%250), Weight: 1})
	}
	return s
}

// BenchmarkPick measures what a request costs here: Pick, Begin, Answered and Done.
func BenchmarkPick(b *testing.B) {
	for _, picker := range []model.Picker{model.P2C, model.WRR, model.LRQ, model.LRT, model.HRW} {
		for _, n := range []int{1, 10, 1000} {
			b.Run(fmt.Sprintf("%s/%d", picker, n), func(b *testing.B) {
				p := NewHosts(Options{}).Pool(many(n, picker), nil)
				defer p.Close()
				benchmarkRequests(b, p)
			})
		}
	}
	b.Run("clusters/3", func(b *testing.B) {
		s := many(9, model.P2C)
		for i := range s.Endpoints {
			s.Endpoints[i].Cluster = fmt.Sprint(i % 3)
		}
		p := NewHosts(Options{}).Pool(s, nil)
		defer p.Close()
		benchmarkRequests(b, p)
	})
}

// TestNoAllocations: what every request does allocates nothing.
func TestNoAllocations(t *testing.T) {
	for _, picker := range []model.Picker{model.P2C, model.WRR, model.LRQ, model.LRT, model.HRW} {
		p := NewHosts(Options{}).Pool(many(10, picker), nil)
		defer p.Close()
		client := netip.MustParseAddr("192.0.2.7")
		got := testing.AllocsPerRun(1000, func() {
			a := Attempt{Client: client}
			for range 2 {
				host, _ := p.Pick(&a)
				x := host.Begin()
				x.Answered(200)
				x.Done(Outcome{Kind: Answered, Status: 200})
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations", picker, got)
		}
	}
}

func benchmarkRequests(b *testing.B, p *Pool) {
	b.ReportAllocs()
	client := netip.MustParseAddr("192.0.2.7")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a := Attempt{Client: client}
			host, _ := p.Pick(&a)
			x := host.Begin()
			x.Answered(200)
			x.Done(Outcome{Kind: Answered, Status: 200})
		}
	})
}

// BenchmarkView measures making a view, which happens after a change only.
func BenchmarkView(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := NewHosts(Options{}).Pool(many(n, model.P2C), nil)
			defer p.Close()
			for b.Loop() {
				p.look(p.hosts.now())
			}
		})
	}
}

// BenchmarkReload measures making ten thousand pools anew over the same gateways.
func BenchmarkReload(b *testing.B) {
	h := NewHosts(Options{})
	services := make([]*model.Service, 10000)
	old := make([]*Pool, len(services))
	for i := range services {
		services[i] = linked("a", "b")
		services[i].Name.Name = fmt.Sprint(i)
		old[i] = h.Pool(services[i], nil)
	}
	for b.Loop() {
		for i, s := range services {
			p := h.Pool(s, nil)
			old[i].Close()
			old[i] = p
		}
	}
}
