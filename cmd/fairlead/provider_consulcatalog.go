package main

import (
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/consulcatalog"
)

// newConsulCatalog makes what follows the services that Consul knows.
func newConsulCatalog(c config.ConsulCatalog) (provider.Provider, error) {
	tls, err := clientTLS(c.Endpoint.TLS)
	if err != nil {
		return nil, err
	}
	token, err := secretOf(c.Endpoint.Token)
	if err != nil {
		return nil, err
	}
	var auth config.ConsulHTTPAuth
	if c.Endpoint.HTTPAuth != nil {
		auth = *c.Endpoint.HTTPAuth
	}
	password, err := secretOf(auth.Password)
	if err != nil {
		return nil, err
	}
	return consulcatalog.New(consulcatalog.Config{
		Source: c.Source(), Address: c.Endpoint.Address, Datacenter: c.Endpoint.Datacenter, Namespace: c.Namespace,
		Token: token, Username: auth.Username, Password: password, TLS: tls,
		Stale: c.Stale, Consistent: c.RequireConsistent, States: c.StrictChecks,
		Options: dynamic.WorkloadOptions{
			ExposedByDefault: c.ExposedByDefault, DefaultRule: c.DefaultRule, Constraints: c.Constraints,
			Prefixes: prefixes(c.Prefix),
		},
	})
}
