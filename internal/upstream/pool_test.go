package upstream

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// TestReloadForgetsNothing makes the pool a thousand times anew while requests are going on.
func TestReloadForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := newFakeProber()
		prober.set("sick", true)
		h := NewHosts(Options{Prober: prober})
		s := checked("well", "sick", "ejected")
		p := h.Pool(s, nil)
		stop := run(t, h)
		pass(15 * time.Second)
		waiting := h.host("well").Begin()
		slow := h.host("well").Begin()
		pass(50 * time.Millisecond)
		slow.Done(Outcome{Kind: Answered, Status: 200})
		fail(h.host("ejected"), ConnectError, 3)
		before := h.States()

		pools := make(chan *Pool)
		var requests sync.WaitGroup
		for range 4 {
			requests.Go(func() {
				for p := range pools {
					var a Attempt
					if host, _ := p.Pick(&a); host == nil || host.Addr() != "well" {
						t.Errorf("picked %v", host)
					} else {
						x := host.Begin()
						x.Done(Outcome{}) // so that only the number of requests changes
					}
				}
			})
		}
		for range 1000 {
			changed := *s
			next := h.Pool(&changed, nil)
			p.Close()
			p = next
			pools <- p
		}
		close(pools)
		requests.Wait()

		after := h.States()
		for i := range after {
			if after[i].Addr == "well" {
				if after[i].Requests != before[i].Requests+1000 {
					t.Errorf("%d requests counted, want 1000", after[i].Requests-before[i].Requests)
				}
				after[i].Requests = before[i].Requests
			}
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("a reload changed (-before +after):\n%s", diff)
		}
		waiting.Done(Outcome{})
		if got := h.host("well").InFlight(); got != 0 {
			t.Errorf("%d in flight at the end", got)
		}
		if n := len(h.host("well").pools); n != 1 {
			t.Errorf("the host knows %d pools, want 1", n)
		}
		p.Close()
		stop()
	})
}

// TestRotationSurvivesReloads: reloads between requests do not send them all to the first host.
func TestRotationSurvivesReloads(t *testing.T) {
	h := NewHosts(Options{})
	s := plain("a", "b", "c")
	s.Balance.Picker = model.WRR
	got := ""
	for range 6 {
		p := h.Pool(s, nil)
		addr, _ := send(p, fine)
		got += addr
		p.Close()
	}
	if got != "abcabc" {
		t.Errorf("order %s", got)
	}
}

// TestSameAddressIsOneHost: what one service learns, another one knows.
func TestSameAddressIsOneHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		s := plain("a", "b")
		s.Name.Name = "other"
		p, q := h.Pool(plain("a", "b"), nil), h.Pool(s, nil)
		defer p.Close()
		defer q.Close()
		tally(q, 1) // its view is made
		fail(h.host("a"), ConnectError, 3)
		if got := tally(q, 100); got["b"] != 100 {
			t.Errorf("the other service: %v", got)
		}
	})
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{Tuning: Tuning{RetryFloor: 10}})
		s := plain("a")
		spent := func() (n int) {
			p := h.Pool(s, nil) // a new pool every time: the budget is the service's
			defer p.Close()
			for p.Retry() {
				n++
			}
			return n
		}
		if got := spent(); got != 100 {
			t.Errorf("floor: %d retries, want 10 a second for ten seconds", got)
		}
		if got := spent(); got != 0 {
			t.Errorf("%d more", got)
		}
		pass(11 * time.Second)
		p := h.Pool(s, nil)
		defer p.Close()
		for range 10 {
			pass(900 * time.Millisecond)
			for range 100 {
				var a Attempt
				p.Pick(&a)
				p.Pick(&a) // a further attempt is no request
			}
		}
		if got := spent(); got != 200 {
			t.Errorf("%d retries of 1000 requests, want 200", got)
		}
		pass(11 * time.Second)
		if got := spent(); got != 100 {
			t.Errorf("later: %d retries, want 100", got)
		}
	})
}

// TestConcurrent lets everything happen at once, for the race detector.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := newFakeProber()
		h := NewHosts(Options{Prober: prober})
		stop := run(t, h)
		services := []*model.Service{checked("x", "y"), linked("a", "b", "c"), plain("x", "z")}
		var all sync.WaitGroup
		for i := range 9 {
			all.Go(func() {
				p := h.Pool(services[i%3], nil)
				defer func() { p.Close() }()
				for n := range 200 {
					send(p, failing([]Kind{ConnectError, Broken, Timeout, Abandoned}[n%4], "a", "y"))
					prober.set("b", n%3 == 0)
					p.Portions()
					p.Retry()
					h.States()
					if n%10 == 0 {
						pass100 := time.After(100 * time.Millisecond)
						<-pass100
						next := h.Pool(services[i%3], nil)
						p.Close()
						p = next
					}
				}
			})
		}
		all.Wait()
		stop()
		for _, s := range h.States() {
			if s.InFlight != 0 {
				t.Errorf("%s has %d in flight", s.Addr, s.InFlight)
			}
		}
		if len(h.queue) != 0 || h.running != 0 || h.checks != 0 {
			t.Errorf("left: %d in the queue, %d running, %d registered", len(h.queue), h.running, h.checks)
		}
	})
}

func TestReady(t *testing.T) {
	hosts := NewHosts(Options{})
	s := &model.Service{Name: model.Name{Name: "app"}, Endpoints: []model.Endpoint{
		{Addr: "127.0.0.1:1", Weight: 1}, {Addr: "127.0.0.1:2", Weight: 1},
		{Addr: "127.0.0.1:3", Weight: 0}, {Addr: "127.0.0.1:4", Weight: 1, State: model.Draining},
	}}
	p := hosts.Pool(s, nil)
	defer p.Close()
	if ready, total := p.Ready(); ready != 2 || total != 2 {
		t.Errorf("%d of %d, want 2 of 2", ready, total)
	}
	checked := *s
	checked.Check = &model.HealthCheck{}
	q := hosts.Pool(&checked, nil)
	defer q.Close()
	if ready, total := q.Ready(); ready != 0 || total != 2 {
		t.Errorf("not checked yet: %d of %d, want 0 of 2", ready, total)
	}
}
