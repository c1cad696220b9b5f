package upstream

import (
	"cmp"
	"iter"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Host is the live state of one address: load, latency, health, ejection. Its methods may be called at any time from
// any goroutine.
type Host struct {
	id    ID
	hosts *Hosts
	hash  uint64 // of the address; the same in every process
	mark  uint64 // see Mark

	// What every request touches.
	inFlight atomic.Int64
	requests atomic.Uint64
	failures atomic.Uint64
	latency  atomic.Uint64 // bits of a float64: peak-EWMA of the time to the answer's head, in ns; 0: not measured
	mean     atomic.Uint64 // bits of a float64: average of the same; 0: not measured
	measured atomic.Int64  // when latency and mean were last brought up to date
	answered atomic.Int64  // when the last answer came
	// alert says that a success changes something: there were failures, or health is not known. So a success in quiet
	// times takes no lock.
	alert atomic.Bool
	trial atomic.Int64 // when the last trial request was let through
	// strict says that bad answers are failures, too. It is set while passive is.
	strict atomic.Bool

	mu       sync.Mutex
	pools    map[*Pool]struct{} // whose views depend on this host
	checks   []*check           // of the gateway: its link check only
	fails    int                // failures in a row
	failing  int64              // since when, where passive is set
	passive  *model.Passive     // the strictest rule of those that the pools have; nil: as tuned
	ejection ejection
	lastErr  string
	lastAt   int64

	refs int   // pools; guarded by Hosts.mu
	idle int64 // when refs became 0; guarded by Hosts.mu
}

func newHost(h *Hosts, id ID) *Host {
	marked := id.Addr
	if id.Gateway {
		marked = "cluster " + id.Cluster
	}
	return &Host{
		id: id, hosts: h, hash: hashText(id.Addr), mark: max(1, hashText(marked)), pools: map[*Pool]struct{}{},
	}
}

// ID returns what the host is known by.
func (h *Host) ID() ID { return h.id }

// Addr returns the host:port to dial.
func (h *Host) Addr() string { return h.id.Addr }

// Cluster returns where the host runs; "" is this instance's own cluster.
func (h *Host) Cluster() string { return h.id.Cluster }

// Gateway reports whether the address is a cluster's link entry point.
func (h *Host) Gateway() bool { return h.id.Gateway }

// Mark tells where sessions of the host belong, the same in every process; never 0. Gateways have that of their
// cluster, which keeps its sessions on its endpoints itself.
func (h *Host) Mark() uint64 { return h.mark }

// InFlight returns how many exchanges have begun and not ended.
func (h *Host) InFlight() int64 { return h.inFlight.Load() }

// join makes p depend on the host.
func (h *Host) join(p *Pool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pools[p] = struct{}{}
	h.findPassive()
}

// leave ends that.
func (h *Host) leave(p *Pool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pools, p)
	h.findPassive()
}

// findPassive finds the strictest rule of the pools, for what is known of a host is one for all of them. The caller
// holds h.mu.
func (h *Host) findPassive() {
	h.passive = nil
	for p := range h.pools {
		if r := p.passive; r != nil && (h.passive == nil || stricter(r, h.passive)) {
			h.passive = r
		}
	}
	h.strict.Store(h.passive != nil)
}

// stricter reports whether a puts hosts out sooner than b, or for longer.
func stricter(a, b *model.Passive) bool {
	return cmp.Or(cmp.Compare(a.Failures, b.Failures), cmp.Compare(b.Window, a.Window)) < 0
}

// changed makes the views that depend on the host out of date, and sets alert. The caller holds h.mu.
func (h *Host) changed() {
	h.setAlert()
	for p := range h.pools {
		p.due.Store(0)
	}
}

// setAlert says whether a success would change anything. The caller holds h.mu.
func (h *Host) setAlert() {
	alert := h.fails > 0 || h.ejection.active
	for _, c := range h.checks {
		alert = alert || c.health == Unknown || c.link && c.health == Unhealthy
	}
	h.alert.Store(alert)
}

