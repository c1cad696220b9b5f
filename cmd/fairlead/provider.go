package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/file"
	"github.com/fairlead/fairlead/internal/provider/machines"
	"github.com/fairlead/fairlead/internal/provider/services"
)

// newProvider makes what watches one of the instance's own sources.
func newProvider(c config.Provider, log *slog.Logger) (provider.Provider, error) {
	switch c := c.(type) {
	case config.File:
		return file.New(file.Config{Source: c.Source(), Path: c.Path(), Once: !c.Watch}, log), nil
	case config.Services:
		return services.New(services.Config{Source: c.Source(), Path: c.Path(), Options: workloadOptions(c.Labels)}, log)
	case config.DNS:
		return newDNS(c)
	case config.Docker:
		return newDocker(c, log)
	case config.Swarm:
		return newSwarm(c, log)
	case config.HTTP:
		return newHTTP(c, log)
	case config.Traefik:
		return newTraefik(c, log)
	case config.Etcd:
		return newEtcd(c)
	case config.ConsulKV:
		return newConsulKV(c)
	case config.Nomad:
		return newNomad(c)
	case config.Redis:
		return newRedis(c)
	case config.ZooKeeper:
		return newZooKeeper(c)
	}
	return nil, fmt.Errorf("%s: nothing watches a %T", c.Source(), c)
}

// openProviders makes what watches the sources of the instance itself.
func (i *instance) openProviders(context.Context) error {
	for _, c := range i.config.Providers {
		if c, ok := c.(config.Machines); ok { // its place is the instance itself
			m, err := machines.New(machines.Config{Source: c.Source(), DefaultRule: c.DefaultRule}, i.store, i.log)
			if err != nil {
				return fmt.Errorf("provider %s: %w", c.Source(), err)
			}
			i.machines = m
			i.providers = append(i.providers, i.machines)
			continue
		}
		p, err := i.provider(c)
		if err != nil {
			return fmt.Errorf("provider %s: %w", c.Source(), err)
		}
		i.providers = append(i.providers, p)
	}
	return nil
}

// provider makes what watches a source, which may make the instance a member of a mesh.
func (i *instance) provider(c config.Provider) (provider.Provider, error) {
	if c, ok := c.(config.ConsulCatalog); ok {
		return i.newConsulCatalog(c)
	}
	return newProvider(c, i.log)
}

// runProvider keeps one of the instance's own sources running.
func (i *instance) runProvider(ctx context.Context, c config.Provider, p provider.Provider) error {
	return provider.Run(ctx, c.Source(), p, i.catalog, i.log)
}

// clientTLS returns the TLS side of a provider. Nil: nothing is configured.
func clientTLS(c *config.ClientTLS) (*tls.Config, error) {
	if c == nil {
		return nil, nil
	}
	t, err := cert.ClientTLS(cert.ClientFiles{CA: c.CA, Cert: c.Cert, Key: c.Key})
	if err != nil {
		return nil, err
	}
	t.ServerName, t.InsecureSkipVerify = c.ServerName, c.InsecureSkipVerify
	return t, nil
}

// secret returns the text that a reference leads to now. Providers ask at the start of every run, so that one that was
// replaced is used once the old one is refused. The zero reference leads to "".
func secret(ref config.KeyRef) (string, error) {
	if ref == (config.KeyRef{}) {
		return "", nil
	}
	s, err := access.Resolve(ref.String())
	return s.Reveal(), err
}

// secretReader returns a secret as it is now.
type secretReader = func() (string, error)

// secretOf returns what reads a secret, which must be there already.
func secretOf(ref config.KeyRef) (secretReader, error) {
	read := func() (string, error) { return secret(ref) }
	_, err := read()
	return read, err
}

// prefixes are what tags begin with that are labels. Nil: the usual ones.
func prefixes(only string) []string {
	if only == "" {
		return nil
	}
	return []string{only}
}
