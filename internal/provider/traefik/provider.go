package traefik

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Config says which Traefik is followed, and how far.
type Config struct {
	Source model.Source // "traefik/main"
	URL    string       // of its API, without /api
	// Header returns what is sent with each request, secrets included. It is called at the start of every run.
	Header  func() (http.Header, error)
	TLS     *tls.Config   // for its API; nil: the machine's
	Timeout time.Duration // of a request to it
	// Interval is the time between two looks.
	Interval time.Duration
	// EntryPoints are where its entry points are reached, by their names there: the URL of each. Routers that are on none
	// of them are left out.
	EntryPoints map[string]string
	Trust       Trust // for entry points with TLS
	// Bound says what the grant leaves of a route that leads to a service: the entry points on which it is served, and
	// its match. The error says what is not granted.
	Bound func(r *model.Route, service string) (entryPoints []string, match model.Match, err error)
}

// Trust is how a Traefik proves at its entry points that it is the one meant.
type Trust struct {
	CA         string // certificates, PEM; "": those that the machine trusts
	ServerName string // to ask for and to find; "": the host of the URL
	Insecure   bool   // believe whoever answers
}

// Provider follows a Traefik.
type Provider struct {
	config Config
	log    *slog.Logger
}

// New returns a provider.
func New(c Config, log *slog.Logger) *Provider { return &Provider{c, log} }

// Run publishes the routers, now and whenever a look at them shows a change.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	header, err := p.config.Header()
	if err != nil {
		return err
	}
	c := newClient(&p.config, header)
	defer c.http.CloseIdleConnections()
	tick := time.NewTicker(p.config.Interval)
	defer tick.Stop()
	var known []router
	for first := true; ; first = false {
		found, err := c.routers(ctx)
		if err != nil {
			return fmt.Errorf("asking for its routers: %w", err)
		}
		if first || !reflect.DeepEqual(found, known) {
			known = found
			publish(p.snapshot(found))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
