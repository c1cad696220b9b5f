package main

import (
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/nomad"
)

// newNomad makes what follows the services of a namespace of Nomad.
func newNomad(c config.Nomad) (provider.Provider, error) {
	tls, err := clientTLS(c.Endpoint.TLS)
	if err != nil {
		return nil, err
	}
	token, err := secretOf(c.Endpoint.Token)
	if err != nil {
		return nil, err
	}
	return nomad.New(nomad.Config{
		Source: c.Source(), Address: c.Endpoint.Address, Region: c.Endpoint.Region, Namespace: c.Namespaces[0],
		Token: token, TLS: tls, Stale: c.Stale, Checks: c.CheckInterval, DropEmpty: !c.AllowEmptyServices,
		Options: dynamic.WorkloadOptions{
			ExposedByDefault: c.ExposedByDefault, DefaultRule: c.DefaultRule, Constraints: c.Constraints,
			Prefixes: prefixes(c.Prefix),
		},
	})
}
