package upstream

import (
	"math/rand/v2"
	"time"
)

// ejection is what requests taught about a host that is not a gateway. Guarded by Host.mu.
type ejection struct {
	active bool  // since its begin, until a request succeeds
	soft   bool  // it accepts connections, but does not answer: subject to Tuning.EjectPercent
	begin  int64 // of the last one; 0: never
	until  int64 // before: nothing is sent; after: one trial at a time
	times  int   // how many in a row
	back   int64 // when the last one ended; the slow start counts from here. 0: never
}

// failed takes in that an exchange brought no (complete) answer.
func (h *Host) failed(began int64, o Outcome) {
	now := h.hosts.now()
	h.failures.Add(1)
	if o.Kind == Timeout {
		h.observe(now-began, now, true)
	}
	if c := h.count(began, now, o); c != nil {
		h.hosts.hasten(c)
	}
}

// count counts a failure and draws the conclusion. It returns the check that should look at once; nil: none.
func (h *Host) count(began, now int64, o Outcome) *check {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault(o.Err, o.Kind.String(), now)
	if h.id.Gateway {
		return h.gatewayFailed(began, now, o)
	}
	if e := &h.ejection; began < e.begin || e.active && now < e.until {
		return nil // it began before the ejection, or was sent in panic: no news
	}
	most := h.hosts.tuning.Failures
	if rule := h.passive; rule != nil {
		if most = rule.Failures; h.fails == 0 || now-h.failing > int64(rule.Window) {
			h.fails, h.failing = 0, now
		}
	}
	h.fails++
	h.alert.Store(true)
	if h.ejection.active || h.fails >= most {
		h.eject(now, o)
	}
	return nil
}

// eject puts the host out, for twice as long as the time before. The caller holds h.mu.
func (h *Host) eject(now int64, o Outcome) {
	t, e := h.hosts.tuning, &h.ejection
	if !e.active && now-e.back > int64(t.EjectMax) {
		e.times = 0 // it did well for long
	}
	lasts := t.EjectMax
	if e.times < 32 {
		lasts = min(t.EjectMax, t.EjectBase<<e.times)
	}
	if h.passive != nil {
		lasts = h.passive.Window
	}
	*e = ejection{
		active: true, soft: o.Kind != ConnectError, begin: now, until: now + jitter(lasts),
		times: e.times + 1, back: e.back,
	}
	h.hosts.log.Warn("host ejected", "addr", h.id.Addr, "cluster", h.id.Cluster, "for", lasts, "error", h.lastErr)
	h.changed()
}

// succeeded takes in that a request which began then was answered. It is called only when that may change something.
func (h *Host) succeeded(began, now int64, failed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.checks {
		c.heard(began, now, failed)
	}
	if began < h.ejection.begin {
		return // it began before the ejection: no news
	}
	h.fails = 0
	if !h.ejection.active {
		h.setAlert()
		return
	}
	h.ejection.active, h.ejection.back = false, now
	h.hosts.log.Info("host is back", "addr", h.id.Addr, "cluster", h.id.Cluster)
	h.changed()
}

// isTrialDue reports whether tryTrial would.
func (h *Host) isTrialDue(now int64) bool {
	return now-h.trial.Load() >= int64(h.hosts.tuning.EjectBase)
}

// tryTrial claims the next trial request of an ejected host. A trial that is never reported blocks the next one for as
// long as a first ejection lasts.
func (h *Host) tryTrial(now int64) bool {
	last := h.trial.Load()
	return now-last >= int64(h.hosts.tuning.EjectBase) && h.trial.CompareAndSwap(last, now)
}

// jitter spreads d by a tenth to both sides, so that what began together does not go on together.
func jitter(d time.Duration) int64 {
	return int64(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // spreading load needs no secret
}
