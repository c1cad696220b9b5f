package config

import (
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Nomad is a provider that follows the services that Nomad itself knows, in one of its namespaces.
type Nomad struct {
	Name     string        `doc:"name"` // default: "main"
	Endpoint NomadEndpoint `doc:"endpoint"`
	// Namespaces are whose services are followed; default: "default". Of several, each is a provider of its own, whose
	// name has the namespace's appended.
	Namespaces []string `doc:"namespaces"`
	// Prefix is what tags begin with that are read. "", the default: fairlead and traefik.
	Prefix           string `doc:"prefix"`
	ExposedByDefault bool   `doc:"exposedByDefault"` // also what does not say enable=true; default: true
	DefaultRule      string `doc:"defaultRule"`      // template; default: Host(`{{ normalize .Name }}`)
	Constraints      string `doc:"constraints"`      // expression that tags must fulfil
	// AllowEmptyServices keeps routes of services of which no instance is ready, and answers 503; default: true.
	AllowEmptyServices bool          `doc:"allowEmptyServices"`
	Stale              bool          `doc:"stale"`         // servers that are not the leader answer, too
	CheckInterval      time.Duration `doc:"checkInterval"` // between two looks at checks; default: 2 s; 0: none
}

// NomadEndpoint says where Nomad is asked.
type NomadEndpoint struct {
	Address string     `doc:"address"` // URL; default: "http://127.0.0.1:4646"
	Region  string     `doc:"region"`  // "": the agent's
	Token   KeyRef     `doc:"token"`
	TLS     *ClientTLS `doc:"tls"`
}

// Source returns the source of the provider's objects.
func (n Nomad) Source() model.Source { return source("nomad", n.Name) }

// each returns one provider for each namespace.
func (n Nomad) each() []Provider {
	return eachIn(n.Namespaces, n.Name, n, func(name, namespace string) Provider {
		n.Name, n.Namespaces = name, []string{namespace}
		return n
	})
}

func (l *loader) nomad(p part) Provider {
	n := Nomad{
		Name: defaultProvider, Endpoint: NomadEndpoint{Address: "http://127.0.0.1:4646"}, ExposedByDefault: true,
		DefaultRule: "Host(`{{ normalize .Name }}`)", AllowEmptyServices: true, CheckInterval: 2 * time.Second,
	}
	l.decode(p, &n)
	endpoint := p.key("endpoint")
	l.url(endpoint.key("address"), n.Endpoint.Address)
	n.Endpoint.Address = strings.TrimSuffix(n.Endpoint.Address, "/")
	if strings.HasPrefix(n.Endpoint.Address, "http:") && n.Endpoint.TLS != nil {
		l.wrong(endpoint.key("tls"), "the address is without TLS; write https, or remove tls")
	}
	l.absolute(&n.Endpoint.Token.File)
	l.clientTLS(endpoint.key("tls"), n.Endpoint.TLS)
	l.notNegative(p.key("checkInterval"), n.CheckInterval)
	l.namespaces(p, "", n.Namespaces)
	if len(n.Namespaces) == 0 {
		n.Namespaces = []string{"default"}
	}
	return n
}
