package docker_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

var update = flag.Bool("update", false, "write what the engine answers as what the provider's fake answers")

// recording is what a real engine answered: the provider's own tests play it back, and have their fake answer alike.
const recording = "../../internal/provider/docker/testdata/engine.json"

// A recorded is what the file holds: what is asked for, and what is told and listed after each step of the story.
type recorded struct {
	Filters map[string][]string // of events
	Steps   []step
}

type step struct {
	Name   string
	Events []event
	List   []container // of all
}

// event and container have the fields that the provider reads.
type event struct {
	Type, Action string
	Actor        struct {
		ID         string
		Attributes map[string]string
	}
}

type container struct {
	ID              string `json:"Id"`
	Names           []string
	Created         int64
	State, Status   string
	Labels          map[string]string
	Ports           []port
	HostConfig      struct{ NetworkMode string }
	NetworkSettings struct{ Networks map[string]endpoint }
}

type port struct {
	IP          string `json:",omitempty"`
	PrivatePort uint16
	PublicPort  uint16 `json:",omitempty"`
	Type        string
}

type endpoint struct{ IPAddress, GlobalIPv6Address string }

// TestRecording lives through a story with a real engine, and compares what it answers with what was recorded.
func TestRecording(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a Docker engine")
	}
	text, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	var want recorded
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	e := lab.NewEngine(t)
	e.Start()
	r := &recorder{t: t, engine: e, ids: map[string]string{}, events: make(chan event, 1000)}
	r.image = e.Image("app", `HEALTHCHECK --interval=5s --timeout=30s --retries=1 CMD ["/app", "healthy"]`)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(e.Socket(), "unix://"))
	}
	r.client = &http.Client{Transport: &http.Transport{DialContext: dial}}
	e.Docker("network", "create", "lab")
	r.follow(want.Filters)
	got := recorded{Filters: want.Filters, Steps: r.story()}
	r.filtered()
	if *update {
		text, _ := json.MarshalIndent(&got, "", "  ")
		if err := os.WriteFile(recording, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the engine answers otherwise than it is recorded (- recorded, + now):\n%s", d)
	}
}

// recorder asks an engine and writes down what it answers.
type recorder struct {
	t      *testing.T
	engine *lab.Engine
	client *http.Client
	image  string
	events chan event
	last   event             // that was told
	ids    map[string]string // what they are called in the recording
}

// story does what containers go through. Each step ends with an event; "": it has none.
func (r *recorder) story() (steps []step) {
	docker := func(args ...string) func() { return func() { r.engine.Docker(args...) } }
	run := func(name string, flags ...string) func() {
		return docker(slices.Concat([]string{"run", "-d", "--name", name, "--no-healthcheck"}, flags, []string{r.image})...)
	}
	for _, s := range []struct {
		name string
		act  func()
		last string
	}{
		{"create", docker("create", "--name", "web", "--label", "some=text", r.image), ""},
		{"start", docker("start", "web"), "start"},
		{"ill", func() {}, "health_status: unhealthy"},
		{"heal", r.heal, "health_status: healthy"},
		{"stop", docker("stop", "web"), "stop"},
		{"remove", docker("rm", "web"), "destroy"},
		{"plain", run("plain"), "start"},
		{"connect", docker("network", "connect", "lab", "plain"), "connect"},
		{"disconnect", docker("network", "disconnect", "lab", "plain"), "disconnect"},
		{"pause", docker("pause", "plain"), "pause"},
		{"unpause", docker("unpause", "plain"), "unpause"},
		{"borrow", run("borrower", "--network", "container:plain"), "start"},
		{"publish", run("published", "-p", "18080:8080"), "start"},
		{"host", run("host", "--network", "host"), "start"},
		{"rename", docker("rename", "plain", "simple"), "rename"},
		{"restart", docker("restart", "published"), "restart"},
		{"remove by force", docker("rm", "-f", "published"), "destroy"},
	} {
		s.act()
		steps = append(steps, step{Name: s.name, Events: r.until(s.last), List: r.list(nil)})
	}
	return steps
}

// heal makes the container be healthy.
func (r *recorder) heal() {
	address := r.engine.Docker("inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", "web") + ":8080"
	instance.Await(r.t, patience, "the container answers", func() bool {
		status, _ := instance.NewCustomer(r.t, address, "web.example").Ask("/heal")
		return status == http.StatusOK
	})
}

