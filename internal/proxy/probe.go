package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// healthPath is what a gateway is asked to see whether requests get into its cluster.
const healthPath = "/link/v1/health"

// Prober checks the hosts of clusters that are followed over the link, as requests go, and all others directly.
type Prober struct {
	direct   upstream.Prober
	gateways map[string]openGateway
}

// NewProber returns a prober that reaches gateways as the proxy does, on connections of its own.
func NewProber(gateways map[string]Gateway, direct upstream.Prober) *Prober {
	return &Prober{direct, openGateways(gateways, false)}
}

// Probe is part of upstream.Prober.
func (p *Prober) Probe(ctx context.Context, host upstream.ID, check model.HealthCheck) error {
	if !host.Gateway {
		return p.direct.Probe(ctx, host, check)
	}
	g, ok := p.gateways[host.Cluster]
	if !ok {
		return fmt.Errorf("cluster %s is not followed", host.Cluster)
	}
	key, err := g.Key()
	if err != nil {
		return fmt.Errorf("reading the key for cluster %s: %w", host.Cluster, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host.Addr+healthPath, nil)
	if err != nil {
		return fmt.Errorf("asking gateway %s: %w", host.Addr, err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := g.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.CopyN(io.Discard, answer.Body, 4<<10) // so that the connection can be used again
	if answer.StatusCode >= 300 {
		return fmt.Errorf("gateway %s answers %s", host.Addr, answer.Status)
	}
	return nil
}
