package httpfile

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// Config says what to ask for.
type Config struct {
	Source model.Source // who the objects belong to: "http/main"
	URLs   []string     // of the same document, at least one
	// Interval is the time between two requests, Timeout that for one answer. Both are above zero.
	Interval, Timeout time.Duration
	// Wait is how long a server is asked to hold a request until the document changes (RFC 7240, section 4.3). 0: not.
	Wait time.Duration
	// MaxSize bounds the document, in bytes. 0 and less, and more than that: [document.MaxSize].
	MaxSize int
	// Header returns what is sent with each request, secrets included. It is called at the start of every run.
	Header func() (http.Header, error)
	TLS    *tls.Config // nil: what the machine trusts
}

// shortest is the time between two requests to a server that says that it holds them.
const shortest = 20 * time.Millisecond

// Provider asks for a document again and again.
type Provider struct {
	config Config
	log    *slog.Logger
	at     int // which URL is asked first: the one that answered last
}

// New returns a provider for one document.
func New(c Config, log *slog.Logger) *Provider { return &Provider{config: c, log: log} }

// Run publishes the document now and whenever it changes. It returns an error when no server gives it.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	header, err := p.config.Header()
	if err != nil {
		return err
	}
	c := newClient(&p.config, header)
	defer c.close()
	var last answer
	for {
		next, err := p.ask(ctx, c, last)
		if err != nil {
			return err
		}
		if next.document != last.document {
			publish(dynamic.Build(p.config.Source, []*dynamic.Document{next.document}))
		}
		last = next
		rest := p.config.Interval
		if next.held {
			rest = shortest
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rest):
		}
	}
}

// ask returns the answer of the first server that gives the document, beginning with the one that did last.
func (p *Provider) ask(ctx context.Context, c *client, last answer) (answer, error) {
	var failed []error
	for range p.config.URLs {
		url := p.config.URLs[p.at]
		next, err := c.get(ctx, url, last)
		if err == nil {
			if last.url != "" && last.url != url {
				p.log.Warn("another server is asked", "url", url, "error", errors.Join(failed...))
			}
			return next, nil
		}
		failed = append(failed, fmt.Errorf("asking %s: %w", url, err))
		p.at = (p.at + 1) % len(p.config.URLs)
	}
	return answer{}, errors.Join(failed...)
}
