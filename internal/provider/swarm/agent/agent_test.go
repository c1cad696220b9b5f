package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/engine"
	"github.com/fairlead/fairlead/internal/provider/engine/enginetest"
	"github.com/fairlead/fairlead/internal/provider/swarm"
	"github.com/fairlead/fairlead/internal/provider/swarm/agent"
)

const token = "0123456789abcdef0123456789abcdef"

// What an engine answers, with what must not be shown named SECRET.
const (
	info  = `{"ID": "SECRET", "Name": "SECRET", "Swarm": {"NodeID": "n", "ControlAvailable": true, "Error": "SECRET"}}`
	nodes = `[{"ID": "n", "Spec": {"Role": "manager", "Labels": {"a": "SECRET"}}, "Description": {"Hostname": "SECRET",
		"TLSInfo": {"TrustRoot": "SECRET"}}, "Status": {"Addr": "192.0.2.1", "State": "ready", "Message": "SECRET"}}]`
	services = `[{"ID": "s", "Spec": {"Name": "web", "Labels": {"traefik.enable": "true", "Fairlead.x": "y",
		"com.docker.stack.namespace": "shop", "com.docker.stack.image": "nginx", "stage": "prod", "password": "SECRET"},
		"TaskTemplate": {"ContainerSpec": {"Image": "SECRET", "Env": ["A=SECRET"], "Args": ["SECRET"],
		"Secrets": [{"SecretName": "SECRET"}], "Mounts": [{"Source": "SECRET"}]}},
		"Mode": {"Replicated": {"Replicas": 1}}, "EndpointSpec": {"Ports": [{"Protocol": "tcp", "TargetPort": 80}]}},
		"PreviousSpec": {"Name": "SECRET"}, "UpdateStatus": {"State": "completed", "Message": "SECRET"}}]`
	tasks = `[{"ID": "t", "ServiceID": "s", "Slot": 1, "NodeID": "n", "DesiredState": "running", "Labels": {"a": "SECRET"},
		"Spec": {"ContainerSpec": {"Image": "SECRET", "Env": ["A=SECRET"]}},
		"Status": {"State": "running", "Err": "SECRET", "ContainerStatus": {"ContainerID": "SECRET"}, "PortStatus": {}},
		"NetworksAttachments": [{"Network": {"ID": "w", "Spec": {"Name": "web", "Labels": {"a": "SECRET"}},
		"DriverState": {"Name": "overlay", "Options": {"a": "SECRET"}}, "IPAMOptions": {"Driver": {"Name": "SECRET"},
		"Configs": [{"Subnet": "10.0.1.0/24"}]}}, "Addresses": ["10.0.1.7/24"]}]}]`
)

// newAgent returns an agent at work and its engine. What the engine is asked must have no more than the filters that
// the agent knows.
func newAgent(t *testing.T) (*httptest.Server, *enginetest.Engine) {
	t.Helper()
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	e := enginetest.New(t, map[string]http.HandlerFunc{
		"/info": say(info), "/nodes": say(nodes), "/services": say(services), "/tasks": say(tasks),
		"/containers/json": say(`["SECRET"]`), "/secrets": say(`["SECRET"]`),
	})
	a, err := agent.New(agent.Config{
		Engine: engine.Engine{Endpoint: e.Endpoint()}, Labels: []string{"stage"},
		Tokens: func() ([]string, error) { return []string{"old", token}, nil },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		_ = a.Close()
	})
	return s, e
}

