package providertest

import (
	"testing"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
)

// Harness makes places for a provider to watch. Its functions end the test themselves where they cannot do what they
// are told.
type Harness struct {
	// Start returns a new place that holds nothing.
	Start func(t *testing.T) Place
}

// Place is one place and the provider that watches it.
type Place struct {
	Source   model.Source
	Provider provider.Provider
	// Set makes the place hold exactly these routes, rule by name, in one step. Each leads to a service of its own.
	Set func(rules map[string]string)
	// Spoil does the same and adds, in the same step, a route that cannot be understood. Nil: the place cannot hold
	// one.
	Spoil func(rules map[string]string)
	// Break makes the place unreadable, Heal makes it readable again, with what it held before.
	Break, Heal func()
	// Apart says that the objects of the place share no moment, so that of one Set some may be seen before others. Each
	// is then as it was or as it is to be, and those that both have are always there.
	Apart bool
	// Waits says that Run survives a break and goes on by itself, without an error.
	Waits bool
}
