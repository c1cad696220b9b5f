package link

import (
	"context"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// services returns a snapshot of n routes to a service each.
func services(n int) *model.Snapshot {
	routes := make([]*model.Route, n)
	for i := range routes {
		r := route(fmt.Sprintf("team-%d/service-%d", i%50, i))
		r.Match = model.Match{Of: []model.Match{
			model.Leaf(model.Host, fmt.Sprintf("service-%d.example", i)), model.Leaf(model.PathPrefix, "/api/"),
		}}
		r.EntryPoints = []string{"websecure"}
		routes[i] = r
	}
	return snapshot(routes...)
}

// with returns s with one route more, and its service.
func with(s *model.Snapshot, i int) *model.Snapshot {
	extra := route(fmt.Sprintf("team-7/extra-%d", i))
	extra.Match = model.Leaf(model.Host, fmt.Sprintf("extra-%d.example", i))
	next := &model.Snapshot{
		Routes:   append(append([]*model.Route{}, s.Routes...), extra),
		Services: append(append([]*model.Service{}, s.Services...), &model.Service{Name: extra.Name, Source: extra.Source}),
	}
	next.Sort()
	return next
}

// BenchmarkChange adds a service and takes another away, among 1,000, over TLS and HTTP/2. It reports the bytes that
// the cluster sends for it, TLS included.
func BenchmarkChange(b *testing.B) {
	ca := newAuthority(b)
	c := newCluster("fra")
	base := services(1000)
	c.Publish(base)
	stopCluster := start(c.Run)
	addr, sent := serve(b, c, ca.server, false)
	config, err := ClientTLS(ca.pin, "")
	if err != nil {
		b.Fatal(err)
	}
	client := NewTransport(config)
	f := NewFollower(FollowerOptions{
		Cluster: "fra", Addresses: []string{addr}, Key: func() (string, error) { return "good", nil },
		Client: client, Grant: everything, Log: quiet,
	})
	states := make(chan model.Snapshot, 1)
	stop := start(func(ctx context.Context) error { return f.Run(ctx, func(s model.Snapshot) { states <- s }) })
	<-states
	changed := make([]*model.Snapshot, b.N)
	for i := range changed {
		changed[i] = with(base, i)
	}
	before := sent.Load()
	b.ResetTimer()
	for _, s := range changed {
		c.Publish(s)
		<-states
	}
	b.StopTimer()
	b.ReportMetric(float64(sent.Load()-before)/float64(b.N), "wire-B/op")
	_, _ = stop(), stopCluster()
	client.CloseIdleConnections()
}

// BenchmarkColdStart follows a cluster of 10,000 services from nothing.
func BenchmarkColdStart(b *testing.B) {
	ca := newAuthority(b)
	c := newCluster("fra")
	c.Publish(services(10_000))
	stopCluster := start(c.Run)
	addr, sent := serve(b, c, ca.server, false)
	config, err := ClientTLS(ca.pin, "")
	if err != nil {
		b.Fatal(err)
	}
	client := NewTransport(config)
	for b.Loop() {
		f := NewFollower(FollowerOptions{
			Cluster: "fra", Addresses: []string{addr}, Key: func() (string, error) { return "good", nil },
			Client: client, Grant: everything, Log: quiet,
		})
		states := make(chan model.Snapshot, 1)
		stop := start(func(ctx context.Context) error { return f.Run(ctx, func(s model.Snapshot) { states <- s }) })
		if s := <-states; len(s.Routes) != 10_000 {
			b.Fatal(len(s.Routes))
		}
		_ = stop()
	}
	b.ReportMetric(float64(sent.Load())/float64(b.N), "wire-B/op")
	_ = stopCluster()
	client.CloseIdleConnections()
}

// BenchmarkPublish is what a change of one route costs the exporter among 10,000.
func BenchmarkPublish(b *testing.B) {
	c := newCluster("fra")
	base := services(10_000)
	states := [2]*model.Snapshot{base, with(base, 0)}
	c.Publish(base)
	i := 0
	for b.Loop() {
		i++
		c.Publish(states[i%2])
	}
}

// BenchmarkApply is what it costs the follower.
func BenchmarkApply(b *testing.B) {
	f := NewFollower(FollowerOptions{Cluster: "fra", Addresses: []string{"x:1"}, Grant: everything, Log: quiet})
	s := &session{f: f}
	all := newBatch(true)
	for _, r := range show(services(10_000).Routes) {
		all.routes[r.wireName()] = encode(exportRoute(r.wireName(), r.Route))
	}
	if err := f.known.apply(all, f.state.Since); err != nil {
		b.Fatal(err)
	}
	extra := encode(exportRoute("extra", route("extra")))
	i := 0
	for b.Loop() {
		i++
		one := newBatch(false)
		one.routes["extra"] = nil
		if i%2 == 0 {
			one.routes["extra"] = extra
		}
		if err := f.known.apply(one, f.state.Since); err != nil {
			b.Fatal(err)
		}
		s.f.snapshot()
	}
}
