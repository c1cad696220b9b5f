package docker_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/provider/engine/enginetest"
)

// fake is an engine that lists containers.
type fake struct {
	*enginetest.Engine

	mu         sync.Mutex
	containers map[string]map[string]any // by ID, as they are listed
	lists      int
}

func newFake(tb testing.TB) *fake {
	f := &fake{containers: map[string]map[string]any{}}
	f.Engine = enginetest.New(tb, map[string]http.HandlerFunc{"/containers/json": f.list})
	return f
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	wanted := enginetest.Filters(r)["id"]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	ids := maps.Keys(f.containers)
	if wanted != nil {
		ids = maps.Keys(wanted)
	}
	found := []map[string]any{}
	for _, id := range slices.Sorted(ids) {
		if c := f.containers[id]; c != nil {
			found = append(found, c)
		}
	}
	_ = json.NewEncoder(w).Encode(found)
}

// tell sends an event of a container.
func (f *fake) tell(id, action string, attributes ...string) {
	f.Tell("container", id, action, attributes...)
}

// put makes a container be listed, changed by what is given, without an event.
func (f *fake) put(id string, labels map[string]string, change func(c map[string]any)) {
	c := listed(id, labels)
	if change != nil {
		change(c)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.containers[id] = c
}

// listed is a container as the engine lists it.
func listed(id string, labels map[string]string) map[string]any {
	if labels == nil {
		labels = map[string]string{}
	}
	return map[string]any{
		"Id": id, "Names": []string{"/" + id}, "Created": 1700000000, "State": "running", "Status": "Up 2 minutes",
		"Labels": labels, "Ports": []any{map[string]any{"PrivatePort": 80, "Type": "tcp"}},
		"HostConfig": map[string]any{"NetworkMode": "default"}, "NetworkSettings": networks("bridge", "172.17.0.2"),
	}
}

// set makes these all the containers that there are, and returns those that are not as before or are no more.
func (f *fake) set(containers map[string]map[string]any) (changed []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := maps.Clone(f.containers)
	maps.Copy(all, containers)
	f.containers = containers
	return slices.Sorted(maps.Keys(all))
}

// networks returns network settings: names and addresses by turns.
func networks(pairs ...string) any {
	all := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = map[string]any{"IPAddress": pairs[i+1], "GlobalIPv6Address": ""}
	}
	return map[string]any{"Networks": all}
}

func (f *fake) remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.containers, id)
}