// ask sends a request.
func ask(t *testing.T, s *httptest.Server, method, path, authorization string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestWhoIsAnswered(t *testing.T) {
	s, _ := newAgent(t)
	for _, c := range []struct {
		method, path, authorization string
		want                        int
	}{
		{"GET", "/v1.41/services", "Bearer " + token, 200},
		{"GET", "/v1.41/services", "bearer old", 200},
		{"HEAD", "/_ping", "Bearer " + token, 200},
		{"GET", "/v1.41/services", "", 401},
		{"GET", "/v1.41/services", "Bearer", 401},
		{"GET", "/v1.41/services", "Bearer " + token[1:], 401},
		{"GET", "/v1.41/services", "Basic " + token, 401},
		{"GET", "/nothing", "", 401},
		{"GET", "/nothing", "Bearer " + token, 404},
		{"GET", "/v1.41/secrets", "Bearer " + token, 404},
		{"GET", "/v1.41/containers/json", "Bearer " + token, 404},
		{"GET", "/v1.41/services/../secrets", "Bearer " + token, 404},
		{"GET", "/v1.41/services/s", "Bearer " + token, 404},
		{"POST", "/v1.41/services", "Bearer " + token, 405},
		{"DELETE", "/v1.41/nodes", "Bearer " + token, 405},
		{"GET", `/v1.41/tasks?filters={"node":{"n":true}}`, "Bearer " + token, 400},
		{"GET", "/v1.41/tasks?filters=x", "Bearer " + token, 400},
		{"GET", `/v1.41/tasks?filters={"desired-state":{"running":true}}`, "Bearer " + token, 200},
		{"GET", `/v1.41/events?filters={"label":{"n":true}}`, "Bearer " + token, 400},
	} {
		if got, _ := ask(t, s, c.method, c.path, c.authorization); got != c.want {
			t.Errorf("%s %s (%s): %d, want %d", c.method, c.path, c.authorization, got, c.want)
		}
	}
}

// What is shown has no secret, and is enough for the provider.
func TestWhatIsShown(t *testing.T) {
	s, e := newAgent(t)
	for _, path := range []string{"info", "nodes", "services", "tasks"} {
		status, body := ask(t, s, "GET", "/v1.41/"+path, "Bearer "+token)
		if status != http.StatusOK || !json.Valid([]byte(body)) || strings.Contains(body, "SECRET") {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for _, wanted := range map[string][]string{
			"services": {"traefik.enable", "Fairlead.x", "com.docker.stack.namespace", "prod"}, "nodes": {"192.0.2.1"},
		}[path] {
			if !strings.Contains(body, wanted) {
				t.Errorf("%s has no %s: %s", path, wanted, body)
			}
		}
	}
	p, err := swarm.New(swarm.Config{
		Source: "swarm/main",
		Engines: []engine.Engine{{
			Endpoint: "tcp://" + strings.TrimPrefix(s.URL, "http://"), Token: func() (string, error) { return token, nil },
		}},
		Options: dynamic.WorkloadOptions{DefaultRule: dynamic.DefaultRule},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	published, ended := make(chan model.Snapshot, 100), make(chan error, 1)
	go func() { ended <- p.Run(ctx, func(s model.Snapshot) { published <- s }) }()
	first := <-published
	if len(first.Services) != 1 || first.Services[0].Name.Name != "web" || len(first.Services[0].Endpoints) != 1 {
		t.Errorf("the provider reads %+v", first)
	}
	e.AwaitFollowers(2) // of services and nodes, and of containers
	e.Tell("container", "c", "die", "com.docker.swarm.service.id", "s", "com.docker.swarm.task.id", "t")
	if next := <-published; len(next.Services[0].Endpoints) != 0 {
		t.Errorf("a task that died is still served: %+v", next.Services[0])
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	s, e := newAgent(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1.41/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	e.AwaitFollowers(1)
	e.Tell("secret", "SECRET", "create")
	e.Tell("container", "SECRET", "start", "name", "SECRET") // of no task
	e.Tell("service", "s", "update", "name", "SECRET")
	e.Tell("container", "c", "exec_create: SECRET", "com.docker.swarm.task.id", "t", "image", "SECRET")
	e.Cut()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	if len(lines) != 2 || strings.Contains(string(got), "SECRET") || !strings.Contains(lines[1], `"exec_create"`) {
		t.Errorf("the events are shown as\n%s", got)
	}
}
