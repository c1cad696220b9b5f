package config

import "github.com/fairlead/fairlead/internal/model"

// Services is a provider that reads service files: targets of Prometheus, service definitions of Consul.
type Services struct {
	Name string `doc:"name"` // default: "main"
	Place
	// Labels are what instances are served by; without a defaultRule, the default, a service has no route of its own.
	Labels
}

// Source returns the source of the provider's objects.
func (s Services) Source() model.Source { return source("services", s.Name) }

func (l *loader) serviceFiles(p part) Provider {
	s := Services{Name: defaultProvider, Labels: defaultLabels()}
	s.DefaultRule = ""
	l.decode(p, &s)
	l.place(p, &s.Place)
	return s
}
