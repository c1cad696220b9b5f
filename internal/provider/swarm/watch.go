package swarm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/engine"
)

const (
	// together is how long a change waits for others that come with it.
	together = 10 * time.Millisecond
	// soon and late bound the wait before what is under way is looked at again: a quarter of the time in which nothing
	// has changed.
	soon = 100 * time.Millisecond
	late = time.Second
	// restless is how long a service is looked at after something was told of it, even if it is as it should be: managers
	// know of services before they know of their tasks, and engines know of tasks before managers do.
	restless = 2 * time.Second
	// many is from how many services on it is cheaper to list them all.
	many = 100
)

// The attributes that say which task a container is of.
const (
	ofService = "com.docker.swarm.service.id"
	ofTask    = "com.docker.swarm.task.id"
)

// watch is one run with one manager: the swarm as it is known now.
type watch struct {
	*Provider
	engine   engine.Engine
	api      *client.Client
	self     string                      // the node that is asked
	services map[string]*service         // by ID, as are
	tasks    map[string]map[string]*task // those of each service, and
	nodes    map[string]string           // addresses
	gone     map[string]time.Time        // tasks that were told to stop, or died, and when
	told     map[string]time.Time        // services of which something was told, and when
	all      bool                        // something was told of which everything may depend
	changed  time.Time                   // when something was, or was told to be
}

func newWatch(p *Provider, e engine.Engine, api *client.Client) *watch {
	return &watch{
		Provider: p, engine: e, api: api, services: map[string]*service{}, tasks: map[string]map[string]*task{},
		gone: map[string]time.Time{}, told: map[string]time.Time{},
	}
}

// run follows events. What happens is one of: a change is told; it has waited for others, or something is under way; it
// is time to look at everything; the stream ends.
func (w *watch) run(ctx context.Context, told <-chan events.Message, publish func(model.Snapshot)) error {
	stream := engine.Events(ctx, w.api, make(client.Filters).
		Add("type", string(events.ServiceEventType), string(events.NodeEventType)))
	if err := w.begin(ctx); err != nil {
		return err
	}
	publish(w.snapshot())
	resync := time.NewTicker(cmp.Or(w.config.Resync, defaultResync))
	defer resync.Stop()
	var (
		at  = w.next()
		due = timer(at)
	)
	for {
		changed, err := false, error(nil)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-stream.Err:
			return engine.Ended(err)
		case m := <-stream.Messages:
			changed = w.note(m)
		case m := <-told:
			changed = w.note(m)
		case <-due:
			due = nil
			changed, err = w.refresh(ctx)
		case <-resync.C:
			changed, err = w.sync(ctx)
		}
		if err != nil {
			return err
		}
		if changed {
			w.changed = time.Now()
			publish(w.snapshot())
		}
		if next := w.next(); due == nil || next.Before(at) {
			at, due = next, timer(next)
		}
	}
}

// timer fires at a time. Zero: never.
func timer(at time.Time) <-chan time.Time {
	if at.IsZero() {
		return nil
	}
	return time.After(time.Until(at))
}

// begin asks who answers, and for everything.
func (w *watch) begin(ctx context.Context) error {
	within, cancel := w.engine.Within(ctx)
	defer cancel()
	result, err := w.api.Info(within, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("asking who it is: %w", err)
	}
	if !result.Info.Swarm.ControlAvailable {
		return errors.New("it is no manager of a swarm; ask one, or an agent beside one")
	}
	w.self = result.Info.Swarm.NodeID
	_, err = w.sync(ctx)
	return err
}

// note takes an event. It reports whether a task is taken away.
func (w *watch) note(m events.Message) (changed bool) {
	id := m.Actor.ID
	switch m.Type {
	case events.NodeEventType:
		w.all = true
	case events.ContainerEventType:
		id = m.Actor.Attributes[ofService]
		if id == "" {
			return false
		}
		if task := m.Actor.Attributes[ofTask]; engine.Stops(m) || m.Action == events.ActionDie {
			_, known := w.gone[task]
			changed = !known && w.tasks[id][task] != nil
			w.gone[task] = time.Now()
		}
	}
	if m.Type != events.NodeEventType {
		w.told[id] = time.Now()
	}
	w.changed = time.Now()
	return changed
}

