package machines

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// What the calls can fail with, apart from the store's own errors.
var (
	ErrInvalid  = errors.New("not accepted") // the message says what and why
	ErrNotFound = errors.New("not registered")
	ErrFull     = errors.New("there are too many registrations")
)

// maxRegistrations bounds what those who may register can cost.
const maxRegistrations = 10_000

// Item is one value of a store. It is an alias, so that a store may declare the same type.
type Item = struct {
	Key     string
	Value   []byte
	Version uint64
}

// Store keeps the registrations over a restart.
type Store interface {
	List(ctx context.Context, prefix string) ([]Item, error)
	Put(ctx context.Context, key string, value []byte, ifVersion uint64) (uint64, error)
	Delete(ctx context.Context, key string, ifVersion uint64) error
}

// anyVersion makes a write unconditional: the last registration wins.
const anyVersion = math.MaxUint64

// storePrefix is where in the store the registrations are; the service and the address follow.
const storePrefix = "registrations/"

func (k key) stored() string { return storePrefix + k.service + "/" + k.address }

// Config says whose provider it is.
type Config struct {
	Source model.Source // "machines/main"
	// DefaultRule is the rule of a program whose labels have none, a template. "": those have a service alone.
	DefaultRule string
}

// Provider is the registrations of an instance. Its methods may be called concurrently, whether it runs or not.
type Provider struct {
	store   Store
	log     *slog.Logger
	changed chan struct{} // holds one: something is to be published

	writing sync.Mutex // held by whoever changes the store and then what is live
	mu      sync.Mutex
	loaded  bool
	live    map[key]Registration

	workloads *dynamic.Workloads // Run's
}

// New returns a provider without registrations; those in the store come when it runs. The error is about the config.
func New(c Config, store Store, log *slog.Logger) (*Provider, error) {
	workloads, err := dynamic.NewWorkloads(c.Source, dynamic.WorkloadOptions{
		ExposedByDefault: true, DefaultRule: c.DefaultRule,
	})
	if err != nil {
		return nil, err
	}
	return &Provider{
		workloads: workloads, store: store, log: log,
		changed: make(chan struct{}, 1), live: make(map[key]Registration),
	}, nil
}

// Register takes a registration, or renews it: its lease is a whole one again. It fails with [ErrInvalid] and
// [ErrFull].
func (p *Provider) Register(ctx context.Context, r Registration) (Registration, error) {
	r.TTL = cmp.Or(r.TTL, DefaultTTL)
	if err := r.check(); err != nil {
		return r, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	was, known := p.live[r.key()]
	full := !known && len(p.live) >= maxRegistrations
	p.mu.Unlock()
	now := time.Now()
	switch {
	case full:
		return r, ErrFull
	case known && was.same(r):
		was.Ends = now.Add(r.TTL)
		p.set(was)
		return was, nil
	case known:
		r.Since = was.Since
	default:
		r.Since = now.UTC().Truncate(time.Microsecond)
	}
	value, err := json.Marshal(r)
	if err == nil {
		_, err = p.store.Put(ctx, r.key().stored(), value, anyVersion)
	}
	if err != nil {
		return r, fmt.Errorf("registering %s at %s: %w", r.Service, r.Address, err)
	}
	r.Ends = now.Add(r.TTL)
	p.set(r)
	p.tell()
	return r, nil
}

// Deregister takes a registration away. It fails with [ErrNotFound].
func (p *Provider) Deregister(ctx context.Context, service, address string) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	k := key{service, address}
	p.mu.Lock()
	_, known := p.live[k]
	p.mu.Unlock()
	if !known {
		return ErrNotFound
	}
	if err := p.store.Delete(ctx, k.stored(), anyVersion); err != nil {
		return fmt.Errorf("deregistering %s at %s: %w", service, address, err)
	}
	p.mu.Lock()
	delete(p.live, k)
	p.mu.Unlock()
	p.tell()
	return nil
}

// List returns the registrations, sorted by service, then address.
func (p *Provider) List() []Registration {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Registration, 0, len(p.live))
	for _, r := range p.live {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Registration) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Address, b.Address))
	})
	return list
}

// snapshot is what the registrations say together.
func (p *Provider) snapshot() model.Snapshot {
	list := p.List()
	workloads := make([]dynamic.Workload, len(list))
	for i, r := range list {
		workloads[i] = r.workload()
	}
	return p.workloads.Build(workloads)
}

func (p *Provider) set(r Registration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live[r.key()] = r
}

// tell makes Run publish.
func (p *Provider) tell() {
	select {
	case p.changed <- struct{}{}:
	default: // it will
	}
}

// Run publishes the registrations, now and whenever they change, and takes away those whose lease has ended. It returns
// an error when those of before the start cannot be read.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	if err := p.load(ctx); err != nil {
		return fmt.Errorf("reading the registrations: %w", err)
	}
	lease := time.NewTimer(0)
	defer lease.Stop()
	for {
		p.expire(ctx)
		publish(p.snapshot())
		for waiting := true; waiting; {
			lease.Reset(p.next())
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-p.changed:
				waiting = false
			case <-lease.C: // or it was renewed meanwhile
				waiting = !p.expire(ctx)
			}
		}
	}
}

// load reads what was registered before the start; each has a whole lease from now on.
func (p *Provider) load(ctx context.Context) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.loaded {
		return nil
	}
	items, err := p.store.List(ctx, storePrefix)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, item := range items {
		var r Registration
		if err := json.Unmarshal(item.Value, &r); err != nil || r.check() != nil || r.key().stored() != item.Key {
			p.log.Error("a registration of before the start is left out", "key", item.Key, "error", err)
			continue
		}
		if _, newer := p.live[r.key()]; !newer {
			r.Ends = time.Now().Add(r.TTL)
			p.live[r.key()] = r
		}
	}
	p.loaded = true
	return nil
}

// farAway is how long to wait where no lease will end.
const farAway = time.Hour

// next returns in how long a lease ends.
func (p *Provider) next() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := farAway
	for _, r := range p.live {
		wait = min(wait, time.Until(r.Ends))
	}
	return max(wait, 0)
}

// expire takes away the registrations whose lease has ended, and reports whether there were any.
func (p *Provider) expire(ctx context.Context) (any bool) {
	p.writing.Lock()
	defer p.writing.Unlock()
	for _, r := range p.List() {
		if time.Now().Before(r.Ends) {
			continue
		}
		any = true
		p.log.Warn("a lease has ended", "service", r.Service, "address", r.Address, "ttl", r.TTL)
		p.mu.Lock()
		delete(p.live, r.key())
		p.mu.Unlock()
		if err := p.store.Delete(ctx, r.key().stored(), anyVersion); err != nil {
			p.log.Error("a registration whose lease has ended stays in the store", "service", r.Service, "error", err)
		}
	}
	return any
}
