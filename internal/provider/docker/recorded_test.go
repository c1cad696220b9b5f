package docker_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/provider/engine/enginetest"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

// recorded is what a real engine answered to the story in test/docker, which compares the two whenever it runs.
type recorded struct {
	Filters map[string][]string // with which events are followed
	Steps   []struct {
		Name   string
		Events []struct {
			Type, Action string
			Actor        struct {
				ID         string
				Attributes map[string]string
			}
		}
		List []map[string]any // of all containers, at the end of the step
	}
}

func readRecorded(t *testing.T) (r recorded) {
	t.Helper()
	text, err := os.ReadFile("testdata/engine.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// What a real engine was seen to answer, and what is published after each step.
func TestRecorded(t *testing.T) {
	want := map[string]string{
		"create": "", "start": "web=", "ill": "web=192.0.2.10:8080!", "heal": "web=192.0.2.10:8080", "stop": "", "remove": "",
		"plain": "plain=192.0.2.20:8080", "connect": "plain=192.0.2.20:8080", "disconnect": "plain=192.0.2.20:8080",
		"pause": "plain=192.0.2.20:8080!", "unpause": "plain=192.0.2.20:8080",
		// Of a port that nobody has exposed nothing is known.
		"borrow": "plain=192.0.2.20:8080", "publish": "plain=192.0.2.20:8080 published=192.0.2.40:8080",
		"host":    "plain=192.0.2.20:8080 published=192.0.2.40:8080",
		"rename":  "published=192.0.2.40:8080 simple=192.0.2.20:8080",
		"restart": "published=192.0.2.40:8080 simple=192.0.2.20:8080", "remove by force": "simple=192.0.2.20:8080",
	}
	recorded := readRecorded(t)
	e := newFake(t)
	r := providertest.Start(t, newProvider(t, e, nil), providertest.Services)
	r.Until("")
	e.AwaitFollowers(1)
	followed := map[string][]string{}
	for kind, values := range e.Followed() {
		followed[kind] = slices.Sorted(maps.Keys(values))
	}
	for _, values := range recorded.Filters {
		slices.Sort(values)
	}
	if d := cmp.Diff(recorded.Filters, followed); d != "" {
		t.Errorf("events are followed with other filters than they were recorded with (- recorded, + now):\n%s", d)
	}
	for _, s := range recorded.Steps {
		all := map[string]map[string]any{}
		for _, c := range s.List {
			all[c["Id"].(string)] = c
		}
		e.set(all)
		for _, told := range s.Events {
			e.Tell(told.Type, told.Actor.ID, told.Action, enginetest.Pairs(told.Actor.Attributes)...)
		}
		wanted, known := want[s.Name]
		if !known {
			t.Fatalf("what comes of %q is not known", s.Name)
		}
		if len(s.Events) > 0 {
			r.Until(wanted)
		}
	}
}

// The fake lists a container as a real engine does.
func TestFake(t *testing.T) {
	for _, s := range readRecorded(t).Steps {
		if s.Name != "plain" {
			continue
		}
		real := s.List[0]
		fake := listed(real["Id"].(string), nil)
		fake["Names"], fake["NetworkSettings"] = []string{"/plain"}, networks("bridge", "192.0.2.20")
		fake["Ports"] = []any{map[string]any{"PrivatePort": 8080, "Type": "tcp"}}
		var got map[string]any
		text, _ := json.Marshal(fake)
		_ = json.Unmarshal(text, &got)
		if d := cmp.Diff(real, got); d != "" {
			t.Errorf("not as a real engine lists it (- real, + fake):\n%s", d)
		}
		return
	}
	t.Error("it was not recorded")
}
