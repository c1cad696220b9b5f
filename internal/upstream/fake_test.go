package upstream

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("down")

// fakeProber answers as it is told, and counts.
type fakeProber struct {
	mu     sync.Mutex
	down   map[string]bool
	probes map[string]int
}

func newFakeProber() *fakeProber {
	return &fakeProber{down: map[string]bool{}, probes: map[string]int{}}
}

func (f *fakeProber) Probe(_ context.Context, host ID, _ model.HealthCheck) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.probes[host.Addr]++
	if f.down[host.Addr] {
		return errDown
	}
	return nil
}

func (f *fakeProber) set(addr string, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[addr] = down
}

func (f *fakeProber) count(addr string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.probes[addr]
}

// run starts the hosts inside a bubble and returns the function that ends them.
func run(t *testing.T, h *Hosts) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// pass lets virtual time go by, and everything that it starts come to rest.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// plain returns a service with a host at each address, in this instance's own cluster.
func plain(addrs ...string) *model.Service {
	s := &model.Service{Name: model.Name{Name: "shop"}, Source: "file/a"}
	for _, a := range addrs {
		s.Endpoints = append(s.Endpoints, model.Endpoint{Addr: a, Weight: 1})
	}
	return s
}

// linked returns a service that is in the clusters, each with one gateway of the same name.
func linked(clusters ...string) *model.Service {
	s := &model.Service{Name: model.Name{Name: "shop"}, Source: model.LinkKind}
	for _, c := range clusters {
		s.Endpoints = append(s.Endpoints, model.Endpoint{Addr: c, Cluster: c, Weight: 1, Gateway: true})
	}
	return s
}

// send picks a host for a new request and lets it end as the outcome says for the host.
func send(p *Pool, outcome func(addr string) Outcome) (addr string, reason Reason) {
	host, reason := p.Pick(&Attempt{})
	if host == nil {
		return "", reason
	}
	x := host.Begin()
	x.Done(outcome(host.Addr()))
	return host.Addr(), reason
}

// fine is the outcome of a good answer.
func fine(string) Outcome { return Outcome{Kind: Answered, Status: 200} }

// failing answers for every host but those, whose outcome has this kind.
func failing(kind Kind, addrs ...string) func(string) Outcome {
	return func(addr string) Outcome {
		for _, a := range addrs {
			if a == addr {
				return Outcome{Kind: kind, Err: errDown}
			}
		}
		return fine(addr)
	}
}

// tally sends n good requests and counts them by host.
func tally(p *Pool, n int) map[string]int {
	got := map[string]int{}
	for range n {
		addr, _ := send(p, fine)
		got[addr]++
	}
	return got
}

// host returns the live host with this address.
func (h *Hosts) host(addr string) *Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, host := range h.hosts {
		if id.Addr == addr {
			return host
		}
	}
	return nil
}
