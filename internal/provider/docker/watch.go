package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/engine"
)

const (
	resyncEvery = time.Minute
	// together is how long a change waits for others that come with it.
	together = 10 * time.Millisecond
	// manyDirty is from when on it is cheaper to list all containers.
	manyDirty = 100
)

// watch is one run: the containers as they are known now.
type watch struct {
	*Provider
	api   *client.Client
	host  string // of the engine, as it is reached from here
	known map[string]*container
	dirty map[string]bool      // containers that changed since they were listed
	gone  map[string]time.Time // containers that were told to stop, or died, since they were started, and when
	list  []dynamic.Workload   // of the snapshot before; used again
}

// run follows events. What happens is one of: a change is told; it has waited for others; it is time to look at
// everything; the stream ends.
func (w *watch) run(ctx context.Context, publish func(model.Snapshot)) error {
	stream := engine.Events(ctx, w.api, eventFilters())
	if err := w.sync(ctx); err != nil {
		return err
	}
	publish(w.snapshot())
	resync := time.NewTicker(resyncEvery)
	defer resync.Stop()
	var due <-chan time.Time
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-stream.Err:
			return engine.Ended(err)
		case m := <-stream.Messages:
			switch urgent, changed := w.note(m); {
			case urgent:
				due = time.After(0)
			case changed && due == nil:
				due = time.After(together)
			}
			continue
		case <-due:
			due = nil
			err = w.refresh(ctx)
		case <-resync.C:
			err = w.sync(ctx)
		}
		if err != nil {
			return err
		}
		publish(w.snapshot())
	}
}

// eventFilters leave out what changes nothing here: the runs of health checks above all.
func eventFilters() client.Filters {
	return make(client.Filters).Add("type", string(events.ContainerEventType), string(events.NetworkEventType)).
		Add("event", "start", "restart", "kill", "die", "stop", "pause", "unpause", "destroy", "rename", "update",
			"health_status", "connect", "disconnect")
}

// note takes an event. What is urgent takes a container away.
func (w *watch) note(m events.Message) (urgent, changed bool) {
	id := m.Actor.ID
	if m.Type == events.NetworkEventType {
		id = m.Actor.Attributes["container"]
	}
	switch {
	case id == "":
		return false, false
	case m.Type == events.NetworkEventType:
	case m.Action == events.ActionStart || m.Action == events.ActionRestart:
		delete(w.gone, id)
	case m.Action == events.ActionKill:
		if !engine.Stops(m) {
			return false, false
		}
		w.gone[id] = time.Now()
		return true, true // there is nothing to be asked: until it has gone, a list says that it runs
	case m.Action == events.ActionDie:
		w.gone[id], urgent = time.Now(), true
	}
	w.dirty[id] = true
	return urgent, true
}

// refresh lists the containers that changed.
func (w *watch) refresh(ctx context.Context) error {
	if len(w.dirty) > manyDirty {
		return w.sync(ctx)
	}
	filters := make(client.Filters)
	for id := range w.dirty {
		filters.Add("id", id)
	}
	if len(filters) > 0 {
		found, err := w.ask(ctx, filters)
		if err != nil {
			return err
		}
		for id := range filters["id"] {
			delete(w.known, id)
		}
		for _, c := range found {
			w.known[c.id] = c
		}
	}
	clear(w.dirty)
	return nil
}

// sync lists all containers.
func (w *watch) sync(ctx context.Context) error {
	found, err := w.ask(ctx, nil)
	if err != nil {
		return err
	}
	clear(w.dirty)
	clear(w.known)
	for _, c := range found {
		w.known[c.id] = c
	}
	for id, since := range w.gone {
		if c := w.known[id]; c == nil || c.state == running && time.Since(since) > engine.StopsWithin {
			delete(w.gone, id)
		}
	}
	return nil
}

func (w *watch) ask(ctx context.Context, filters client.Filters) ([]*container, error) {
	ctx, cancel := w.config.Engine.Within(ctx)
	defer cancel()
	result, err := w.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	list := make([]*container, len(result.Items))
	for i := range result.Items {
		list[i] = newContainer(&result.Items[i])
	}
	return list, nil
}

func (w *watch) snapshot() model.Snapshot {
	w.list = w.list[:0]
	for _, c := range w.known {
		if s := w.say(c); s.serves {
			w.list = append(w.list, s.workload)
		}
	}
	return w.labels.Build(w.list)
}
