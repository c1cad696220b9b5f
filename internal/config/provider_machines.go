package config

import "github.com/fairlead/fairlead/internal/model"

// Machines are the programs that register themselves with the instance.
type Machines struct {
	Name string `doc:"name"` // "main"
	// DefaultRule is the rule of a program whose labels have none. "", the default: it has a service alone.
	DefaultRule string `doc:"defaultRule"`
}

// Source returns the source of the provider's objects.
func (m Machines) Source() model.Source { return source("machines", m.Name) }

func (l *loader) machines(p part) Provider {
	m := Machines{Name: defaultProvider}
	l.decode(p, &m)
	if m.Name != defaultProvider {
		l.wrong(p.key("name"), "programs register with the instance itself, so there is one place: leave the name out")
	}
	return m
}
