package config

import (
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Swarm is a provider that follows the services and tasks of a Docker Swarm.
type Swarm struct {
	Name string `doc:"name"` // default: "main"
	Engine
	// Endpoints are managers: the first that answers is asked, and all tell when their containers
	// start and stop. One may be given as Endpoint; then it is the only one.
	Endpoints []string `doc:"endpoints"`
	Token     KeyRef   `doc:"token"` // of agents beside the managers
	Labels
	// UseBindPortIP reaches tasks where their ports are published on their node, even in a network that both are in.
	UseBindPortIP bool `doc:"useBindPortIP"`
	// AllowEmptyServices keeps routes whose service has no task that is ready: they answer 503; default: true.
	AllowEmptyServices bool          `doc:"allowEmptyServices"`
	Refresh            time.Duration `doc:"refreshSeconds"` // between two lists of everything; default: 15 s
}

// Source returns the source of the provider's objects.
func (s Swarm) Source() model.Source { return source("swarm", s.Name) }

func (l *loader) swarm(p part) Provider {
	s := Swarm{
		Name: defaultProvider, Engine: defaultEngine(), Labels: defaultLabels(), AllowEmptyServices: true,
		Refresh: 15 * time.Second,
	}
	l.decode(p, &s)
	l.notBoth(p, "endpoint", "endpoints", p.key("endpoint").given() && len(s.Endpoints) > 0)
	at := p.key("endpoints").item
	if len(s.Endpoints) == 0 {
		s.Endpoints, at = []string{s.Endpoint}, func(int) part { return p.key("endpoint") }
	}
	s.Endpoint = ""
	for i, endpoint := range s.Endpoints {
		l.engineAt(p, at(i), endpoint, &s.Engine)
		if s.Token != (KeyRef{}) && s.TLS == nil && !strings.HasPrefix(endpoint, "https:") {
			l.wrong(p.key("token"), "it would be shown on the way to %s; use https", shorten(endpoint))
		}
	}
	l.engineAsked(p, &s.Engine)
	l.notBoth(p, "username", "token", s.Username != "" && s.Token != (KeyRef{}))
	l.positive(p.key("refreshSeconds"), s.Refresh)
	l.absolute(&s.Token.File)
	return s
}
