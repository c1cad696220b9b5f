package docker

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/engine"
)

// Config says which engine is asked, and how its containers are reached.
type Config struct {
	Source model.Source // who the objects belong to: "docker/main"
	Engine engine.Engine
	// Network is the one in which containers are reached, where their labels name none. "": the first that they are in.
	Network string
	// UseBindPortIP reaches containers where their ports are published, if they are published on an address.
	UseBindPortIP bool
	// DropEmpty takes the routes of containers away that are not ready. By default they stay, and answer 503.
	DropEmpty bool
	// Once reads the containers when the provider starts, and not again. False: whenever they change.
	Once    bool
	Options dynamic.WorkloadOptions
}

// Provider follows the containers of one engine.
type Provider struct {
	config Config
	log    *slog.Logger
	labels *dynamic.Workloads
	host   func(context.Context) string // where containers are reached that share the network of their host
}

// New returns a provider for one engine. The error is about the options.
func New(c Config, log *slog.Logger) (*Provider, error) {
	labels, err := dynamic.NewWorkloads(c.Source, c.Options)
	if err != nil {
		return nil, err
	}
	return &Provider{config: c, log: log, labels: labels, host: c.Engine.Host}, nil
}

// Run publishes what the engine runs, now and whenever it changes. It returns an error when the engine cannot be asked.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	api, err := p.config.Engine.Connect()
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }() // it only lets go of idle connections
	w := &watch{
		Provider: p, api: api, host: p.host(ctx), known: map[string]*container{}, dirty: map[string]bool{},
		gone: map[string]time.Time{},
	}
	if p.config.Once {
		if err := w.sync(ctx); err != nil {
			return err
		}
		publish(w.snapshot())
		<-ctx.Done()
		return ctx.Err()
	}
	return w.run(ctx, publish)
}
