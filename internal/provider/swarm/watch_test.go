package swarm

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/events"

	"github.com/fairlead/fairlead/internal/provider/engine"
)

// When a swarm is looked at again: not at all while it is as it should be, and ever more slowly while it is not.
func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Config{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		w := newWatch(p, engine.Engine{}, nil)
		w.changed = time.Now()
		web := &service{id: "web", replicas: 2}
		one, other := &task{id: "1", running: true}, &task{id: "2", running: true}
		w.services["web"], w.tasks["web"] = web, map[string]*task{"1": one, "2": other}
		in := func(want time.Duration) {
			t.Helper()
			if at := w.next(); at.IsZero() != (want == 0) || want != 0 && time.Until(at) != want {
				t.Errorf("looks again in %v, want %v", time.Until(at), want)
			}
		}
		in(0)
		other.running = false
		in(together)
		time.Sleep(together)
		in(soon)
		time.Sleep(2*time.Second - together)
		in(500 * time.Millisecond)
		time.Sleep(time.Minute)
		in(late)
		other.running = true
		in(0)
		web.replicas = 3 // there is no third task yet
		in(late)
		web.replicas = -1 // one on each node, however many these are
		in(0)
		web.updating = true
		in(late)
		web.updating = false
		w.note(events.Message{Type: events.ServiceEventType, Actor: events.Actor{ID: "web"}})
		in(together)
		w.told = map[string]time.Time{}
		in(0)
		if w.note(events.Message{Type: events.ContainerEventType, Action: events.ActionDie}) {
			t.Error("a container of no task takes something away")
		}
		in(0)
	})
}
