package swarm_test

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/engine"
	"github.com/fairlead/fairlead/internal/provider/providertest"
	provider "github.com/fairlead/fairlead/internal/provider/swarm"
)

const source = model.Source("swarm/main")

func newProvider(tb testing.TB, change func(*provider.Config), engines ...*fake) *provider.Provider {
	tb.Helper()
	c := provider.Config{
		Source:  source,
		Options: dynamic.WorkloadOptions{ExposedByDefault: true, DefaultRule: dynamic.DefaultRule},
	}
	for _, e := range engines {
		c.Engines = append(c.Engines, engine.Engine{Endpoint: e.Endpoint()})
	}
	if change != nil {
		change(&c)
	}
	p, err := provider.New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestContract(t *testing.T) {
	providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
		f := newFake(t, newSwarm())
		set := func(rules map[string]string) {
			for _, id := range f.set(rules) {
				f.Tell("service", id, "update")
			}
		}
		return providertest.Place{
			Source: source, Provider: newProvider(t, nil, f), Set: set,
			Spoil: func(rules map[string]string) {
				rules = maps.Clone(rules)
				rules["bad"] = "Hos(`"
				set(rules)
			},
			Break: func() { f.SetBroken(true) },
			Heal:  func() { f.SetBroken(false) },
		}
	}})
}

// running is a provider at work.
type running struct {
	t         *testing.T
	published chan model.Snapshot
	ended     chan error
}

func run(t *testing.T, p *provider.Provider) *running {
	t.Helper()
	r := &running{t, make(chan model.Snapshot, 1000), make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { r.ended <- p.Run(ctx, func(s model.Snapshot) { r.published <- s }) }()
	t.Cleanup(func() {
		cancel()
		<-r.ended
	})
	return r
}

// until waits for a snapshot with these services: "a=1.2.3.4:80,1.2.3.5:80 b=".
func (r *running) until(want string) model.Snapshot {
	r.t.Helper()
	var last string
	deadline := time.After(20 * time.Second)
	for {
		select {
		case s := <-r.published:
			if last = services(s); last == want {
				return s
			}
		case err := <-r.ended:
			r.ended <- err
			r.t.Fatalf("ended: %v", err)
		case <-deadline:
			r.t.Fatalf("last published %q, want %q", last, want)
		}
	}
}

func services(s model.Snapshot) string {
	var all []string
	for _, svc := range s.Services {
		var list []string
		for _, e := range svc.Endpoints {
			list = append(list, e.Addr)
		}
		all = append(all, svc.Name.Name+"="+strings.Join(list, ","))
	}
	return strings.Join(all, " ")
}

func enabled() map[string]string { return map[string]string{"traefik.enable": "true"} }

// What services and tasks go through. What is told of them is no more than a real manager tells.
func TestLife(t *testing.T) {
	f := newFake(t, newSwarm())
	r := run(t, newProvider(t, nil, f))
	r.until("")
	first := task("t1", "10.0.1.7")
	first["Status"] = object{"State": "preparing"}
	f.put("web", enabled(), nil, first)
	f.Tell("service", "web-id", "create")
	r.until("web=")
	f.state("t1", "starting") // nobody tells
	f.state("t1", "running")
	r.until("web=10.0.1.7:80")

	container := func(id, action string, more ...string) {
		f.Tell("container", "c-"+id, action, append([]string{
			"com.docker.swarm.service.id", "web-id", "com.docker.swarm.task.id", id,
		}, more...)...)
	}
	f.put("web", enabled(), nil, task("t1", "10.0.1.7"), task("t2", "10.0.1.8"))
	container("t2", "start")
	r.until("web=10.0.1.7:80,10.0.1.8:80")
	container("t2", "kill", "signal", "1")
	container("t1", "kill", "signal", "15") // it is listed as running still
	r.until("web=10.0.1.8:80")
	f.end("t1")
	f.put("web", enabled(), func(s object) {
		s["UpdateStatus"] = object{"State": "updating"}
	}, task("t3", "10.0.1.9"), task("t2", "10.0.1.8"))
	f.Tell("service", "web-id", "update", "updatestate.new", "updating")
	r.until("web=10.0.1.8:80,10.0.1.9:80")
	f.end("t2") // nobody tells, but the update is under way
	r.until("web=10.0.1.9:80")
	f.put("web", enabled(), nil)
	f.Tell("service", "web-id", "update", "replicas.new", "0")
	r.until("web=")
	f.set(nil)
	f.Tell("service", "web-id", "remove")
	r.until("")
}

// One manager after the other is asked; a worker tells only what its containers do.
func TestManagers(t *testing.T) {
	s := newSwarm()
	s.put("web", enabled(), nil, task("t1", "10.0.1.7"))
	a, b, worker := newFake(t, s), newFake(t, s), newFake(t, &swarm{worker: true})
	r := run(t, newProvider(t, nil, worker, a, b))
	r.until("web=10.0.1.7:80")
	a.SetBroken(true)
	s.put("web", enabled(), nil, task("t1", "10.0.1.7"), task("t2", "10.0.1.8"))
	r.until("web=10.0.1.7:80,10.0.1.8:80") // by the other
	worker.AwaitFollowers(1)
	worker.Tell("container", "c", "die", "com.docker.swarm.service.id", "web-id", "com.docker.swarm.task.id", "t1")
	r.until("web=10.0.1.8:80")
	b.SetBroken(true)
	if err := <-r.ended; err == nil || !strings.Contains(err.Error(), "no manager") {
		t.Errorf("with no manager left it ends with: %v", err)
	} else {
		r.ended <- err
	}
}
