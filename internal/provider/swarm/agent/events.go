package agent

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"

	"github.com/fairlead/fairlead/internal/provider/engine"
)

// events shows what happens to services, nodes, and containers of tasks.
func (a *Agent) events(w http.ResponseWriter, r *http.Request) {
	wanted, ok := filtersOf(r, "type", "event")
	if !ok {
		fail(w, http.StatusBadRequest, "these filters are not known here")
		return
	}
	stream := engine.Events(r.Context(), a.api, wanted)
	w.Header().Set("Content-Type", "application/json")
	control, encoder := http.NewResponseController(w), json.NewEncoder(w)
	if control.Flush() != nil {
		return
	}
	for {
		select {
		case err := <-stream.Err:
			a.log.Debug("the engine's events have ended", "error", err)
			return // whoever follows sees the end, and comes again
		case m := <-stream.Messages:
			shown, ok := event(m)
			if !ok {
				continue
			}
			_ = control.SetWriteDeadline(time.Now().Add(readWithin))
			if encoder.Encode(shown) != nil || control.Flush() != nil {
				return
			}
		}
	}
}

// event returns what is shown of an event; false: nothing.
func event(m events.Message) (events.Message, bool) {
	shown := events.Message{
		Type: m.Type, Action: m.Action, Scope: m.Scope, Time: m.Time, TimeNano: m.TimeNano,
		Actor: events.Actor{ID: m.Actor.ID, Attributes: map[string]string{}},
	}
	for _, name := range []string{"com.docker.swarm.service.id", "com.docker.swarm.task.id", "signal"} {
		if value, ok := m.Actor.Attributes[name]; ok {
			shown.Actor.Attributes[name] = value
		}
	}
	switch m.Type {
	case events.ServiceEventType, events.NodeEventType:
		return shown, true
	case events.ContainerEventType:
		_, ofTask := m.Actor.Attributes["com.docker.swarm.task.id"]
		action, _, _ := strings.Cut(string(m.Action), ":") // what follows may be a command line
		shown.Action = events.Action(action)
		return shown, ofTask
	}
	return shown, false
}
