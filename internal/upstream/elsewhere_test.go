package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// A request that may go elsewhere is not sent to hosts that are used for want of others only.
func TestElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		p := h.Pool(plain("a", "b"), nil)
		defer p.Close()
		a := Attempt{Elsewhere: true}
		first, _ := p.Pick(&a)
		second, _ := p.Pick(&a)
		if first == nil || second == nil || first == second {
			t.Fatalf("%v, then %v", first, second)
		}
		if third, reason := p.Pick(&a); third != nil || reason != NoneHealthy {
			t.Errorf("a third attempt goes to %v (%s)", third, reason)
		}
		fail(h.host("a"), ConnectError, 3)
		fail(h.host("b"), ConnectError, 3)
		if host, _ := p.Pick(&Attempt{Elsewhere: true}); host != nil || p.Up() || p.Wanted() {
			t.Errorf("ejected: %v, up %v, wanted %v", host, p.Up(), p.Wanted())
		}
		if host, _ := p.Pick(new(Attempt)); host == nil {
			t.Error("with nowhere else to go, there is no panic")
		}
		pass(1200 * time.Millisecond)
		if p.Up() || !p.Wanted() {
			t.Errorf("when a trial is due: up %v, wanted %v", p.Up(), p.Wanted())
		}
		for range 2 { // one trial for each
			if host, reason := p.Pick(&Attempt{Elsewhere: true}); host == nil || reason != Trial {
				t.Errorf("the trial: %v, %s", host, reason)
			}
		}
		if host, _ := p.Pick(&Attempt{Elsewhere: true}); host != nil || p.Wanted() {
			t.Errorf("during the trials: %v, wanted %v", host, p.Wanted())
		}
		x := h.host("a").Begin()
		x.Done(fine("a"))
		if !p.Up() {
			t.Error("it is not up when a trial went well")
		}
	})
}

// At the start, when no check has told yet, a service is up. In hold-down it is not: what stands in for it goes on.
func TestUpWithChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := newFakeProber()
		h := NewHosts(Options{Prober: prober})
		s := checked("a")
		s.Check.Unhealthy = 100 * time.Millisecond
		p := h.Pool(s, nil)
		defer p.Close()
		if !p.Up() {
			t.Error("before the first check, it is not up")
		}
		defer run(t, h)()
		pass(100 * time.Millisecond)
		prober.set("a", true)
		pass(12 * time.Second) // the first failure
		before := prober.count("a")
		pass(time.Second)
		if n := prober.count("a") - before; n < 8 || n > 12 {
			t.Errorf("%d checks a second while it is down, want about 10", n)
		}
		if p.Up() {
			t.Error("it is up when checks fail")
		}
		prober.set("a", false)
		pass(200 * time.Millisecond) // the first success: two are wanted, and the hold-down follows
		if p.Up() {
			t.Error("it is up at once")
		}
		pass(15 * time.Second)
		if !p.Up() {
			t.Error("it is not up again")
		}
	})
}

func TestPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		s := plain("a", "b", "c")
		s.Sticky = &model.Sticky{Name: "s"}
		s.Endpoints[1].State, s.Endpoints[2].Weight = model.Draining, 0
		p := h.Pool(s, nil)
		defer p.Close()
		for _, addr := range []string{"a", "b", "c"} {
			if host, _ := p.Pick(&Attempt{Pin: MarkOf(addr)}); host.Addr() != addr {
				t.Errorf("the session of %s goes to %s", addr, host.Addr())
			}
		}
		again := Attempt{Pin: MarkOf("b")}
		p.Pick(&again)
		if host, _ := p.Pick(&again); host.Addr() != "a" {
			t.Errorf("after b failed, its session goes to %s", host.Addr())
		}
		fail(h.host("b"), ConnectError, 3)
		if host, _ := p.Pick(&Attempt{Pin: MarkOf("b")}); host.Addr() != "a" {
			t.Errorf("with b ejected, its session goes to %s", host.Addr())
		}
		if host, _ := p.Pick(&Attempt{Pin: 1}); host.Addr() != "a" {
			t.Errorf("a session of nobody goes to %s", host.Addr())
		}
	})
}

