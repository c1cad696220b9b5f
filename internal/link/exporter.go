package link

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// HeartbeatInterval is how often a watch says that it lives; SilenceLimit is after how long without a word it is lost.
const (
	HeartbeatInterval = time.Second
	SilenceLimit      = 3 * time.Second
)

// ErrForbidden is what an [Authorizer] returns (wrapped or not) for a valid key that lacks the scope.
var ErrForbidden = errors.New("the key lacks the scope")

// Scopes of the API keys that the exporter asks for.
const (
	ScopeRead    = "link:read"
	ScopeTraffic = "link:traffic"
)

// Authorizer checks an API key. Errors other than [ErrForbidden] all look the same to the caller.
type Authorizer interface {
	Authorize(key, scope string) (Session, error)
}

// Session is the use of a valid key.
type Session interface {
	ID() string            // the key's id, not a secret
	Done() <-chan struct{} // closed when the key is revoked or expires
}

// ExporterOptions say what is exported and to whom.
type ExporterOptions struct {
	Cluster string // this instance's cluster, as it calls itself
	Auth    Authorizer
	// Capacity returns how many endpoints of a service are ready, and how many there are. The reference is a backend
	// of a route: its source may be a kind alone. 0 of 0 where nothing is known.
	Capacity func(model.Ref) (ready, total int)
	Transit  bool // also export what was learned over other links (see [Offered])
	Log      *slog.Logger
	// Refused counts requests turned away. Reasons: "bad_key", "scope", "bad_request", "not_ready",
	// "too_many_watches". Nil: not counted.
	Refused func(reason string)
	// WatchesPerKey is how many watches one key may have open. Zero: 16.
	WatchesPerKey int
}

const (
	defaultWatchesPerKey = 16
	maxMarks             = 10_000
)

// Exporter shows the offered part of this instance's merged snapshot to followers. It is an http.Handler for
// /link/v1/.
type Exporter struct {
	o       ExporterOptions
	epoch   string
	mux     *http.ServeMux
	ended   chan struct{} // closed when Run returns
	once    sync.Once
	tellers tellers

	publishing sync.Mutex // one Publish at a time; only it writes shown, routes and services
	shown      []shown    // sorted by reference

	mu       sync.Mutex
	ready    bool // Publish was called
	log      *changes
	routes   map[string]*model.Route    // by wire name
	services map[model.Name][]model.Ref // what each fleet-wide service stands for
	beats    uint64
	wake     chan struct{} // closed and replaced at every change and beat
}

// NewExporter returns an exporter that has nothing to show yet: until the first Publish it answers 503.
func NewExporter(o ExporterOptions) *Exporter {
	if o.WatchesPerKey == 0 {
		o.WatchesPerKey = defaultWatchesPerKey
	}
	if o.Refused == nil {
		o.Refused = func(string) {}
	}
	e := &Exporter{
		o: o, epoch: rand.Text(), ended: make(chan struct{}), log: newChanges(maxMarks), wake: make(chan struct{}),
		routes: map[string]*model.Route{}, services: map[model.Name][]model.Ref{},
	}
	e.mux = e.handlers()
	return e
}

// Publish shows s, a merged snapshot, to the followers. Call it when the data plane serves s, and not before every
// source has said what it has: a follower deletes what a snapshot does not mention.
func (e *Exporter) Publish(s *model.Snapshot) {
	e.publishing.Lock()
	defer e.publishing.Unlock()
	after := show(Offered(s, e.o.Transit))
	gone, fresh := differ(e.shown, after) // only Publish writes e.shown
	touched := map[model.Name]bool{}
	objects := make([][]byte, len(fresh))
	for _, r := range gone {
		touched[r.ExportedAs()] = true
	}
	for i, r := range fresh {
		touched[r.ExportedAs()] = true
		objects[i] = encode(exportRoute(r.wireName(), r.Route))
		if old := e.routes[r.wireName()]; old != nil {
			touched[old.ExportedAs()] = true
		}
	}
	e.shown = after
	leads := leadsTo(touched, after)
	capacity := e.measure(leads)

	e.mu.Lock()
	defer e.mu.Unlock()
	before, first := e.log.rev, !e.ready
	e.log.begin()
	for _, r := range gone {
		e.log.remove(key{model.KindRoute, r.wireName()})
		delete(e.routes, r.wireName())
	}
	e.applyServices(touched, leads, capacity)
	for i, r := range fresh {
		e.log.put(key{model.KindRoute, r.wireName()}, objects[i])
		e.routes[r.wireName()] = r.Route
	}
	e.ready = true
	if e.log.rev != before || first {
		e.wakeAll()
	}
}

// applyServices takes what the touched services now stand for. Their capacity, where they were known, waits for the
// beat.
func (e *Exporter) applyServices(touched map[model.Name]bool, leads map[model.Name][]model.Ref, now []Service) {
	for _, name := range slices.SortedFunc(maps.Keys(touched), model.Name.Compare) {
		if leads[name] == nil {
			e.log.remove(key{model.KindService, name.String()})
			delete(e.services, name)
		}
	}
	for _, s := range now {
		name := model.ParseName(s.Name)
		if _, known := e.services[name]; !known {
			e.log.putService(s)
		}
		e.services[name] = leads[name]
	}
}

// measure asks for the capacity of services. It is not called under the lock, because those asked may take locks.
func (e *Exporter) measure(services map[model.Name][]model.Ref) []Service {
	out := make([]Service, 0, len(services))
	for name, refs := range services {
		s := Service{Name: name.String()}
		for _, ref := range refs {
			ready, total := e.o.Capacity(ref)
			s.Ready += ready
			s.Total += total
		}
		out = append(out, s)
	}
	slices.SortFunc(out, byServiceName)
	return out
}

func byServiceName(a, b Service) int { return strings.Compare(a.Name, b.Name) }

// Run sends heartbeats until ctx is done; then it ends all watches and returns nil. Without it followers hold the link
// for lost.
func (e *Exporter) Run(ctx context.Context) error {
	defer e.once.Do(func() { close(e.ended) })
	tick := time.NewTicker(HeartbeatInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			e.beat()
		}
	}
}

// beat measures every service and wakes the watchers.
func (e *Exporter) beat() {
	e.mu.Lock()
	services := maps.Clone(e.services)
	e.mu.Unlock()
	measured := e.measure(services)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log.begin()
	for _, s := range measured {
		e.log.measure(s)
	}
	e.beats++
	e.wakeAll()
}

func (e *Exporter) wakeAll() {
	close(e.wake)
	e.wake = make(chan struct{})
}

// news is what a watcher has to be told.
type news struct {
	changes []change
	full    bool // changes is everything there is
	rev     uint64
	beats   uint64
	more    <-chan struct{} // closed when there is something newer
}

// since returns the news of a watcher that has seen revision seen; full asks for everything.
func (e *Exporter) since(seen uint64, full bool) (n news, ready bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n = news{full: full || seen < e.log.base || seen > e.log.rev, rev: e.log.rev, beats: e.beats, more: e.wake}
	if n.full {
		n.changes = e.log.all()
	} else {
		n.changes = e.log.after(seen)
	}
	return n, e.ready
}

// local returns the route that is exported under a name.
func (e *Exporter) local(name string) (model.Ref, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.routes[name]; r != nil {
		return r.Ref(), true
	}
	return model.Ref{}, false
}

// encode cannot fail: the wire types are text, numbers and lists of these.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("link: encoding %T: %v", v, err))
	}
	return data
}
