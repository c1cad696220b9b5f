// Package enginetest has the part of a Docker engine that the fakes of all its providers' tests need: it agrees on a
// version of the API, tells events, and breaks when it is told to. What it answers is what a real one was seen to
// answer.
package enginetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Engine is a fake.
type Engine struct {
	*httptest.Server

	mu      sync.Mutex
	opened  *sync.Cond                                 // of streams
	streams map[chan string]map[string]map[string]bool // with their filters
	broken  bool
}

// New returns one that answers what is asked of it by path: "/containers/json".
func New(tb testing.TB, answers map[string]http.HandlerFunc) *Engine {
	e := &Engine{streams: map[chan string]map[string]map[string]bool{}}
	e.opened = sync.NewCond(&e.mu)
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("/v1.41/events", e.events)
	for path, answer := range answers {
		mux.HandleFunc("/v1.41"+path, answer)
	}
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
		e.Cut()
		e.Close()
	})
	return e
}

// Endpoint is where the engine is asked.
func (e *Engine) Endpoint() string { return "tcp://" + strings.TrimPrefix(e.URL, "http://") }

func (e *Engine) events(w http.ResponseWriter, r *http.Request) {
	stream := make(chan string, 10000)
	e.mu.Lock()
	e.streams[stream] = Filters(r)
	e.opened.Broadcast()
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

// AwaitFollowers waits until the events are followed so many times.
func (e *Engine) AwaitFollowers(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.streams) < n {
		e.opened.Wait()
	}
}

// Tell sends an event about an object of a kind. Attributes are names and values by turns.
func (e *Engine) Tell(kind, id, action string, attributes ...string) {
	all := map[string]string{}
	for i := 0; i < len(attributes); i += 2 {
		all[attributes[i]] = attributes[i+1]
	}
	event, _ := json.Marshal(map[string]any{
		"Type": kind, "Action": action, "Actor": map[string]any{"ID": id, "Attributes": all},
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	for stream, wanted := range e.streams {
		if wants(wanted["type"], kind) && wants(wanted["event"], action) {
			stream <- string(event)
		}
	}
}

// wants reports whether a filter lets a value through. What health checks say is written after the event's name.
func wants(filter map[string]bool, value string) bool {
	name, _, _ := strings.Cut(value, ":")
	return filter == nil || filter[value] || filter[name]
}

// Followed returns the filters with which events are followed, by kind.
func (e *Engine) Followed() (filters map[string]map[string]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, filters = range e.streams {
	}
	return filters
}

// Pairs are attributes as Tell takes them.
func Pairs(attributes map[string]string) (pairs []string) {
	for name, value := range attributes {
		pairs = append(pairs, name, value)
	}
	return pairs
}

// Cut ends all streams of events.
func (e *Engine) Cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for stream := range e.streams {
		close(stream)
		delete(e.streams, stream)
	}
}

// SetBroken makes the engine answer what is no answer, until it is whole again.
func (e *Engine) SetBroken(broken bool) {
	e.mu.Lock()
	e.broken = broken
	e.mu.Unlock()
	if broken {
		e.Cut()
	}
}

// Filters returns what a request wants alone, by kind. Nil: anything.
func Filters(r *http.Request) map[string]map[string]bool {
	var filters map[string]map[string]bool
	_ = json.Unmarshal([]byte(r.URL.Query().Get("filters")), &filters)
	return filters
}
