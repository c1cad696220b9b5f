package swarm

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead/internal/provider/engine"
)

// listen tells what happens to the containers of one engine, for as long as ctx is not done. An engine that cannot be
// followed is tried again: without it, changes on its node are seen somewhat later.
func (p *Provider) listen(ctx context.Context, e engine.Engine, told chan<- events.Message) {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = 10 * time.Second
	for ctx.Err() == nil {
		began := time.Now()
		err := hear(ctx, e, told)
		if time.Since(began) > longServed {
			wait.Reset()
		}
		p.log.Debug("containers of an engine are not followed", "engine", e.Endpoint, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait.NextBackOff()):
		}
	}
}

func hear(ctx context.Context, e engine.Engine, told chan<- events.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	api, err := e.Connect()
	if err != nil {
		return err
	}
	defer func() { _ = api.Close() }()
	stream := engine.Events(ctx, api, make(client.Filters).Add("type", string(events.ContainerEventType)).
		Add("event", "start", "kill", "die", "health_status"))
	for {
		select {
		case err := <-stream.Err:
			return engine.Ended(err)
		case m := <-stream.Messages:
			select {
			case told <- m:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
