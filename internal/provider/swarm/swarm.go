package swarm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/engine"
)

// Config says which swarm is followed, and how its tasks are reached.
type Config struct {
	Source model.Source // who the objects belong to: "swarm/main"
	// Engines are managers of the swarm, or what stands for them. The first one that answers is asked, and the next when
	// it does not any more. All of them, workers too, tell when their containers start and stop.
	Engines []engine.Engine
	// Network is the one in which tasks are reached, where the labels of their service name none. "": one that this
	// instance is in, else the first that they are in.
	Network string
	// UseBindPortIP reaches tasks where their ports are published on their node, even if they share a network with us.
	UseBindPortIP bool
	// DropEmpty takes the routes of services away that have no task that is ready. By default they stay, and answer 503.
	DropEmpty bool
	// Once reads the swarm when the provider starts, and not again. False: whenever it changes.
	Once    bool
	Resync  time.Duration // between two lists of everything; 0: 15 s
	Options dynamic.WorkloadOptions
}

// Provider follows the services and tasks of one swarm.
type Provider struct {
	config Config
	log    *slog.Logger
	labels *dynamic.Workloads
	at     int // which engine is asked, first the one that answered last
	// addresses returns those of this machine, or of the container that we are.
	addresses func() ([]net.Addr, error)
}

const (
	defaultResync = 15 * time.Second
	// longServed is how long a manager must have served for the others to be worth another try.
	longServed = 10 * time.Second
)

// New returns a provider for one swarm. The error is about the options.
func New(c Config, log *slog.Logger) (*Provider, error) {
	labels, err := dynamic.NewWorkloads(c.Source, c.Options)
	if err != nil {
		return nil, err
	}
	return &Provider{config: c, log: log, labels: labels, addresses: net.InterfaceAddrs}, nil
}

// Run publishes what the swarm runs, now and whenever it changes. It returns an error when no manager can be asked.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	ctx, cancel := context.WithCancel(ctx)
	told := make(chan events.Message)
	var listeners sync.WaitGroup
	defer listeners.Wait()
	defer cancel()
	if !p.config.Once {
		for _, e := range p.config.Engines {
			listeners.Go(func() { p.listen(ctx, e, told) })
		}
	}
	var failed []error
	for len(failed) < len(p.config.Engines) {
		e, began := p.config.Engines[p.at], time.Now()
		err := p.follow(ctx, e, told, publish)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > longServed {
			failed = nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", e.Endpoint, err))
		p.at = (p.at + 1) % len(p.config.Engines)
		p.log.Warn("manager cannot be asked", "source", p.config.Source, "manager", e.Endpoint, "error", err,
			"next", p.config.Engines[p.at].Endpoint)
	}
	return errors.Join(failed...)
}

// follow asks one manager for as long as it answers.
func (p *Provider) follow(
	ctx context.Context, e engine.Engine, told <-chan events.Message, publish func(model.Snapshot),
) error {
	ctx, cancel := context.WithCancel(ctx) // of the stream of events
	defer cancel()
	api, err := e.Connect()
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // it only lets go of idle connections
	w := newWatch(p, e, api)
	if !p.config.Once {
		return w.run(ctx, told, publish)
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	publish(w.snapshot())
	<-ctx.Done()
	return ctx.Err()
}

// ours returns the networks that this instance has addresses in.
func (p *Provider) ours() (list []netip.Prefix) {
	all, err := p.addresses()
	if err != nil {
		return nil // it counts as one that is in none of the swarm's
	}
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, prefix.Masked())
		}
	}
	return list
}
