package nomad_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// nomad answers as Nomad does: a stream of events that begins with a sign of life, services with the index of the state
// that they are read from, and checks.
type nomad struct {
	*httptest.Server
	mu       sync.Mutex
	index    uint64
	services map[string][]registration
	checks   map[string]map[string]string // state, by allocation and service; of no allocation that is not there
	checked  map[string]bool              // allocations whose job has checks that their client does not know yet
	broken   bool
	lagging  bool // its answers are older than its events
	events   []string
	changed  chan struct{} // closed and replaced with every change
	requests []*http.Request
}

type registration struct {
	ID, ServiceName, AllocID string
	Tags                     []string
	Address                  string
	Port                     int
	CreateIndex, ModifyIndex uint64
}

func serve(t *testing.T) *nomad {
	t.Helper()
	n := &nomad{
		index: 7, services: map[string][]registration{}, checks: map[string]map[string]string{},
		changed: make(chan struct{}),
	}
	n.Server = httptest.NewServer(n)
	t.Cleanup(n.Close)
	return n
}

// change changes the services, and tells of all that are there before or after, as of one change of Nomad's state.
func (n *nomad) change(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	said := map[string]registration{}
	note := func() {
		for _, list := range n.services {
			for _, r := range list {
				said[r.ID] = r
			}
		}
	}
	note()
	change()
	note()
	n.index++
	type payload struct{ Service registration }
	type event struct {
		Topic, Type string
		Payload     payload
	}
	var events []event
	for _, r := range said {
		events = append(events, event{"Service", "ServiceRegistration", payload{r}})
	}
	line, _ := json.Marshal(map[string]any{"Index": n.index, "Events": events})
	n.events = append(n.events, string(line))
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *nomad) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.requests = append(n.requests, r)
	broken := n.broken
	n.mu.Unlock()
	if broken {
		http.Error(w, "No cluster leader", http.StatusInternalServerError)
		return
	}
	if r.URL.Path == "/v1/event/stream" {
		n.stream(w, r)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	index := n.index
	if n.lagging {
		index--
	}
	w.Header().Set("X-Nomad-Index", strconv.FormatUint(index, 10))
	switch path := r.URL.Path; {
	case path == "/v1/services":
		type service struct {
			ServiceName string
			Tags        []string
		}
		var list []service
		for name, all := range n.services {
			s := service{ServiceName: name}
			for _, r := range all {
				s.Tags = append(s.Tags, r.Tags...)
			}
			list = append(list, s)
		}
		_ = json.NewEncoder(w).Encode([]map[string]any{{"Namespace": "default", "Services": list}})
	case strings.HasPrefix(path, "/v1/service/"):
		_ = json.NewEncoder(w).Encode(append([]registration{}, n.services[strings.TrimPrefix(path, "/v1/service/")]...))
	case strings.HasPrefix(path, "/v1/allocation/"):
		job := `{"TaskGroup": "b", "Job": {"TaskGroups": [
			{"Name": "a", "Services": [{"Provider": "nomad", "Checks": [{}]}], "Tasks": []},
			{"Name": "b", "Services": null, "Tasks": [{"Services": [{"Provider": "nomad", "Checks": null}]}]}]}}`
		if n.checked[strings.TrimPrefix(path, "/v1/allocation/")] {
			job = strings.Replace(job, `"Checks": null`, `"Checks": [{}]`, 1)
		}
		_, _ = w.Write([]byte(job))
	default:
		id := strings.TrimSuffix(strings.TrimPrefix(path, "/v1/client/allocation/"), "/checks")
		checks, there := n.checks[id]
		if !there {
			http.Error(w, "No path to node", http.StatusNotFound)
			return
		}
		all := map[string]map[string]string{}
		for service, state := range checks {
			all["check of "+service] = map[string]string{"Service": service, "Status": state, "Mode": "healthiness"}
		}
		_ = json.NewEncoder(w).Encode(all)
	}
}

func (n *nomad) stream(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	at := len(n.events)
	n.mu.Unlock()
	_, _ = w.Write([]byte("{}\n"))
	for r.Context().Err() == nil {
		w.(http.Flusher).Flush()
		n.mu.Lock()
		changed, broken, events := n.changed, n.broken, n.events[at:]
		at = len(n.events)
		n.mu.Unlock()
		if broken {
			_, _ = w.Write([]byte("subscription closed by server, client should resubscribe\n"))
			return
		}
		for _, line := range events {
			_, _ = w.Write([]byte(line + "\n"))
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-r.Context().Done():
		}
	}
}
