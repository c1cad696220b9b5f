package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/machines"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/telemetry"
	"github.com/fairlead/fairlead/internal/upstream"
)

// instance is a running Fairlead: the parts of docs/ARCHITECTURE.md, joined.
type instance struct {
	config *config.Config
	log    *slog.Logger

	store     *store.Bolt
	keys      *access.Keys
	authority *cert.Authority               // nil where no link is offered, or its certificate comes from files
	files     map[string]*cert.Files        // certificates, by entry point
	keyring   *cert.Keyring                 // certificates that snapshots bring
	workload  *cert.Workload                // nil: nobody says who the instance is
	members   map[model.Source]*cert.Member // who the instance is in the meshes of its sources
	catalog   *catalog.Catalog
	providers []provider.Provider       // in the order of the configuration
	machines  *machines.Provider        // nil: nobody may register; it is one of the providers, too
	followers map[string]*link.Follower // by cluster
	gateways  map[string]proxy.Gateway  // by cluster
	exporter  *link.Exporter            // nil where no link is offered
	link      *proxy.Link               // likewise
	hosts     *upstream.Hosts
	proxy     *proxy.Proxy
	metrics   *telemetry.Metrics
	accessLog *telemetry.AccessLog // nil where it is off
	traces    *telemetry.Traces    // likewise
	services  []service            // HTTP servers for people and programs, not for clients

	ready   chan struct{} // closed when everything is served
	manager string        // the socket of the service manager; "": nobody is told

	accessFile io.Closer // nil where the access log is off, or goes to standard output
}

// service is an HTTP server beside the data plane.
type service struct {
	name string
	net  net.Listener
	http *http.Server
}

// newInstance makes an instance. Its addresses are open when it returns; nothing is served before Run.
func newInstance(ctx context.Context, c *config.Config, log *slog.Logger) (*instance, error) {
	i := &instance{config: c, log: log, keyring: cert.NewKeyring()}
	i.files, i.members = make(map[string]*cert.Files), make(map[model.Source]*cert.Member)
	i.ready = make(chan struct{})
	i.metrics = telemetry.NewMetrics()
	for _, step := range []func(context.Context) error{
		i.openStore, i.openCatalog, i.openProviders, i.openFollowers, i.openLink, i.openProxy, i.openServices,
	} {
		if err := step(ctx); err != nil {
			i.close()
			return nil, err
		}
	}
	return i, nil
}

// Run serves until ctx is done, then drains. It closes everything that newInstance opened.
func (i *instance) Run(ctx context.Context) error {
	defer i.close()
	// What requests under way need outlives the entry points, which are drained first.
	below, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var background errgroup.Group
	background.Go(func() error { return i.hosts.Run(below) }) // health checks
	background.Go(func() error { return i.keys.Run(below) })  // expiry, last use, revocations by other replicas
	if i.accessLog != nil {
		background.Go(func() error { return i.accessLog.Run(below) }) // writes what requests handed over
	}
	if i.traces != nil {
		background.Go(func() error { return i.traces.Run(below) }) // tells what requests handed over
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return i.catalog.Run(running) }) // the start deadline
	group.Go(func() error { return i.apply(running) })       // each change, into the data plane and onto the link
	group.Go(func() error { return i.proxy.Run(running) })   // the entry points
	if i.manager != "" {
		group.Go(func() error { return i.tellManager(running) }) // systemd waits for it
	}
	for n, p := range i.providers {
		group.Go(func() error { return i.runProvider(running, i.config.Providers[n], p) })
	}
	for name, f := range i.followers {
		group.Go(func() error { return i.runFollower(running, name, f) }) // one for each followed cluster
	}
	if i.workload != nil {
		group.Go(func() error { return i.workload.Run(running) }) // who we are to services
	}
	for _, f := range i.files {
		group.Go(func() error { return f.Run(running) }) // certificates that are replaced on disk
	}
	if i.exporter != nil {
		group.Go(func() error { return i.exporter.Run(running) }) // heartbeats to followers
	}
	for _, s := range i.services {
		group.Go(func() error { return s.run(running) }) // management API, metrics
	}
	err := group.Wait()
	stop()
	return errors.Join(err, background.Wait())
}

// apply follows the catalog: a change goes into the data plane first, and onto the link when that serves it.
func (i *instance) apply(ctx context.Context) error {
	served := false
	for snapshot := range i.catalog.Watch(ctx) {
		began := time.Now()
		whole := i.catalog.Whole(snapshot)
		i.proxy.Apply(snapshot, whole)
		i.metrics.Generation(time.Since(began))
		if whole && !served {
			served = true
			close(i.ready)
		}
		i.reportConflicts()
		// Not before the instance's own sources have spoken: a follower takes what is missing for deleted.
		if i.exporter != nil && whole && i.catalog.Heard(snapshot) {
			i.exporter.Publish(snapshot)
		}
	}
	return nil
}

// reportConflicts tells followed clusters which of their routes lost against others.
func (i *instance) reportConflicts() {
	if len(i.followers) == 0 {
		return
	}
	problems := i.proxy.Problems()
	for name, f := range i.followers {
		f.Report(conflicts(problems, model.LinkSource(name)))
	}
}

// conflicts returns the problems that a followed cluster should know: those of its routes that lost against another.
func conflicts(problems []model.Problem, source model.Source) (found []model.Problem) {
	for _, p := range problems {
		if p.Code == model.Conflict && p.Object.Source == source {
			found = append(found, p)
		}
	}
	return found
}

// problems returns everything that is wrong now.
func (i *instance) problems() []model.Problem {
	problems := slices.Concat(i.config.Problems, i.proxy.Problems())
	if s := i.proxy.Snapshot(); s != nil {
		problems = append(problems, s.Problems...)
	}
	if i.workload != nil {
		problems = append(problems, i.workload.Problems()...)
	}
	for _, f := range i.files {
		problems = append(problems, f.Problems()...)
	}
	return problems
}

func (i *instance) runFollower(ctx context.Context, cluster string, f *link.Follower) error {
	return provider.Run(ctx, model.LinkSource(cluster), f, i.catalog, i.log)
}

// run serves until ctx is done.
func (s service) run(ctx context.Context) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx } // streams end with the instance
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.net) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving %s: %w", s.name, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if s.http.Shutdown(grace) != nil {
		_ = s.http.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", s.name, err)
	}
	return nil
}

// close gives back what newInstance opened, as far as it got.
func (i *instance) close() {
	if i.proxy != nil {
		i.proxy.Close()
	}
	for _, s := range i.services {
		_ = s.net.Close()
	}
	if i.accessFile != nil {
		if err := i.accessFile.Close(); err != nil {
			i.log.Error("closing the access log", "error", err)
		}
	}
	if i.store != nil {
		if err := i.store.Close(); err != nil {
			i.log.Error("closing the store", "error", err)
		}
	}
}
