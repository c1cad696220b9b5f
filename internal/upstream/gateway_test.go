package upstream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// fleet starts hosts with a pool of a service in clusters a and b, proved healthy.
func fleet(t *testing.T, o Options) (*Hosts, *Pool, *fakeProber, func()) {
	t.Helper()
	prober := newFakeProber()
	o.Prober = prober
	h := NewHosts(o)
	p := h.Pool(linked("a", "b"), nil)
	stop := run(t, h)
	pass(100 * time.Millisecond)
	return h, p, prober, func() { p.Close(); stop() }
}

func TestGatewayConnectErrorFailsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p, prober, stop := fleet(t, Options{})
		defer stop()
		prober.set("a", true)
		var a Attempt
		for first := true; first || a.tried[0].Addr() != "a"; first = false {
			a = Attempt{}
			p.Pick(&a)
		}
		x := a.tried[0].Begin()
		x.Done(Outcome{Kind: ConnectError, Err: errDown})
		if again, _ := p.Pick(&a); again.Addr() != "b" {
			t.Errorf("the retry went to %s", again.Addr())
		}
		if got := tally(p, 100); got["b"] != 100 {
			t.Errorf("after the connect error: %v", got)
		}
		if portions, _ := p.Portions(); portions[0].Why != "unhealthy: down" {
			t.Errorf("portions: %+v", portions)
		}
		pass(time.Second)
		if portions, _ := p.Portions(); portions[0].Why != "data path lost: down" {
			t.Errorf("portions after a probe: %+v", portions)
		}
		prober.set("a", false)
		pass(1100 * time.Millisecond)
		if got := tally(p, 100); got["b"] != 100 || h.host("a").State().Health != Healthy {
			t.Errorf("in hold-down: %v, %+v", got, h.host("a").State())
		}
		pass(3 * time.Second)
		if got := tally(p, 1000); got["a"] < 50 || got["a"] > 250 {
			t.Errorf("at the start of the ramp: %v", got)
		}
		pass(10 * time.Second)
		if got := tally(p, 1000); got["a"] < 490 || got["a"] > 510 {
			t.Errorf("after the ramp: %v", got)
		}
	})
}

func TestGatewayProbesFindALostDataPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p, prober, stop := fleet(t, Options{})
		defer stop()
		prober.set("a", true)
		pass(1500 * time.Millisecond)
		if got := h.host("a").State().Health; got != Unhealthy {
			t.Errorf("after two failed probes: %s", got)
		}
		prober.set("b", true)
		pass(1500 * time.Millisecond)
		if addr, reason := send(p, fine); addr != "" || reason != Unreachable {
			t.Errorf("all lost: %q, %q", addr, reason)
		}
		prober.set("b", false)
		pass(1200 * time.Millisecond)
		if addr, reason := send(p, fine); addr != "b" || reason != Standby {
			t.Errorf("b is back, and nothing else is there: %q, %q", addr, reason)
		}
	})
}

func TestGatewayIsNotProbedWhileTrafficProvesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, prober, stop := fleet(t, Options{})
		defer stop()
		before := prober.count("a")
		for range 100 {
			pass(100 * time.Millisecond)
			tally(p, 10)
		}
		if got := prober.count("a") - before; got != 0 {
			t.Errorf("%d probes during ten seconds of traffic", got)
		}
		pass(10 * time.Second)
		if got := prober.count("a") - before; got < 8 || got > 12 {
			t.Errorf("%d probes during ten quiet seconds", got)
		}
	})
}

func TestGatewayOutcomes(t *testing.T) {
	tests := map[string]struct {
		kind  Kind
		times int
		want  Health
	}{
		"timeouts are perhaps one service's fault": {Timeout, 10, Healthy},
		"two broken exchanges":                     {Broken, 2, Healthy},
		"three broken exchanges":                   {Broken, 3, Unhealthy},
		"one connect error":                        {ConnectError, 1, Unhealthy},
		"clients that went away":                   {Abandoned, 10, Healthy},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _, _, stop := fleet(t, Options{})
				defer stop()
				for range test.times {
					x := h.host("a").Begin()
					x.Done(Outcome{Kind: test.kind})
				}
				if got := h.host("a").State().Health; got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}

func TestReportedCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := 3
		_, p, _, stop := fleet(t, Options{Capacity: func(c string, s model.Name) (int, int, bool) {
			return ready, 4, c == "a" && s.Name == "shop"
		}})
		defer stop()
		if got := tally(p, 7000); got["a"] < 2930 || got["a"] > 3070 {
			t.Errorf("three of four ready in a: %v", got)
		}
		ready = 0
		pass(time.Second)
		if got := tally(p, 100); got["b"] != 100 {
			t.Errorf("none ready in a: %v", got)
		}
	})
}

func TestOneOpenDoorIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := newFakeProber()
		prober.set("a2", true)
		h := NewHosts(Options{Prober: prober})
		s := linked("a", "b")
		s.Endpoints = append(s.Endpoints, model.Endpoint{Addr: "a2", Cluster: "a", Weight: 1, Gateway: true})
		p := h.Pool(s, nil)
		defer p.Close()
		defer run(t, h)()
		pass(2 * time.Second)
		if got := tally(p, 1000); got["a"] < 490 || got["a2"] != 0 {
			t.Errorf("a has two doors, of which one is open: %v", got)
		}
	})
}

// slowProber answers well, after half a second.
type slowProber struct{}

func (slowProber) Probe(context.Context, ID, model.HealthCheck) error {
	<-time.After(500 * time.Millisecond)
	return nil
}

// TestNoNewsFromBeforeTheLoss: what began before a data path was lost does not prove that it is back.
func TestNoNewsFromBeforeTheLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHosts(Options{Prober: slowProber{}})
		p := h.Pool(linked("a"), nil)
		defer p.Close()
		defer run(t, h)()
		pass(100 * time.Millisecond) // the first probe is under way
		a := h.host("a")
		old := a.Begin()
		pass(100 * time.Millisecond)
		fail(a, ConnectError, 1)
		old.Done(Outcome{Kind: Answered, Status: 200})
		pass(400 * time.Millisecond)
		if got := a.State().Health; got != Unhealthy {
			t.Errorf("old answers made it %s", got)
		}
		pass(2 * time.Second)
		if got := a.State().Health; got != Healthy {
			t.Errorf("after a new probe: %s", got)
		}
	})
}
