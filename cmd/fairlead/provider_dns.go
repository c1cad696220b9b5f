package main

import (
	"maps"
	"slices"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/dns"
)

// newDNS makes what asks for the addresses of services.
func newDNS(c config.DNS) (provider.Provider, error) {
	o := dns.Config{
		Source: c.Source(), Servers: c.Servers, Timeout: c.Timeout, MinTTL: c.MinTTL, MaxTTL: c.MaxTTL,
		EmptyAfter: c.EmptyAfter,
		Options:    dynamic.WorkloadOptions{ExposedByDefault: true, DefaultRule: c.DefaultRule},
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		o.Services = append(o.Services, dns.Service{
			Name: name, Host: s.Name, Type: s.Type, Port: s.Port, Scheme: s.Scheme, Labels: s.Labels, TXT: s.TXT,
		})
	}
	return dns.New(o)
}