// filtered asks for containers by their IDs, of which one is nobody's: the others are answered.
func (r *recorder) filtered() {
	all := r.list(nil)
	var id string
	for real, called := range r.ids {
		if called == all[0].ID {
			id = real
		}
	}
	if d := cmp.Diff(all[:1], r.list(map[string][]string{"id": {id, strings.Repeat("e", 64)}})); d != "" {
		r.t.Errorf("asked for one container and for nobody's, the engine answers (- one, + now):\n%s", d)
	}
}

// get asks the engine as the provider does.
func (r *recorder) get(path string, query url.Values) io.ReadCloser {
	r.t.Helper()
	address := "http://engine/v1.41" + path + "?" + query.Encode()
	request, _ := http.NewRequestWithContext(r.t.Context(), http.MethodGet, address, nil)
	answer, err := r.client.Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		r.t.Fatalf("asking for %s: %v, %v", path, answer, err)
	}
	return answer.Body
}

// filters writes filters as the API has them.
func filters(all map[string][]string) string {
	set := map[string]map[string]bool{}
	for kind, values := range all {
		set[kind] = map[string]bool{}
		for _, v := range values {
			set[kind][v] = true
		}
	}
	text, _ := json.Marshal(set)
	return string(text)
}

func (r *recorder) follow(wanted map[string][]string) {
	body := r.get("/events", url.Values{"filters": {filters(wanted)}})
	r.t.Cleanup(func() { _ = body.Close() })
	go func() {
		for lines := bufio.NewScanner(body); lines.Scan(); {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				r.events <- e
			}
		}
	}()
}

// until returns the events up to the one that ends a step. "": there are none.
func (r *recorder) until(last string) []event {
	r.t.Helper()
	all := []event{}
	for deadline := time.After(patience); last != ""; {
		select {
		case <-deadline:
			r.t.Fatalf("%s was never told, only %v", last, all)
		case e := <-r.events:
			if e = r.same(e); cmp.Equal(e, r.last) { // an engine tells twice of a network that was left
				continue
			}
			r.last, all = e, append(all, e)
			if e.Action == last {
				return all
			}
		}
	}
	return all
}

// same writes an event as every run of the story has it.
func (r *recorder) same(e event) event {
	kept := map[string]string{}
	for _, name := range []string{"container", "signal"} {
		if value, ok := e.Actor.Attributes[name]; ok {
			kept[name] = value
		}
	}
	if id, ok := kept["container"]; ok {
		kept["container"] = r.called(id)
		e.Actor.ID = "network"
	} else {
		e.Actor.ID = r.called(e.Actor.ID)
	}
	e.Actor.Attributes = kept
	return e
}

// list asks for containers, and writes them as every run of the story has them.
func (r *recorder) list(wanted map[string][]string) (list []container) {
	r.t.Helper()
	body := r.get("/containers/json", url.Values{"all": {"1"}, "filters": {filters(wanted)}})
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		r.t.Fatal(err)
	}
	took := regexp.MustCompile(`Less than a second|About a minute|\d+ (second|minute)s?`)
	for i := range list {
		c := &list[i]
		c.ID, c.Created = r.called(c.ID), 1700000000
		c.Status = took.ReplaceAllString(c.Status, "2 minutes")
		if owner, ok := strings.CutPrefix(c.HostConfig.NetworkMode, "container:"); ok {
			c.HostConfig.NetworkMode = "container:" + r.called(owner)
		}
		for n, name := range slices.Sorted(maps.Keys(c.NetworkSettings.Networks)) {
			one := c.NetworkSettings.Networks[name]
			if one.IPAddress != "" {
				one.IPAddress = fmt.Sprintf("192.0.2.%s%d", c.ID[63:], n)
			}
			c.NetworkSettings.Networks[name] = one
		}
		for j := range c.Ports {
			if c.Ports[j].IP != "" {
				c.Ports[j].IP = "198.51.100.1"
			}
		}
	}
	slices.SortFunc(list, func(a, b container) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// called returns what a container is called that has an ID.
func (r *recorder) called(id string) string {
	if r.ids[id] == "" {
		r.ids[id] = fmt.Sprintf("%064x", len(r.ids)+1)
	}
	return r.ids[id]
}