// next says when to look again. Zero: not before something is told.
func (w *watch) next() time.Time {
	if !w.all && len(w.told) == 0 && len(w.unsettled()) == 0 {
		return time.Time{}
	}
	still := time.Since(w.changed)
	if still < together {
		return w.changed.Add(together)
	}
	return time.Now().Add(min(max(still/4, soon), late))
}

// unsettled returns the services that are not as they should be.
func (w *watch) unsettled() (ids []string) {
	for id, s := range w.services {
		if !s.settled(w.tasks[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// refresh looks at the services that something was told of, or that are not as they should be.
func (w *watch) refresh(ctx context.Context) (changed bool, err error) {
	ids := map[string]bool{}
	for id, at := range w.told {
		ids[id] = true
		if time.Since(at) > restless {
			delete(w.told, id)
		}
	}
	for _, id := range w.unsettled() {
		ids[id] = true
	}
	if w.all || len(ids) > many {
		return w.sync(ctx)
	}
	if len(ids) == 0 {
		return false, nil
	}
	return w.look(ctx, ids)
}

// sync looks at everything.
func (w *watch) sync(ctx context.Context) (changed bool, err error) {
	within, cancel := w.engine.Within(ctx)
	defer cancel()
	result, err := w.api.NodeList(within, client.NodeListOptions{})
	if err != nil {
		return false, fmt.Errorf("listing nodes: %w", err)
	}
	before := w.nodes
	w.nodes = make(map[string]string, len(result.Items))
	for i := range result.Items {
		w.nodes[result.Items[i].ID] = w.addressOf(ctx, &result.Items[i])
	}
	w.all = false
	changed, err = w.look(ctx, nil)
	return changed || !maps.Equal(before, w.nodes), err
}

// look lists services, and the tasks that they want. Nil: all of them.
func (w *watch) look(ctx context.Context, ids map[string]bool) (changed bool, err error) {
	ctx, cancel := w.engine.Within(ctx)
	defer cancel()
	var which client.Filters
	wanted := make(client.Filters).Add("desired-state", "running", "ready")
	if ids != nil {
		which = make(client.Filters)
	}
	for id := range ids {
		which.Add("id", id)
		wanted.Add("service", id)
	}
	services, err := w.api.ServiceList(ctx, client.ServiceListOptions{Filters: which})
	if err != nil {
		return false, fmt.Errorf("listing services: %w", err)
	}
	tasks, err := w.api.TaskList(ctx, client.TaskListOptions{Filters: wanted})
	if err != nil {
		return false, fmt.Errorf("listing tasks: %w", err)
	}
	found := map[string]*service{}
	for i := range services.Items {
		s := newService(&services.Items[i])
		found[s.id] = s
	}
	of := map[string]map[string]*task{}
	for i := range tasks.Items {
		t := newTask(&tasks.Items[i])
		if of[t.service] == nil {
			of[t.service] = map[string]*task{}
		}
		of[t.service][t.id] = t
	}
	return w.replace(ids, found, of), nil
}

// replace makes what was found what is known of services. Nil: of all of them.
func (w *watch) replace(ids map[string]bool, found map[string]*service, of map[string]map[string]*task) (changed bool) {
	if ids == nil {
		ids = map[string]bool{}
		for id := range w.services {
			ids[id] = true
		}
		for id := range found {
			ids[id] = true
		}
	}
	for id := range ids {
		changed = changed || !same(w.services[id], found[id], w.tasks[id], of[id])
		for task := range w.tasks[id] {
			if of[id][task] == nil || time.Since(w.gone[task]) > engine.StopsWithin {
				delete(w.gone, task)
			}
		}
		delete(w.services, id)
		delete(w.tasks, id)
		if found[id] != nil {
			w.services[id], w.tasks[id] = found[id], of[id]
		}
	}
	return changed
}

func (w *watch) snapshot() model.Snapshot {
	var list []dynamic.Workload
	ours := w.ours()
	for id, s := range w.services {
		list = w.workloads(list, s, w.tasks[id], ours)
	}
	return w.labels.Build(list)
}
