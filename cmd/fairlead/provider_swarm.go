package main

import (
	"log/slog"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/provider/engine"
	"github.com/fairlead/fairlead/internal/provider/swarm"
)

// newSwarm makes what follows the services and tasks of a swarm.
func newSwarm(c config.Swarm, log *slog.Logger) (provider.Provider, error) {
	token, err := secretOf(c.Token)
	if err != nil {
		return nil, err
	}
	var engines []engine.Engine
	for _, endpoint := range c.Endpoints {
		c.Engine.Endpoint = endpoint
		e, err := engineOf(c.Engine)
		if err != nil {
			return nil, err
		}
		e.Token = token
		engines = append(engines, e)
	}
	return swarm.New(swarm.Config{
		Source: c.Source(), Engines: engines, Network: c.Network, UseBindPortIP: c.UseBindPortIP,
		DropEmpty: !c.AllowEmptyServices, Once: !c.Watch, Resync: c.Refresh, Options: workloadOptions(c.Labels),
	}, log)
}
