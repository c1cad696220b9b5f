package main

import (
	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/consulcatalog"
)

// newConsulCatalog makes what follows the services that Consul knows.
func (i *instance) newConsulCatalog(c config.ConsulCatalog) (provider.Provider, error) {
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
	var mesh *consulcatalog.Mesh
	if c.ConnectAware {
		member := cert.NewMember(c.Source())
		i.members[c.Source()] = member
		mesh = &consulcatalog.Mesh{Service: c.ServiceName, ByDefault: c.ConnectByDefault, Identify: member.Set}
	}
	return consulcatalog.New(consulcatalog.Config{
		Source: c.Source(), Address: c.Endpoint.Address, Datacenter: c.Endpoint.Datacenter, Namespace: c.Namespace,
		Token: token, Username: auth.Username, Password: password, TLS: tls,
		Stale: c.Stale, Consistent: c.RequireConsistent, States: c.StrictChecks, Mesh: mesh,
		Options: dynamic.WorkloadOptions{
			ExposedByDefault: c.ExposedByDefault, DefaultRule: c.DefaultRule, Constraints: c.Constraints,
			Prefixes: prefixes(c.Prefix),
		},
	})
}