// observe takes the time to an answer's head into the average: a slower answer counts at once, a faster one by and
// by. An answer that says the host failed only makes it look slower: a host that fails fast must not attract
// requests.
func (h *Host) observe(took, now int64, failed bool) {
	old, fresh := math.Float64frombits(h.latency.Load()), float64(max(1, took))
	mean := math.Float64frombits(h.mean.Load())
	if failed && fresh < max(old, mean) {
		return
	}
	mean += (fresh - mean) / float64(max(1, min(usualAnswers, h.requests.Load())))
	h.mean.Store(math.Float64bits(mean))
	if fresh < old {
		keep := math.Exp(-float64(now-h.measured.Load()) / float64(h.hosts.tuning.Decay))
		fresh = old*keep + fresh*(1-keep)
	}
	h.latency.Store(math.Float64bits(fresh))
	h.measured.Store(now)
}

// usualAnswers is over how many answers a host's average goes.
const usualAnswers = 50

// usual is the average time to an answer's head, less the longer nothing was heard (see expected). 0: not measured.
func (h *Host) usual(now int64) float64 { return h.aged(h.mean.Load(), now) }

// expected is the latency to count with: the average, less the longer nothing was heard, down to a tenth, so that a
// host that was slow once is tried again without being flooded. 0: not measured.
func (h *Host) expected(now int64) float64 { return h.aged(h.latency.Load(), now) }

// aged is a figure after the time that has passed since it was measured.
func (h *Host) aged(bits uint64, now int64) float64 {
	age := float64(now-h.measured.Load()) / float64(h.hosts.tuning.Decay)
	return math.Float64frombits(bits) / (1 + min(9, max(0, age)))
}

// fault keeps the last error for people. The caller holds h.mu.
func (h *Host) fault(err error, fallback string, now int64) {
	h.lastErr, h.lastAt = fallback, now
	if err != nil {
		h.lastErr = shorten(err.Error())
	}
}

// shorten bounds a text that others wrote.
func shorten(s string) string {
	const limit = 300
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}

// Health is what the checks say of a host.
type Health string

// The states of health.
const (
	Unknown   Health = "unknown" // no check or request has told yet
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// HostState is a host as the API shows it.
type HostState struct {
	ID
	// Health is the worst that an active check in use says; without checks, healthy once a request was answered.
	Health Health `json:"health"`
	// Ejected is the end of the ejection; past, but not zero: a trial is due. Zero: not ejected.
	Ejected time.Time `json:"ejected,omitzero"`
	// Held is the end of the hold-down. Zero: none was needed.
	Held        time.Time     `json:"held,omitzero"`
	InFlight    int64         `json:"inFlight"`
	Latency     time.Duration `json:"latency"` // peak-EWMA of the time to an answer's head; 0: not measured
	Requests    uint64        `json:"requests"`
	Failures    uint64        `json:"failures"` // no answer, or one of status 500 and above
	LastError   string        `json:"lastError,omitempty"`
	LastErrorAt time.Time     `json:"lastErrorAt,omitzero"`
}

// DataPath says whether requests get into a cluster, through any of its gateways: "up", "lost", or "unknown".
func DataPath(hosts iter.Seq[HostState], cluster string) string {
	path := "unknown"
	for h := range hosts {
		switch {
		case !h.ID.Gateway || h.ID.Cluster != cluster:
		case h.Health == Healthy:
			return "up"
		case h.Health == Unhealthy:
			path = "lost"
		}
	}
	return path
}

// State returns the host's state at this moment.
func (h *Host) State() HostState {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := HostState{
		ID:       h.id,
		InFlight: h.inFlight.Load(), Requests: h.requests.Load(), Failures: h.failures.Load(),
		Latency:   time.Duration(math.Float64frombits(h.latency.Load())),
		LastError: h.lastErr, LastErrorAt: h.hosts.at(h.lastAt),
	}
	if h.ejection.active {
		s.Ejected = h.hosts.at(h.ejection.until)
	}
	s.Health, s.Held = h.health()
	return s
}

// health returns the worst that a check in use says, and the end of the last hold-down. The caller holds h.mu.
func (h *Host) health() (Health, time.Time) {
	worst, held, checked := Healthy, int64(0), false
	for _, c := range h.checks {
		if c.refs.Load() == 0 {
			continue
		}
		checked, held = true, max(held, c.held)
		if c.health == Unhealthy || worst == Healthy {
			worst = c.health
		}
	}
	if !checked && h.answered.Load() == 0 {
		worst = Unknown
	}
	return worst, h.hosts.at(held)
}