func TestPassive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		s := plain("a", "b")
		s.Passive = &model.Passive{Failures: 2, Window: 10 * time.Second}
		p := h.Pool(s, nil)
		defer p.Close()
		ill := func() { x := h.host("a").Begin(); x.Done(Outcome{Kind: Answered, Status: 503}) }
		out := func() bool { return !h.host("a").State().Ejected.IsZero() }
		ill()
		pass(11 * time.Second) // past the window
		ill()
		if out() {
			t.Fatal("two failures that are not in one window put it out")
		}
		send(p, fine)
		x := h.host("a").Begin()
		x.Done(fine("a"))
		ill()
		if out() {
			t.Fatal("two failures that are not in a row put it out")
		}
		ill()
		if lasts := time.Until(h.host("a").State().Ejected); lasts < 9*time.Second || lasts > 11*time.Second {
			t.Fatalf("it is out for %v, want about 10 s", lasts)
		}
		// Another service that has it is stricter; when that is gone, so is its rule.
		strict := plain("b")
		strict.Name.Name = "strict"
		strict.Passive = &model.Passive{Failures: 1, Window: time.Minute}
		q := h.Pool(strict, nil)
		q.Close()
		x = h.host("b").Begin()
		x.Done(Outcome{Kind: Answered, Status: 500})
		if !h.host("b").State().Ejected.IsZero() {
			t.Error("the rule of a pool that is closed counts")
		}
		q = h.Pool(strict, nil)
		defer q.Close()
		x = h.host("b").Begin()
		x.Done(Outcome{Kind: Answered, Status: 500})
		if h.host("b").State().Ejected.IsZero() {
			t.Error("the stricter rule does not count")
		}
	})
}

// A session of a cluster goes through any of the cluster's gateways, and to no other cluster while one of them leads
// there.
func TestPinCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := newFakeProber()
		ready, total := 0, 0
		h := NewHosts(Options{Prober: prober, Capacity: func(c string, _ model.Name) (int, int, bool) {
			return ready, total, c == "a"
		}})
		s := linked("a", "b")
		s.Sticky = &model.Sticky{Name: "place"}
		s.Balance.Shares = []model.Share{{Cluster: "a", Weight: 0}, {Cluster: "b", Weight: 1}}
		s.Endpoints = append(s.Endpoints, model.Endpoint{Addr: "a2", Cluster: "a", Weight: 1, Gateway: true})
		p := h.Pool(s, nil)
		defer p.Close()
		defer run(t, h)()
		pass(100 * time.Millisecond)
		pin := h.host("a").Mark()
		if pin != h.host("a2").Mark() || pin == h.host("b").Mark() {
			t.Fatal("the gateways of a cluster have not the same mark")
		}
		at := func(want string) Attempt {
			t.Helper()
			a := Attempt{Pin: pin}
			if host, _ := p.Pick(&a); host.Cluster() != want {
				t.Errorf("the session goes to %s, want %s", host.Cluster(), want)
			}
			return a
		}
		at("a") // drained by its weight, and by its servers: none takes new sessions
		total = 3
		pass(2 * time.Second)
		at("b") // they are unhealthy
		ready = 1
		pass(2 * time.Second)
		served := at("a")
		if host, _ := p.Pick(&served); host.Cluster() != "b" {
			t.Errorf("after a has not served it, the request goes to %s", host.Addr())
		}
		turned := at("a")
		first := turned.tried[0]
		prober.set(first.Addr(), true)
		x := first.Begin()
		x.Done(Outcome{Kind: ConnectError, Err: errDown})
		if host, _ := p.Pick(&turned); host == first || host.Cluster() != "a" {
			t.Errorf("after one gateway of a is lost, the session goes to %s", host.Addr())
		}
		if host, _ := p.Pick(&turned); host.Cluster() != "b" {
			t.Errorf("after a has not served it through the other, the request goes to %s", host.Addr())
		}
		prober.set("a", true)
		prober.set("a2", true)
		pass(5 * time.Second)
		at("b")
	})
}
