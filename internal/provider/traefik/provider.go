package traefik

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Config says which Traefik is followed, and how far.
type Config struct {
	Source model.Source // "traefik/main"
	// URLs are those of its API, without /api, at least one. Several are replicas: one of them is asked, and the next when
	// it does not answer as it should.
	URLs []string
	// Header returns what is sent with each request, secrets included. It is called at the start of every run.
	Header  func() (http.Header, error)
	TLS     *tls.Config   // for its API; nil: the machine's
	Timeout time.Duration // of a request to it
	// Interval is the time between two looks. Settle is how long routers that are missing are waited for, after it may
	// have been started anew.
	Interval, Settle time.Duration
	// EntryPoints are where its entry points are reached, by their names there: the URLs of each, all with TLS or none.
	// Routers that are on none of them are left out.
	EntryPoints map[string][]string
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
	at     int // whom of URLs to ask

	// Runs follow each other: the next one begins with what the one before has published last.
	known   []router
	waiting bool // for what is missing
	until   time.Time
}

// New returns a provider.
func New(c Config, log *slog.Logger) *Provider { return &Provider{config: c, log: log} }

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
	for first := true; ; {
		found, anew, err := p.ask(ctx, c)
		if err != nil {
			return err
		}
		if p.believes(found, anew) && (first || !reflect.DeepEqual(found, p.known)) {
			first, p.known = false, found
			publish(p.snapshot(found))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// ask returns the routers that the first replica lists which answers as it should, beginning with the one that did
// last.
func (p *Provider) ask(ctx context.Context, c *client) (found []router, anew bool, err error) {
	var failed []error
	for range p.config.URLs {
		found, anew, err = c.routers(ctx, p.config.URLs[p.at])
		if err == nil {
			return found, anew, nil
		}
		failed = append(failed, fmt.Errorf("asking for its routers: %w", err))
		p.at = (p.at + 1) % len(p.config.URLs)
	}
	return nil, false, errors.Join(failed...)
}

// believes reports whether what was found is all that there is. The API of a Traefik that was started anew answers
// before its own providers have told it everything. So where routers are missing from what comes over a new connection,
// they are waited for.
func (p *Provider) believes(found []router, anew bool) bool {
	if anew && !p.waiting {
		p.waiting, p.until = true, time.Now().Add(p.config.Settle)
	}
	p.waiting = p.waiting && time.Now().Before(p.until) && lacks(found, p.known)
	return !p.waiting
}

// lacks reports whether one of known is missing.
func lacks(found, known []router) bool {
	there := make(map[string]bool, len(found))
	for _, r := range found {
		there[r.Name] = true
	}
	return slices.ContainsFunc(known, func(r router) bool { return !there[r.Name] })
}
