package upstream

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// check is one active check of one host. It lives as long as a pool uses it, and is remembered as long as the host.
type check struct {
	host *Host
	question
	link bool         // the probe of a gateway's data path
	refs atomic.Int32 // pools; changed under Hosts.mu

	// Guarded by Host.mu.
	health    Health
	streak    int   // results in a row: above 0 good, below 0 bad
	since     int64 // of the last change of health
	held      int64 // end of the last hold-down; the slow start counts from here. 0: there was none
	confirmed bool  // the last probe failed: it is not only requests that say so

	// Guarded by Hosts.mu.
	idle    int64 // when refs became 0
	next    int64 // when to probe
	started int64 // the last probe
	index   int   // in the queue; -1: not there
	busy    bool
}

// question is what a check asks, and the text by which equal questions are known.
type question struct {
	spec model.HealthCheck
	key  string
}

// linkQuestion is what is asked of every gateway.
func linkQuestion(t Tuning) question {
	return question{model.HealthCheck{Interval: t.LinkInterval, Timeout: t.LinkTimeout, Rise: 1, Fall: t.LinkFall}, "link"}
}

// ask returns what the service asks of its hosts that are dialled directly, by the transport; nil: nothing.
func ask(s *model.Service, by *model.Transport) *question {
	if s.Check == nil {
		return nil
	}
	spec := complete(*s.Check, s.Protocol)
	if by != nil {
		spec.TLS = &by.TLS
	}
	key, err := json.Marshal(spec) // maps are sorted, so equal checks have equal text
	if err != nil {
		key = nil // cannot be: the type holds only what JSON can say
	}
	return &question{spec, string(key)}
}

// holdCheck returns the check that puts the question to the host, with one more reference. The caller holds h.mu.
func (h *Hosts) holdCheck(host *Host, q question) *check {
	c := host.check(q)
	if c.refs.Add(1) == 1 {
		h.checks++
		// The first probes are spread: a thousand a second, but each within its interval.
		spread := min(q.spec.Interval, time.Duration(h.checks)*time.Millisecond)
		c.next = h.now() + rand.Int64N(int64(spread)+1) //nolint:gosec // spreading load needs no secret
		if !c.busy {
			h.enqueue(c)
		}
	}
	return c
}

// releaseCheck gives a reference back. The caller holds h.mu.
func (h *Hosts) releaseCheck(c *check, now int64) {
	if c.refs.Add(-1) == 0 {
		h.checks--
		c.idle = now
		h.dequeue(c)
	}
}

// complete fills in what the check leaves to defaults.
func complete(spec model.HealthCheck, p model.Protocol) model.HealthCheck {
	spec.Scheme = cmp.Or(spec.Scheme, string(p), string(model.HTTP))
	spec.Interval = max(cmp.Or(spec.Interval, checkInterval), time.Millisecond)
	spec.Unhealthy = max(cmp.Or(spec.Unhealthy, spec.Interval), time.Millisecond)
	spec.Timeout = max(cmp.Or(spec.Timeout, checkTimeout), time.Millisecond)
	spec.Rise = max(1, spec.Rise)
	spec.Fall = max(1, spec.Fall)
	return spec
}

// check finds or makes the host's check with this question.
func (h *Host) check(q question) *check {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.checks {
		if c.key == q.key {
			return c
		}
	}
	c := &check{host: h, question: q, link: h.id.Gateway, health: Unknown, index: -1}
	h.checks = append(h.checks, c)
	h.setAlert()
	return c
}

// sweep forgets checks that no pool has used since old. The caller holds Hosts.mu.
func (h *Host) sweep(old int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.checks[:0]
	for _, c := range h.checks {
		if c.refs.Load() > 0 || c.idle > old || c.busy {
			kept = append(kept, c)
		}
	}
	clear(h.checks[len(kept):])
	h.checks = kept
	h.setAlert()
}

// report takes in the result of a probe.
func (c *check) report(started, now int64, err error) {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	if err != nil {
		c.host.fault(err, "", now)
		c.bad(now, c.spec.Fall)
		if !c.confirmed {
			c.confirmed = true
			c.host.changed()
		}
		return
	}
	if c.health == Unhealthy && started < c.since {
		return // it began before the change: no news
	}
	c.confirmed = false
	c.good(now)
}

// good counts a success. An unknown host needs one only. The caller holds Host.mu.
func (c *check) good(now int64) {
	c.streak = max(0, c.streak) + 1
	if c.health == Healthy || c.health == Unhealthy && c.streak < c.spec.Rise {
		return
	}
	if c.health == Unhealthy {
		c.held = now + int64(c.host.hosts.tuning.HoldDown)
	}
	c.turn(Healthy, now)
}

// bad counts a failure; fall in a row make the host unhealthy. The caller holds Host.mu.
func (c *check) bad(now int64, fall int) {
	c.streak = min(0, c.streak) - 1
	if c.health != Unhealthy && -c.streak >= fall {
		c.turn(Unhealthy, now)
	}
}

// turn changes the health. The caller holds Host.mu.
func (c *check) turn(to Health, now int64) {
	log := c.host.hosts.log.With("addr", c.host.id.Addr, "cluster", c.host.id.Cluster)
	if to == Unhealthy {
		log.Warn("host unhealthy", "gateway", c.link, "error", c.host.lastErr)
	} else {
		log.Info("host healthy", "gateway", c.link, "before", c.health)
	}
	c.health, c.since, c.streak = to, now, 0
	c.host.changed()
}

// heard takes in that a request which began then was answered: an unknown host is healthy if the answer was good, and a
// lost data path is back whatever the answer was. A check that failed is not overruled. The caller holds Host.mu.
func (c *check) heard(began, now int64, failed bool) {
	switch {
	case began < c.since:
	case c.link && c.health != Healthy, c.health == Unknown && !failed:
		c.confirmed = false
		c.good(now)
	}
}

// gatewayFailed takes in a failed exchange with a gateway. A connect error means that the data path is lost. Broken
// exchanges mean it when they come in a row. A timeout may be the fault of one service behind the gateway: it only
// makes the next probe come at once, unless other requests are answered. It returns the check to hasten. The caller
// holds h.mu.
func (h *Host) gatewayFailed(began, now int64, o Outcome) *check {
	if len(h.checks) == 0 {
		return nil
	}
	c := h.checks[0]
	if began < c.since {
		return nil // it began before the last change: no news
	}
	switch o.Kind {
	case ConnectError:
		if !h.hosts.isOurs(o.Err, now) {
			c.bad(now, 1)
		}
	case Broken:
		if h.fails++; h.fails >= h.hosts.tuning.Failures {
			c.bad(now, 1)
		}
	}
	h.alert.Store(true)
	return c
}
