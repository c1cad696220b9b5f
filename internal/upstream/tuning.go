package upstream

import (
	"cmp"
	"time"
)

// Tuning holds the constants of health and balancing. A zero field is the default.
type Tuning struct {
	// Failures in a row until a host is ejected. 3: one may be a connection that the host closed while idle, and two
	// concurrent requests may share that fate.
	Failures int
	// EjectBase is how long the first ejection lasts; each further one doubles it up to EjectMax. 1 s and 60 s: a
	// restart is over in seconds, and a host that stays away costs one trial a minute.
	EjectBase, EjectMax time.Duration
	// EjectPercent bounds the part of a cluster's hosts that one pool leaves out for answering badly (timeouts,
	// broken exchanges). 50: overload must not push all load on the last host. Hosts that cannot be connected to are
	// always left out: they serve nothing either way.
	EjectPercent int
	// HoldDown is how long a host that probes found healthy again stays in reserve. 3 s: a flapping path shows itself.
	HoldDown time.Duration
	// SlowStart is how long its part then grows, from a tenth to the whole. 10 s: caches and pools fill.
	SlowStart time.Duration
	// Decay is the time constant of the latency average. 10 s: one bad answer is forgotten in half a minute.
	Decay time.Duration
	// LinkInterval, LinkTimeout and LinkFall say how the data path of a gateway is probed. 1 s, 1 s, 2 failures.
	LinkInterval, LinkTimeout time.Duration
	LinkFall                  int
	// LinkConfirm is the pause between a first failure and the probe that confirms it. 250 ms.
	LinkConfirm time.Duration
	// Capacity is how long a cluster's reported capacity is used before it is asked for again. 1 s, as the heartbeat.
	Capacity time.Duration
	// Forget is how long a host that no pool refers to is remembered. 5 min: longer than a redeployment.
	Forget time.Duration
	// Probes bounds how many checks run at once, gateways not counted. 1000.
	Probes int
	// RetryPercent of the requests of the last ten seconds may be retries, and RetryFloor a second in any case. 20
	// and 50: enough for what is under way at a cluster when it dies, too little to multiply an overload.
	RetryPercent, RetryFloor int
}

// The defaults of model.HealthCheck.
const (
	checkInterval = 30 * time.Second
	checkTimeout  = 5 * time.Second
)

// withDefaults fills in the zero fields.
func (t Tuning) withDefaults() Tuning {
	return Tuning{
		Failures:     cmp.Or(t.Failures, 3),
		EjectBase:    cmp.Or(t.EjectBase, time.Second),
		EjectMax:     cmp.Or(t.EjectMax, time.Minute),
		EjectPercent: cmp.Or(t.EjectPercent, 50),
		HoldDown:     cmp.Or(t.HoldDown, 3*time.Second),
		SlowStart:    cmp.Or(t.SlowStart, 10*time.Second),
		Decay:        cmp.Or(t.Decay, 10*time.Second),
		LinkInterval: cmp.Or(t.LinkInterval, time.Second),
		LinkTimeout:  cmp.Or(t.LinkTimeout, time.Second),
		LinkFall:     cmp.Or(t.LinkFall, 2),
		LinkConfirm:  cmp.Or(t.LinkConfirm, 250*time.Millisecond),
		Capacity:     cmp.Or(t.Capacity, time.Second),
		Forget:       cmp.Or(t.Forget, 5*time.Minute),
		Probes:       cmp.Or(t.Probes, 1000),
		RetryPercent: cmp.Or(t.RetryPercent, 20),
		RetryFloor:   cmp.Or(t.RetryFloor, 50),
	}
}
