package nomad

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// Config says which Nomad is asked, and which of its services are served.
type Config struct {
	Source    model.Source
	Address   string                 // URL of its API, without a slash at its end
	Region    string                 // "": that of the agent
	Namespace string                 // whose services
	Token     func() (string, error) // called at the start of every run
	TLS       *tls.Config            // nil: what the machine trusts
	Stale     bool                   // servers that are not the leader answer, too
	// Checks is the time between two looks at the checks of an allocation. 0: nobody looks at them.
	Checks time.Duration
	// DropEmpty takes away what labels define where the instance is not ready.
	DropEmpty bool
	Options   dynamic.WorkloadOptions
}

// Provider follows one namespace of one Nomad.
type Provider struct {
	config    Config
	workloads *dynamic.Workloads
	health    map[string]*health // by allocation; it outlives runs
}

// New returns a provider. The error is about the options.
func New(c Config) (*Provider, error) {
	w, err := dynamic.NewWorkloads(c.Source, c.Options)
	return &Provider{c, w, map[string]*health{}}, err
}

const (
	holdOff     = 5 * time.Millisecond  // without news, until a burst is over
	longestHold = 50 * time.Millisecond // however long a burst lasts
)

// Run publishes the services now and whenever they change. It returns an error when Nomad cannot be asked, and when the
// stream of its events ends.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	client, err := dial(&p.config)
	if err != nil {
		return fmt.Errorf("connecting to Nomad: %w", err)
	}
	defer client.close()
	ctx, cancel := context.WithCancel(ctx)
	w := newWatch(client, p)
	defer w.running.Wait()
	defer cancel()
	defer w.tick.Stop()
	if err := w.begin(ctx); err != nil {
		return fmt.Errorf("asking Nomad: %w", err)
	}
	for {
		publish(p.workloads.Build(w.list()))
		if err := w.burst(ctx); err != nil {
			return fmt.Errorf("asking Nomad: %w", err)
		}
	}
}

// workload is an instance of a service as labels describe it.
func (p *Provider) workload(r registration) dynamic.Workload {
	w := dynamic.Workload{
		Name: r.ServiceName, Instance: "instance " + r.ID, Tags: r.Tags, Labels: dynamic.TagLabels(r.Tags), Host: r.Address,
		Created: time.Unix(int64(r.CreateIndex), 0), // no time, but in its order
	}
	if p.config.Namespace != "default" {
		w.Namespace = p.config.Namespace
	}
	if p.workloads.Switch(w.Labels, "nomad.canary") {
		w.Short, w.Name = w.Name, w.Name+"-canary"
	}
	if r.Port > 0 && r.Port < 1<<16 {
		w.Ports = []dynamic.WorkloadPort{{Number: uint16(r.Port)}, {Number: uint16(r.Port), UDP: true}}
	}
	if p.config.Checks > 0 && !p.health[r.AllocID].ready(r.ServiceName) {
		w.State, w.Host, w.Ports = model.NotReady, "", nil
	}
	return w
}

var errQuiet = errors.New("nothing is new")
