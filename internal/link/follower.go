package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// FollowerOptions say which cluster is followed and what it may claim.
type FollowerOptions struct {
	Cluster string // as this instance calls it
	// Addresses are the link entry points (host:port) of the cluster's instances, at least one. They are dialled in
	// turn until one answers; all of them are endpoints of the cluster's services.
	Addresses []string
	// Key returns the API key. It is called for every request, so that a rotated key is picked up.
	Key func() (string, error)
	// Client reaches an address. See [NewTransport].
	Client http.RoundTripper
	Grant  Grant
	// Policy returns the policy for a fleet-wide service, which says what part of the requests this cluster gets where it
	// shares the service with others (the shares are sorted by cluster), and what keeps sessions in clusters. Nil: every
	// service is spread evenly.
	Policy func(service model.Name) (model.Balance, *model.Sticky)
	Cache  Cache // nil: nothing is kept over restarts
	// DefaultEntryPoints stand in where the grant lists no entry points.
	DefaultEntryPoints []string
	Log                *slog.Logger
}

// State is how a link does.
type State struct {
	Connected  bool      // the stream is up, and what is known is what the cluster has
	Address    string    // of the instance that answers, or is tried next
	Since      time.Time // when Connected became what it is; zero before the first connection
	RemoteName string    // what the cluster calls itself; "" before the first connection
	Epoch      string    // of the instance whose state is known
	Revision   uint64    // in that epoch
	Reconnects int       // connections after the first
	// LastHeartbeat is when the last heartbeat came; zero: none yet.
	LastHeartbeat time.Time
	LastError     string // why the last connection ended or was not made; "" since the present one is up
	Routes        int    // served
	Refused       int    // not served: not granted, or bad
	Ready, Total  int    // endpoints of all services, as the cluster says
}

// Follower learns what one cluster exports. It is a provider: each Run is one connection, and what is known is kept
// from one to the next.
type Follower struct {
	o      FollowerOptions
	client *http.Client

	unsaved chan struct{} // holds one token while the cache is behind
	untold  chan struct{} // holds one token while the cluster may have to be told of problems

	publishing sync.Mutex // so that snapshots are published in the order in which they were made

	mu        sync.Mutex
	known     *known
	state     State
	restored  bool
	fresh     bool           // the state was synced by this process
	fault     *model.Problem // of the cache
	conflicts []model.Problem
	at        int // index of the address to dial
}

// NewFollower returns a follower that knows nothing yet.
func NewFollower(o FollowerOptions) *Follower {
	if len(o.Grant.EntryPoints) == 0 {
		o.Grant.EntryPoints = o.DefaultEntryPoints
	}
	return &Follower{
		o: o, known: newKnown(o),
		client: &http.Client{
			Transport: o.Client,
			// A redirect would carry the key to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		unsaved: make(chan struct{}, 1), untold: make(chan struct{}, 1),
		state: State{Address: o.Addresses[0]},
	}
}

// signal leaves a token.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run makes one connection and publishes what comes over it, until it is lost or ctx is done. The first Run of a
// follower publishes what the cache knows before it connects.
func (f *Follower) Run(ctx context.Context, publish func(model.Snapshot)) error {
	f.restore(publish)
	c, err := f.connect(ctx)
	if err != nil {
		return f.lost(ctx, err)
	}
	defer c.close()
	var beside sync.WaitGroup
	beside.Go(func() { f.keepSaved(c.ctx, publish) })
	beside.Go(func() { f.keepTold(c.ctx, c.addr) })
	err = read(c.body, &session{f: f, c: c, publish: publish}, c.alive)
	if errors.Is(context.Cause(c.ctx), errSilent) {
		err = errSilent
	}
	c.close()
	beside.Wait()
	f.client.CloseIdleConnections() // a connection that fell silent must not be taken for the next attempt
	return f.lost(ctx, err)
}

// lost records the end of a connection, or that none was made.
func (f *Follower) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.state.Connected
	if was {
		f.state.Connected, f.state.Since = false, time.Now()
	}
	if !was || errors.Is(err, errSilent) {
		f.at = (f.at + 1) % len(f.o.Addresses) // this instance answers, and yet is of no use
	}
	f.state.LastError = strings.ReplaceAll(err.Error(), "\n", "; ")
	if ctx.Err() == nil {
		f.o.Log.Warn("the link is lost", "cluster", f.o.Cluster, "address", f.state.Address, "error", f.state.LastError)
	}
	f.state.Address = f.o.Addresses[f.at]
	if f.fault != nil && !f.fresh { // nothing was published yet that could say so
		err = fmt.Errorf("%w (%s)", err, f.fault.Message)
	}
	return err
}

