package swarm_test

import (
	"log/slog"
	"strings"
	"testing"

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
				set(providertest.Spoilt(rules))
			},
			Break: func() { f.SetBroken(true) },
			Heal:  func() { f.SetBroken(false) },
		}
	}})
}

func enabled() map[string]string { return map[string]string{"traefik.enable": "true"} }

// What services and tasks go through. What is told of them is no more than a real manager tells.
func TestLife(t *testing.T) {
	f := newFake(t, newSwarm())
	r := providertest.Start(t, newProvider(t, nil, f), providertest.Services)
	r.Until("")
	first := task("t1", "10.0.1.7")
	first["Status"] = object{"State": "preparing"}
	f.put("web", enabled(), nil, first)
	f.Tell("service", "web-id", "create")
	r.Until("web=")
	f.state("t1", "starting") // nobody tells
	f.state("t1", "running")
	r.Until("web=10.0.1.7:80")

	container := func(id, action string, more ...string) {
		f.Tell("container", "c-"+id, action, append([]string{
			"com.docker.swarm.service.id", "web-id", "com.docker.swarm.task.id", id,
		}, more...)...)
	}
	f.put("web", enabled(), nil, task("t1", "10.0.1.7"), task("t2", "10.0.1.8"))
	container("t2", "start")
	r.Until("web=10.0.1.7:80,10.0.1.8:80")
	container("t2", "kill", "signal", "1")
	container("t1", "kill", "signal", "15") // it is listed as running still
	r.Until("web=10.0.1.8:80")
	f.end("t1")
	f.put("web", enabled(), func(s object) {
		s["UpdateStatus"] = object{"State": "updating"}
	}, task("t3", "10.0.1.9"), task("t2", "10.0.1.8"))
	f.Tell("service", "web-id", "update", "updatestate.new", "updating")
	r.Until("web=10.0.1.8:80,10.0.1.9:80")
	f.end("t2") // nobody tells, but the update is under way
	r.Until("web=10.0.1.9:80")
	f.put("web", enabled(), nil)
	f.Tell("service", "web-id", "update", "replicas.new", "0")
	r.Until("web=")
	f.set(nil)
	f.Tell("service", "web-id", "remove")
	r.Until("")
}

// One manager after the other is asked; a worker tells only what its containers do.
func TestManagers(t *testing.T) {
	s := newSwarm()
	s.put("web", enabled(), nil, task("t1", "10.0.1.7"))
	a, b, worker := newFake(t, s), newFake(t, s), newFake(t, &swarm{worker: true})
	r := providertest.Start(t, newProvider(t, nil, worker, a, b), providertest.Services)
	r.Until("web=10.0.1.7:80")
	a.SetBroken(true)
	s.put("web", enabled(), nil, task("t1", "10.0.1.7"), task("t2", "10.0.1.8"))
	r.Until("web=10.0.1.7:80,10.0.1.8:80") // by the other
	worker.AwaitFollowers(1)
	worker.Tell("container", "c", "die", "com.docker.swarm.service.id", "web-id", "com.docker.swarm.task.id", "t1")
	r.Until("web=10.0.1.8:80")
	b.SetBroken(true)
	if err := r.Wait(); err == nil || !strings.Contains(err.Error(), "no manager") {
		t.Errorf("with no manager left it ends with: %v", err)
	}
}
