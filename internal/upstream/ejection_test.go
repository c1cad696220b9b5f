package upstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// fail makes n requests in a row fail at the host.
func fail(h *Host, kind Kind, n int) {
	for range n {
		x := h.Begin()
		x.Done(Outcome{Kind: kind, Err: errDown})
	}
}

func TestEjectionDoublesUntilATrialSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		p := h.Pool(plain("a", "b", "c"), nil)
		defer p.Close()
		fail(h.host("a"), ConnectError, 2)
		if !h.host("a").State().Ejected.IsZero() {
			t.Fatal("ejected after two failures")
		}
		fail(h.host("a"), ConnectError, 1)
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			lasts := time.Until(h.host("a").State().Ejected).Seconds()
			if lasts < float64(want)*0.89 || lasts > float64(want)*1.11 {
				t.Errorf("ejected for %v s, want about %d", lasts, want)
			}
			if got := tally(p, 100); got["a"] != 0 {
				t.Errorf("while ejected: %v", got)
			}
			pass(time.Duration(float64(want)*1.11) * time.Second)
			pass(time.Second)
			if addr, reason := send(p, failing(ConnectError, "a")); addr != "a" || reason != Trial {
				t.Errorf("trial: %q, %q", addr, reason)
			}
		}
		pass(67 * time.Second)
		if addr, reason := send(p, fine); addr != "a" || reason != Trial {
			t.Errorf("last trial: %q, %q", addr, reason)
		}
		if got := tally(p, 3000); got["a"] < 60 || got["a"] > 300 {
			t.Errorf("at the start of the ramp: %v", got)
		}
		pass(11 * time.Second)
		if got := tally(p, 3000); got["a"] < 800 {
			t.Errorf("after the ramp: %v", got)
		}
	})
}

func TestOneTrialAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		p := h.Pool(plain("a", "b"), nil)
		defer p.Close()
		fail(h.host("a"), ConnectError, 3)
		pass(2 * time.Second)
		trials := 0
		for range 100 {
			if host, reason := p.Pick(&Attempt{}); reason == Trial && host.Addr() == "a" {
				trials++
			}
		}
		if trials != 1 {
			t.Errorf("%d trials at once", trials)
		}
	})
}

func TestNoNewsFromBeforeTheEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		p := h.Pool(plain("a", "b"), nil)
		defer p.Close()
		a := h.host("a")
		bad, good := a.Begin(), a.Begin()
		pass(time.Millisecond)
		fail(a, Broken, 3)
		until := a.State().Ejected
		pass(2 * time.Second)
		bad.Done(Outcome{Kind: Broken})
		good.Done(Outcome{Kind: Answered, Status: 200})
		if got := a.State().Ejected; !got.Equal(until) {
			t.Errorf("old exchanges moved the end of the ejection from %v to %v", until, got)
		}
	})
}

func TestEjectionLimit(t *testing.T) {
	tests := map[string]struct {
		kind Kind
		used int // of four hosts, three fail
	}{
		"at most half may be out for bad answers": {Broken, 2},
		"who cannot be connected to is out":       {ConnectError, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := NewHosts(Options{})
				p := h.Pool(plain("a", "b", "c", "d"), nil)
				defer p.Close()
				for _, addr := range []string{"a", "b", "c"} {
					pass(time.Millisecond)
					fail(h.host(addr), test.kind, 3)
				}
				used := map[string]bool{}
				for range 200 {
					host, _ := p.Pick(&Attempt{})
					used[host.Addr()] = true
				}
				if len(used) != test.used {
					t.Errorf("used: %v", used)
				}
			})
		})
	}
}

func TestPanicServesAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		s := plain("a", "b")
		p := h.Pool(s, nil)
		defer p.Close()
		fail(h.host("a"), ConnectError, 3)
		fail(h.host("b"), ConnectError, 3)
		closed := *s
		closed.Balance.FailClosed = true
		q := h.Pool(&closed, nil)
		defer q.Close()
		if addr, reason := send(q, fine); addr != "" || reason != NoneHealthy {
			t.Errorf("fail closed: %q, %q", addr, reason)
		}
		if addr, reason := send(p, fine); addr == "" || reason != Panic {
			t.Errorf("fail open: %q, %q", addr, reason)
		}
		if addr, reason := send(p, fine); addr == "" || reason != OK {
			t.Errorf("an answer in panic did not bring the host back: %q, %q", addr, reason)
		}
	})
}

func TestStatusAndLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		p := h.Pool(plain("a"), nil)
		defer p.Close()
		a := h.host("a")
		x := a.Begin()
		pass(100 * time.Millisecond)
		x.Answered(200)
		pass(time.Hour) // a long stream is not slowness
		if a.InFlight() != 1 {
			t.Error("not in flight")
		}
		x.Done(Outcome{Kind: Answered, Status: 200})
		x.Done(Outcome{Kind: Broken})
		fail(a, Answered, 1) // status 0, at once
		y := a.Begin()
		y.Done(Outcome{Kind: Answered, Status: 503})
		s := a.State()
		if s.InFlight != 0 || s.Requests != 3 || s.Failures != 1 || s.Health != Healthy || !s.Ejected.IsZero() {
			t.Errorf("state: %+v", s)
		}
		if s.Latency > time.Millisecond {
			t.Errorf("latency %v after an hour and a fast answer", s.Latency)
		}
		z := a.Begin()
		pass(time.Second)
		z.Done(Outcome{Kind: Timeout})
		w := a.Begin()
		w.Done(Outcome{Kind: Answered, Status: 500})
		if got := a.State().Latency; got != time.Second {
			t.Errorf("latency %v: a timeout counts at once, and failing fast is no merit", got)
		}
	})
}

// TestFailuresInPanicAreNoNews: an ejected host that is tried for want of a better one is not put out for longer.
func TestFailuresInPanicAreNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		p := h.Pool(plain("a"), nil)
		defer p.Close()
		fail(h.host("a"), ConnectError, 3)
		until := h.host("a").State().Ejected
		pass(time.Millisecond)
		fail(h.host("a"), ConnectError, 10)
		if got := h.host("a").State().Ejected; !got.Equal(until) {
			t.Errorf("the end of the ejection moved from %v to %v", until, got)
		}
	})
}

// TestNoTrialWhileDraining: a host that is to get nothing new gets no trial either.
func TestNoTrialWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		s := plain("a", "b")
		s.Endpoints[0].State = model.Draining
		p := h.Pool(s, nil)
		defer p.Close()
		fail(h.host("a"), ConnectError, 3)
		pass(2 * time.Second)
		if got := tally(p, 100); got["b"] != 100 {
			t.Errorf("got %v", got)
		}
	})
}

// TestNoTrialInAnIdleTier: a host that would not be used if it were back gets no trial.
func TestNoTrialInAnIdleTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{})
		s := plain("near", "far")
		s.Endpoints[1].Cluster = "far"
		s.Balance.Shares = []model.Share{{Cluster: "far", Tier: 1, Weight: 100}}
		p := h.Pool(s, nil)
		defer p.Close()
		fail(h.host("far"), ConnectError, 3)
		pass(2 * time.Second)
		if got := tally(p, 100); got["near"] != 100 {
			t.Errorf("got %v", got)
		}
		fail(h.host("near"), ConnectError, 3)
		if addr, reason := send(p, fine); addr != "far" || reason == OK {
			t.Errorf("near is out: %q, %q", addr, reason)
		}
	})
}
