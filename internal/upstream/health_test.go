package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// checked is plain with a check every ten seconds.
func checked(addrs ...string) *model.Service {
	s := plain(addrs...)
	s.Check = &model.HealthCheck{Path: "/up", Interval: 10 * time.Second, Timeout: time.Second, Rise: 2, Fall: 2}
	return s
}

func TestUnknownIsReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := newFakeProber()
		prober.set("b", true)
		h := NewHosts(Options{Prober: prober})
		p := h.Pool(checked("a", "b"), nil)
		defer p.Close()
		if got, reason := send(p, failing(Abandoned, "a", "b")); got == "" || reason != Standby {
			t.Fatalf("before any check: %q, %q", got, reason)
		}
		// A request may say that a host is up, too: then the unknown one is not used any more.
		for send(p, failing(Abandoned, "b")); h.host("a").State().Health != Healthy; {
			send(p, failing(Abandoned, "b"))
		}
		if got := tally(p, 100); got["a"] != 100 {
			t.Errorf("a is healthy, b unknown: %v", got)
		}
	})
}

func TestUncheckedIsUsedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		p := h.Pool(plain("a"), nil)
		defer p.Close()
		if addr, reason := send(p, fine); addr != "a" || reason != OK {
			t.Errorf("got %q, %q", addr, reason)
		}
	})
}

func TestActiveCheckRisesAndFalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := newFakeProber()
		h := NewHosts(Options{Prober: prober})
		p := h.Pool(checked("a", "b"), nil)
		defer p.Close()
		defer run(t, h)()
		pass(100 * time.Millisecond)
		if s := h.States(); s[0].Health != Healthy || s[1].Health != Healthy {
			t.Fatalf("after the first probes: %+v", s)
		}
		prober.set("b", true)
		pass(11 * time.Second)
		if got := h.host("b").State().Health; got != Healthy {
			t.Errorf("after one failure of two: %s", got)
		}
		pass(11 * time.Second)
		if s := h.host("b").State(); s.Health != Unhealthy || s.LastError != "down" {
			t.Errorf("after two failures: %+v", s)
		}
		if got := tally(p, 100); got["b"] != 0 {
			t.Errorf("unhealthy b got %v", got)
		}
		prober.set("b", false)
		pass(11 * time.Second)
		if got := h.host("b").State().Health; got != Unhealthy {
			t.Errorf("after one success of two: %s", got)
		}
		for h.host("b").State().Health != Healthy {
			pass(100 * time.Millisecond)
		}
		if got := tally(p, 100); got["b"] != 0 {
			t.Errorf("b in hold-down got %v", got)
		}
		pass(3*time.Second + time.Millisecond)
		if got := tally(p, 10000); got["b"] < 500 || got["b"] > 1400 { // a tenth of a's weight
			t.Errorf("b at the start of its ramp got %v", got)
		}
		pass(11 * time.Second)
		if got := tally(p, 10000); got["b"] < 4500 {
			t.Errorf("b after its ramp got %v", got)
		}
	})
}

func TestChecksAreKeptPerDefinition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := newFakeProber()
		h := NewHosts(Options{Prober: prober})
		one, other := checked("a"), checked("a")
		other.Name.Name, other.Check = "other", &model.HealthCheck{Path: "/other", Interval: 10 * time.Second}
		p, q := h.Pool(one, nil), h.Pool(other, nil)
		defer run(t, h)()
		pass(100 * time.Millisecond)
		if got := prober.count("a"); got != 2 {
			t.Errorf("%d first probes, want one for each check", got)
		}
		changed := *one
		changed.Check = &model.HealthCheck{Path: "/new", Interval: 10 * time.Second}
		p2 := h.Pool(&changed, nil)
		p.Close()
		pass(100 * time.Millisecond)
		if got := prober.count("a"); got != 3 {
			t.Errorf("%d probes, want one more for the changed check", got)
		}
		if same := h.Pool(other, nil); same.members[0].check != q.members[0].check {
			t.Error("the check that did not change was replaced")
		} else {
			same.Close()
		}
		p2.Close()
		q.Close()
		before := prober.count("a")
		pass(time.Minute)
		if got := prober.count("a"); got != before {
			t.Errorf("%d probes of a host that nobody uses", got-before)
		}
	})
}

func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{Prober: newFakeProber()})
		defer run(t, h)()
		p := h.Pool(checked("a"), nil)
		host := h.host("a")
		pass(100 * time.Millisecond)
		p.Close()
		p.Close() // counts once
		pass(4 * time.Minute)
		p = h.Pool(checked("a"), nil)
		if h.host("a") != host || host.State().Health != Healthy || p.members[0].check.since == 0 {
			t.Errorf("after four minutes: %+v", h.States())
		}
		p.Close()
		x := host.Begin()
		pass(10 * time.Minute)
		if h.host("a") == nil {
			t.Error("a host with a request in flight was forgotten")
		}
		x.Done(Outcome{})
		pass(2 * time.Minute)
		if len(h.States()) != 0 || len(h.services) != 0 {
			t.Errorf("not forgotten: %+v", h.States())
		}
	})
}