// State returns how the link does.
func (f *Follower) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	var sum Service
	s.Routes, s.Refused, sum = f.known.counts()
	s.Ready, s.Total = sum.Ready, sum.Total
	return s
}

// Capacity returns how many endpoints the cluster has for a service, as it said last. It is not known before the
// cluster was reached, nor for a service that it does not export. It takes a lock: sample it, do not ask at every
// request.
func (f *Follower) Capacity(service model.Name) (ready, total int, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.known.services[service.String()]
	if !f.fresh || s == nil || s.fault != nil {
		return 0, 0, false
	}
	return s.Ready, s.Total, true
}

// session is one connection's view of the follower.
type session struct {
	f       *Follower
	c       *connection
	publish func(model.Snapshot)
	said    Hello
	up      bool // synced once
}

func (s *session) hello(h Hello) error {
	if h.Version < 1 || h.Version > Version {
		return fmt.Errorf("the cluster speaks version %d of the link protocol, this program at most %d", h.Version, Version)
	}
	if h.Epoch == "" || len(h.Epoch) > maxName || len(h.Cluster) > maxName {
		return errNoHello
	}
	s.said = h
	return nil
}

// synced makes the batch known and publishes.
func (s *session) synced(b *batch, rev uint64) error {
	f := s.f
	f.publishing.Lock()
	defer f.publishing.Unlock()
	f.mu.Lock()
	if !b.reset && s.said.Epoch != f.state.Epoch {
		f.mu.Unlock()
		return errEpoch
	}
	if err := f.known.apply(b, time.Now()); err != nil {
		f.mu.Unlock()
		return err
	}
	f.fresh = true
	f.state.Epoch, f.state.Revision = s.said.Epoch, rev
	if !s.up {
		s.up = true
		f.connected(s, !b.reset)
	}
	snapshot := f.snapshot()
	f.mu.Unlock()
	s.publish(snapshot)
	signal(f.unsaved)
	signal(f.untold)
	s.c.alive() // a large state takes its time
	return nil
}

func (s *session) heartbeat(capacity []Service, rev uint64) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.known.measured(capacity)
	s.f.state.LastHeartbeat = time.Now()
	if rev != 0 && s.up {
		s.f.state.Revision = rev
	}
}

func (f *Follower) connected(s *session, resumed bool) {
	if !f.state.Since.IsZero() {
		f.state.Reconnects++
	}
	f.state.Connected, f.state.Since, f.state.LastError = true, time.Now(), ""
	f.state.Address, f.state.RemoteName = s.c.addr, printable(s.said.Cluster, maxName)
	f.o.Log.Info("the link is up", "cluster", f.o.Cluster, "address", s.c.addr, "epoch", printable(s.said.Epoch, 64),
		"revision", f.state.Revision, "resumed", resumed)
}

// snapshot returns what is to be published now, sorted.
func (f *Follower) snapshot() model.Snapshot {
	s := f.known.snapshot()
	if f.fault != nil {
		s.Problems = append(s.Problems, *f.fault)
		slices.SortFunc(s.Problems, model.Problem.Compare)
	}
	return s
}
