package config

import (
	"cmp"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// ConsulCatalog is a provider that follows the services that Consul knows.
type ConsulCatalog struct {
	Name     string         `doc:"name"` // default: "main"
	Endpoint ConsulEndpoint `doc:"endpoint"`
	// Prefix is what tags begin with that are read. "", the default: fairlead and traefik.
	Prefix           string   `doc:"prefix"`
	ExposedByDefault bool     `doc:"exposedByDefault"` // also what does not say enable=true; default: true
	DefaultRule      string   `doc:"defaultRule"`      // template; default: Host(`{{ normalize .Name }}`)
	Constraints      string   `doc:"constraints"`      // expression that tags must fulfil
	StrictChecks     []string `doc:"strictChecks"`     // with which an instance is served; default: passing, warning
	Namespace        string   `doc:"namespace"`        // "": the token's
	// Namespaces are several: each is a provider of its own then, whose name has the namespace's appended. Once the file
	// is read, it is nil.
	Namespaces        []string `doc:"namespaces"`
	Stale             bool     `doc:"stale"` // servers that are not the leader answer, too
	RequireConsistent bool     `doc:"requireConsistent"`
	// ConnectAware makes the instance a part of Consul's mesh, as ServiceName, "traefik" by default. ConnectByDefault
	// reaches all services over it whose tags do not say otherwise.
	ConnectAware     bool   `doc:"connectAware"`
	ConnectByDefault bool   `doc:"connectByDefault"`
	ServiceName      string `doc:"serviceName"`
}

// ConsulEndpoint says where Consul is asked.
type ConsulEndpoint struct {
	Address    string          `doc:"address"` // default: "127.0.0.1:8500"
	Scheme     string          `doc:"scheme"`  // "http" or "https"; "": https where there is tls
	Datacenter string          `doc:"datacenter"`
	Token      KeyRef          `doc:"token"`
	HTTPAuth   *ConsulHTTPAuth `doc:"httpAuth"`
	TLS        *ClientTLS      `doc:"tls"`
}

// ConsulHTTPAuth is who asks, for a proxy in front of Consul.
type ConsulHTTPAuth struct {
	Username string `doc:"username"`
	Password KeyRef `doc:"password"`
}

// Source returns the source of the provider's objects.
func (c ConsulCatalog) Source() model.Source { return source("consulCatalog", c.Name) }

// each returns one provider for each namespace.
func (c ConsulCatalog) each() []Provider {
	return eachIn(c.Namespaces, c.Name, c, func(name, namespace string) Provider {
		c.Name, c.Namespace, c.Namespaces = name, namespace, nil
		return c
	})
}

func (l *loader) consulCatalog(p part) Provider {
	c := ConsulCatalog{
		Name: defaultProvider, Endpoint: ConsulEndpoint{Address: "127.0.0.1:8500"}, ExposedByDefault: true,
		DefaultRule: "Host(`{{ normalize .Name }}`)", StrictChecks: []string{"passing", "warning"}, ServiceName: "traefik",
	}
	l.decode(p, &c)
	endpoint := p.key("endpoint")
	if !isDial(c.Endpoint.Address) {
		l.wrong(endpoint.key("address"), `%q is not an address to dial; write "host:port"`, shorten(c.Endpoint.Address))
	}
	c.Endpoint.Scheme = strings.ToLower(c.Endpoint.Scheme)
	switch {
	case c.Endpoint.Scheme == "https" && c.Endpoint.TLS == nil:
		c.Endpoint.TLS = &ClientTLS{}
	case c.Endpoint.Scheme == "http" && c.Endpoint.TLS != nil:
		l.wrong(endpoint.key("scheme"), "http has no TLS; write https, or remove tls")
	}
	l.oneOf(endpoint.key("scheme"), cmp.Or(c.Endpoint.Scheme, "http"), "http", "https")
	for i, state := range c.StrictChecks {
		l.oneOf(p.key("strictChecks").item(i), state, "passing", "warning", "critical")
	}
	if c.Stale && c.RequireConsistent {
		l.wrong(p.key("requireConsistent"), "what is stale is not consistent; remove one of them")
	}
	if c.ConnectByDefault && !c.ConnectAware {
		l.wrong(p.key("connectByDefault"), "without connectAware there is no mesh; add it, or remove this")
	}
	if !serviceWord.MatchString(c.ServiceName) {
		l.wrong(p.key("serviceName"), "%q is no name of a service", shorten(c.ServiceName))
	}
	l.namespaces(p, c.Namespace, c.Namespaces)
	l.absolute(&c.Endpoint.Token.File)
	if c.Endpoint.HTTPAuth != nil {
		l.absolute(&c.Endpoint.HTTPAuth.Password.File)
	}
	l.clientTLS(endpoint.key("tls"), c.Endpoint.TLS)
	return c
}
