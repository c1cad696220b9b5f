package upstream

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// starved is a prober of a process that does not run for a part of each 100 ms, in which every probe times out; or of
// one that runs, to which nobody answers.
type starved struct {
	hosts  *Hosts
	stands int64 // of each 100 ms, ns
	err    error // what comes at the end of the time; nil: that of the context
}

func (s *starved) Probe(ctx context.Context, host ID, check model.HealthCheck) error {
	for range int(check.Timeout/(100*time.Millisecond)) - 1 {
		<-time.After(100 * time.Millisecond)
		if host.Addr == "a" { // one is enough to see it
			s.hosts.late(s.stands)
		}
	}
	<-ctx.Done()
	if s.err != nil {
		return s.err
	}
	return fmt.Errorf("probing: %w", ctx.Err())
}

// late makes it as if the process had been woken so much too late just now.
func (h *Hosts) late(by int64) {
	h.pulse.mu.Lock()
	defer h.pulse.mu.Unlock()
	h.pulse.note(h.now(), by)
}

func TestLateProbesAreNotCounted(t *testing.T) {
	for name, c := range map[string]struct {
		stands time.Duration
		err    error
		want   Health
	}{
		"nobody answers, in time":       {0, nil, Unhealthy},
		"a little late":                 {5 * time.Millisecond, nil, Unhealthy},
		"starved":                       {30 * time.Millisecond, nil, Healthy},
		"starved, and somebody refuses": {30 * time.Millisecond, errDown, Unhealthy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _, prober, stop := fleet(t, Options{})
				defer stop()
				s := &starved{hosts: h, stands: int64(c.stands), err: c.err}
				h.mu.Lock()
				h.prober = s
				h.mu.Unlock()
				pass(10 * time.Second)
				for _, addr := range []string{"a", "b"} {
					if got := h.host(addr).State().Health; got != c.want {
						t.Errorf("%s: %s", addr, got)
					}
				}
				h.mu.Lock()
				h.prober = prober
				h.mu.Unlock()
				prober.set("a", true) // the starving is over, and a is gone
				pass(5 * time.Second)
				if got := h.host("a").State().Health; got != Unhealthy {
					t.Errorf("a, which is gone: %s", got)
				}
			})
		})
	}
}

// A connection that could not be made in time is no proof either.
func TestLateRequestsAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p, _, stop := fleet(t, Options{})
		defer stop()
		late := context.DeadlineExceeded
		h.late(int64(tooLate))
		send(p, func(string) Outcome { return Outcome{Kind: ConnectError, Err: late} })
		for _, addr := range []string{"a", "b"} {
			if got := h.host(addr).State().Health; got != Healthy {
				t.Errorf("%s: %s", addr, got)
			}
		}
		pass(2 * time.Second) // and not late any more
		addr, _ := send(p, func(string) Outcome { return Outcome{Kind: ConnectError, Err: late} })
		if got := h.host(addr).State().Health; got != Unhealthy {
			t.Errorf("%s: %s", addr, got)
		}
	})
}
