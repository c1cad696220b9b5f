package nomad

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// How many questions are asked at the same time. Those about checks wait for Nomad's clients, some of which may be
// gone.
const (
	together = 8
	looks    = 64
)

// watch is what is known of Nomad in one run. All of it belongs to Run's goroutine, but for the channels.
type watch struct {
	client   *client
	provider *Provider
	services map[string][]registration // by name
	changed  bool                      // since it was published
	changes  chan change
	answers  chan answer
	failed   chan error
	asking   map[string]bool // allocations whose checks are on their way
	turn     chan struct{}   // holds one for each question about checks
	tick     *time.Ticker
	running  sync.WaitGroup
}

// answer is what the checks of an allocation say, or why they cannot be read.
type answer struct {
	allocation string
	results    []result
	err        error
}

func newWatch(c *client, p *Provider) *watch {
	w := &watch{
		client: c, provider: p, services: map[string][]registration{}, changes: make(chan change),
		answers: make(chan answer), failed: make(chan error), asking: map[string]bool{},
		turn: make(chan struct{}, looks), tick: time.NewTicker(max(p.config.Checks, time.Second)),
	}
	if p.config.Checks == 0 {
		w.tick.Stop()
	}
	return w
}

// begin opens the stream and reads everything that there is then.
func (w *watch) begin(ctx context.Context) error {
	w.running.Go(func() {
		err := w.client.stream(ctx, func(c change) { send(ctx, w.changes, c) })
		send(ctx, w.failed, err)
	})
	select { // its first line says that it is open
	case <-ctx.Done():
		return ctx.Err()
	case err := <-w.failed:
		return err
	case <-w.changes:
	}
	all, err := w.client.services(ctx)
	if err != nil {
		return err
	}
	if err := w.read(ctx, change{all, 0}); err != nil {
		return err
	}
	for len(w.asking) > 0 {
		if err := w.next(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// burst waits for news, and until no more come.
func (w *watch) burst(ctx context.Context) error {
	for w.changed = false; !w.changed; {
		if err := w.next(ctx, nil); err != nil {
			return err
		}
	}
	for longest := time.Now().Add(longestHold); time.Now().Before(longest); {
		err := w.next(ctx, time.After(holdOff))
		if errors.Is(err, errQuiet) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// next takes the next news. quiet ends the wait; nil: nothing does.
func (w *watch) next(ctx context.Context, quiet <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-quiet:
		return errQuiet
	case err := <-w.failed:
		return err
	case c := <-w.changes:
		return w.read(ctx, c)
	case a := <-w.answers:
		w.take(a)
	case <-w.tick.C:
		for id, h := range w.provider.health {
			if !h.known || len(h.sick) > 0 {
				w.ask(ctx, id)
			}
		}
	}
	return nil
}

// read reads the services that have changed, and asks for the checks of what is new.
func (w *watch) read(ctx context.Context, c change) error {
	var names []string
	for name, tags := range c.services {
		if _, known := w.services[name]; known || w.provider.workloads.MayServe(tags) {
			names = append(names, name)
		}
	}
	found := make([][]registration, len(names))
	group, ask := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for i, name := range names {
		group.Go(func() (err error) {
			found[i], err = w.client.instances(ask, name, c.index)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		delete(w.services, name)
		list := slices.DeleteFunc(found[i], func(r registration) bool { return !w.provider.workloads.MayServe(r.Tags) })
		if len(list) > 0 {
			w.services[name] = list
		}
		w.changed = true
	}
	w.look(ctx)
	return nil
}

// look asks for the checks of allocations that have registered since they were asked about, and forgets those that are
// gone.
func (w *watch) look(ctx context.Context) {
	if w.provider.config.Checks == 0 {
		return
	}
	newest := map[string]uint64{} // ModifyIndex, by allocation
	for _, list := range w.services {
		for _, r := range list {
			newest[r.AllocID] = max(newest[r.AllocID], r.ModifyIndex)
		}
	}
	all := w.provider.health
	maps.DeleteFunc(all, func(id string, _ *health) bool { _, is := newest[id]; return !is })
	for id, index := range newest {
		h := all[id]
		if h == nil {
			h = &health{}
			all[id] = h
		}
		if !h.known || index > h.asked {
			h.asked = index
			w.ask(ctx, id)
		}
	}
}

// ask asks for the checks of an allocation, unless their answer is on its way.
func (w *watch) ask(ctx context.Context, allocation string) {
	if w.asking[allocation] {
		return
	}
	w.asking[allocation] = true
	w.running.Go(func() {
		select {
		case w.turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
		results, err := w.client.checks(ctx, allocation)
		<-w.turn
		send(ctx, w.answers, answer{allocation, results, err})
	})
}

func (w *watch) take(a answer) {
	delete(w.asking, a.allocation)
	h := w.provider.health[a.allocation]
	switch {
	case h == nil, errors.Is(a.err, errNotYet): // it is gone, or asked again with the next tick
	case a.err != nil:
		w.changed = h.unanswered() || w.changed
	default:
		w.changed = h.learn(a.results) || w.changed
	}
}

// list returns the instances of all services.
func (w *watch) list() []dynamic.Workload {
	var list []dynamic.Workload
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		for _, r := range w.services[name] {
			if one := w.provider.workload(r); one.State != model.NotReady || !w.provider.config.DropEmpty {
				list = append(list, one)
			}
		}
	}
	return list
}

// send hands a value on, unless ctx ends before.
func send[T any](ctx context.Context, to chan<- T, value T) {
	select {
	case to <- value:
	case <-ctx.Done():
	}
}
