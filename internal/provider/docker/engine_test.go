package docker_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// engine is a fake of the part of the API that is used. What it answers is what a real one was seen to answer.
type engine struct {
	*httptest.Server

	mu         sync.Mutex
	containers map[string]map[string]any // by ID, as they are listed
	streams    map[chan string]bool
	broken     bool
	lists      int
}

func newEngine(tb testing.TB) *engine {
	e := &engine{containers: map[string]map[string]any{}, streams: map[chan string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("/v1.41/containers/json", e.list)
	mux.HandleFunc("/v1.41/events", e.events)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		broken := e.broken
		e.mu.Unlock()
		if broken {
			http.Error(w, "<html>", http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	tb.Cleanup(func() {
		e.cut()
		e.Close()
	})
	return e
}

// endpoint is where the engine is asked.
func (e *engine) endpoint() string { return "tcp://" + strings.TrimPrefix(e.URL, "http://") }

func (e *engine) list(w http.ResponseWriter, r *http.Request) {
	var filters map[string]map[string]bool
	_ = json.Unmarshal([]byte(r.URL.Query().Get("filters")), &filters)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lists++
	found := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(e.containers)) {
		if wanted := filters["id"]; wanted == nil || wanted[id] {
			found = append(found, e.containers[id])
		}
	}
	_ = json.NewEncoder(w).Encode(found)
}

func (e *engine) events(w http.ResponseWriter, r *http.Request) {
	stream := make(chan string, 10000)
	e.mu.Lock()
	e.streams[stream] = true
	e.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			e.mu.Lock()
			delete(e.streams, stream)
			e.mu.Unlock()
			return
		case event, ok := <-stream:
			if !ok {
				return
			}
			fmt.Fprintln(w, event)
			w.(http.Flusher).Flush()
		}
	}
}

// tell sends an event of a container.
func (e *engine) tell(id, action string, attributes ...string) {
	all := map[string]string{}
	for i := 0; i < len(attributes); i += 2 {
		all[attributes[i]] = attributes[i+1]
	}
	event, _ := json.Marshal(map[string]any{
		"Type": "container", "Action": action, "Actor": map[string]any{"ID": id, "Attributes": all},
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	for stream := range e.streams {
		stream <- string(event)
	}
}

// put makes a container be listed, changed by what is given, without an event.
func (e *engine) put(id string, labels map[string]string, change func(c map[string]any)) {
	c := listed(id, labels)
	if change != nil {
		change(c)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers[id] = c
}

// listed is a container as the engine lists it.
func listed(id string, labels map[string]string) map[string]any {
	return map[string]any{
		"Id": id, "Names": []string{"/" + id}, "Created": 1700000000, "State": "running", "Status": "Up 2 minutes",
		"Labels": labels, "Ports": []any{map[string]any{"PrivatePort": 80, "Type": "tcp"}},
		"HostConfig": map[string]any{"NetworkMode": "default"}, "NetworkSettings": networks("bridge", "172.17.0.2"),
	}
}

// set makes these all the containers that there are, and returns those that are not as before or are no more.
func (e *engine) set(containers map[string]map[string]any) (changed []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := maps.Clone(e.containers)
	maps.Copy(all, containers)
	e.containers = containers
	return slices.Sorted(maps.Keys(all))
}

// networks returns network settings: names and addresses by turns.
func networks(pairs ...string) any {
	all := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = map[string]any{"IPAddress": pairs[i+1]}
	}
	return map[string]any{"Networks": all}
}

func (e *engine) remove(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.containers, id)
}

// cut ends all streams of events.
func (e *engine) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for stream := range e.streams {
		close(stream)
		delete(e.streams, stream)
	}
}

func (e *engine) setBroken(broken bool) {
	e.mu.Lock()
	e.broken = broken
	e.mu.Unlock()
	if broken {
		e.cut()
	}
}
