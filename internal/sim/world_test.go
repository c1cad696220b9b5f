package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/route"
)

// world is everything there is.
type world struct {
	seed     uint64
	hooks    hooks
	net      *network
	clusters []*cluster
	edges    []*edge
	ledger   *ledger
	requests []*route.Request
	stamps   atomic.Int64
	began    time.Time
	shown    []string // what steps of a script asked to see
	trace    []string // what was published, in order; guarded by mu

	mu sync.Mutex // guards what observers note

	violationsMu sync.Mutex
	violations   []violation
}

// violation is an invariant that did not hold.
type violation struct {
	invariant string
	what      string
	at        time.Duration
}

func (v violation) String() string { return fmt.Sprintf("%v: %s: %s", v.at, v.invariant, v.what) }

var invariants = []string{
	"bad objects", "claim ages", "compile", "convergence", "generations", "grant", "immutable", "kept", "live state",
	"newest wins", "no secrets", "order", "pointers", "ready", "restart", "restored", "revoked", "saved", "script",
	"silence", "stale", "whole states", "winners",
}

// hooks are the ways in which a world can be sabotaged. The zero value is honest.
type hooks struct {
	wire    func(p []byte) []byte                       // what an instance sends
	follow  func(p provider.Provider) provider.Provider // what a follower publishes
	said    func(provider.Sink) provider.Sink           // between provider.Run and the observer
	kept    func(provider.Sink) provider.Sink           // between the observer and the catalog
	catalog func(*catalog.Options)                      // of edges
	grant   func(link.Grant) link.Grant                 // what the follower believes
	compile func(prev *route.Table, s *model.Snapshot) *route.Table
	merge   func([]model.Source, map[model.Source]model.Snapshot) *model.Snapshot
	disk    func(data []byte) []byte // what a disk keeps of what is saved
	forget  bool                     // live state is made anew with every table
	hasty   bool                     // a cluster shows what it has before it has heard anything
	endless bool                     // faults are never mended
	leaky   bool                     // what is under way is not stopped when a cable stalls
	mute    bool                     // clusters are not told of conflicts
	loyal   bool                     // what a key has opened outlives it
}

func newWorld(seed uint64, h hooks) *world {
	w := &world{seed: seed, hooks: h, net: newNetwork(seed), requests: requests(), began: time.Now()}
	if w.hooks.compile == nil {
		w.hooks.compile = route.Recompile
	}
	if w.hooks.merge == nil {
		w.hooks.merge = catalog.Merge
	}
	w.ledger = newLedger(w)
	w.net.wire, w.net.leaky = h.wire, h.leaky
	w.net.tap = func(p []byte) {
		w.secretFree("the wire", p)
		if bytes.Contains(p, []byte(inner)) {
			w.broken("no secrets", "an endpoint inside a cluster is on the wire: %s", p)
		}
	}
	for place := range clusterNames {
		w.clusters = append(w.clusters, newCluster(w, place))
	}
	for place := range edgeNames {
		w.edges = append(w.edges, newEdge(w, place))
	}
	return w
}

// stamp returns a number that no other version of a claim has.
func (w *world) stamp() int { return int(w.stamps.Add(1)) }

// rng returns the random numbers of one purpose.
func (w *world) rng(purpose string, life uint64) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed^digest([]byte(purpose)), life))
}

// broken records that an invariant does not hold.
func (w *world) broken(invariant, format string, args ...any) {
	if !slices.Contains(invariants, invariant) {
		panic("no invariant is called " + invariant)
	}
	w.violationsMu.Lock()
	defer w.violationsMu.Unlock()
	w.violations = append(w.violations, violation{invariant, fmt.Sprintf(format, args...), time.Since(w.began)})
}

// secretFree checks that no planted secret is in data (invariant 7).
func (w *world) secretFree(where string, data []byte) {
	if bytes.Contains(data, []byte(marker)) {
		w.broken("no secrets", "%s has a secret: %s", where, data)
	}
}

func (w *world) failed() []violation {
	w.violationsMu.Lock()
	defer w.violationsMu.Unlock()
	return slices.Clone(w.violations)
}

// play starts everything, takes the steps, mends what is broken and waits until all agree. It returns what did not hold
// first; after that nothing more is done.
func (w *world) play(steps []step) []violation {
	for _, c := range w.clusters {
		for _, i := range c.instances {
			i.start()
		}
	}
	for _, e := range w.edges {
		e.start()
	}
	synctest.Wait()
	for i := 0; i < len(steps) && len(w.failed()) == 0; i++ {
		steps[i].taken, steps[i].at = true, time.Since(w.began)
		steps[i].take(w)
		synctest.Wait()
		w.check()
	}
	if len(w.failed()) == 0 {
		w.converge()
		w.ledger.check(true)
	}
	for _, e := range w.edges {
		e.quit()
	}
	for _, c := range w.clusters {
		for _, i := range c.instances {
			if i.stop != nil {
				i.stop()
			}
		}
	}
	w.mend()
	return w.failed()
}

// mend ends all faults; what was stopped stays so.
func (w *world) mend() {
	for _, e := range w.edges {
		for _, c := range w.clusters {
			for _, addr := range c.addresses() {
				cable := w.net.cable(e.name, addr)
				cable.to(open, 1)
				cable.set(func() { cable.delay, cable.snip = usualDelay, 0 })
			}
			c.admit(e.name)
		}
	}
	for _, c := range w.clusters {
		c.set(func() { c.down = false })
	}
}

// reaches reports whether an edge's requests get to an address.
func (w *world) reaches(edge, addr string) bool {
	return w.net.cable(edge, addr).is() == open && w.net.site(addr) != nil
}

func (w *world) edge(name string) *edge {
	for _, e := range w.edges {
		if e.name == name {
			return e
		}
	}
	return nil
}

func (w *world) cluster(name string) *cluster {
	for _, c := range w.clusters {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (w *world) instance(addr string) *instance {
	for _, c := range w.clusters {
		for _, i := range c.instances {
			if i.addr == addr {
				return i
			}
		}
	}
	return nil
}
