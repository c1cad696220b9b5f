// Package swarm runs the program beside a real swarm of three engines, whose services come, grow, are updated under
// load and lose their manager.
package swarm_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// patience is how long the swarm, and who follows it, may take.
const patience = time.Minute

func TestSwarm(t *testing.T) {
	if testing.Short() {
		t.Skip("runs three Docker engines")
	}
	s := &suite{t: t, program: instance.Program(t)}
	s.makeSwarm()
	folder := t.TempDir()
	values := map[string]string{"A": s.a.Socket(), "B": s.b.Socket(), "C": s.c.Socket(), "SERVICE": ""}
	if err := instance.Lay(folder, "testdata/outside", values); err != nil {
		t.Fatal(err)
	}
	i := instance.StartIn(t, s.program, folder)
	s.address = i.Address(t, "plain")
	s.replicas()
	s.start()
	s.worker()
	s.update()
	s.takeOver(i)
}

// suite is a swarm with the manager a and the workers b and c, and an instance that follows them all.
type suite struct {
	t       *testing.T
	a, b, c *lab.Engine
	image   string
	program string
	address string
}

func (s *suite) makeSwarm() {
	s.a, s.b, s.c = lab.NewEngine(s.t), lab.NewEngine(s.t), lab.NewEngine(s.t)
	for _, e := range []*lab.Engine{s.a, s.b, s.c} {
		e.Start()
	}
	s.a.InitSwarm()
	s.b.JoinSwarm(s.a, "worker")
	s.c.JoinSwarm(s.a, "worker")
	s.c.Meet(s.b)
	s.image = s.a.Image("app")
	s.b.Image("app")
	s.a.Docker("network", "create", "-d", "overlay", "--attachable", "back")
	s.a.Docker("node", "update", "--availability", "drain", s.c.Node()) // it is there to manage
}

// create makes a service. Flags are more of its.
func (s *suite) create(name string, replicas int, flags ...string) {
	s.t.Helper()
	labels := []string{
		"traefik.enable=true", "traefik.http.routers." + name + ".rule=Host(`" + name + ".example`)",
		"traefik.http.services." + name + ".loadbalancer.server.port=8080",
	}
	args := []string{
		"service", "create", "-d", "--no-resolve-image", "--name", name, "--replicas", fmt.Sprint(replicas),
		"--endpoint-mode", "dnsrr", "--update-parallelism", "2", "--update-monitor", "1s", "--restart-delay", "1s",
	}
	for _, l := range labels {
		args = append(args, "--label", l)
	}
	s.a.Docker(slices.Concat(args, flags, []string{s.image})...)
}

// customer asks for a service.
func (s *suite) customer(address, name string) *instance.Customer {
	return instance.NewCustomer(s.t, address, name+".example")
}

// awaitTasks waits until so many tasks of a service have answered, and returns their hosts.
func (s *suite) awaitTasks(address, name string, n int) map[string]bool {
	s.t.Helper()
	hosts, customer := map[string]bool{}, s.customer(address, name)
	instance.Await(s.t, patience, fmt.Sprintf("%d tasks of %s answer", n, name), func() bool {
		if status, body := customer.Ask("/"); status == http.StatusOK {
			hosts[body] = true
		}
		return len(hosts) == n
	})
	return hosts
}

// replicas makes a service whose tasks are reached where their ports are published on the nodes.
func (s *suite) replicas() {
	s.create("shop", 4, "--publish", "mode=host,target=8080")
	hosts := s.awaitTasks(s.address, "shop", 4)
	for _, e := range []*lab.Engine{s.a, s.b} {
		if here := e.Docker("ps", "-q", "--filter", "label=com.docker.swarm.service.name=shop"); here == "" {
			s.t.Errorf("no task of the %d is on %s", len(hosts), e.Address())
		}
	}
	s.a.Docker("service", "scale", "-d", "shop=0")
	instance.Await(s.t, patience, "a service with no task answers 503", func() bool {
		status, _ := s.customer(s.address, "shop").Ask("/")
		return status == http.StatusServiceUnavailable
	})
	s.a.Docker("service", "scale", "-d", "shop=4")
	s.awaitTasks(s.address, "shop", 4)
}

// start measures the time from an engine's own event of a task's start to the first request that it serves.
func (s *suite) start() {
	const times = 3
	events := lab.Starts(s.a, s.b)
	var took []time.Duration
	for n := range times {
		name := fmt.Sprintf("start-%d", n)
		served := make(chan time.Time, 1)
		go func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for range 20000 {
				if status, _ := s.customer(s.address, name).Ask("/"); status == http.StatusOK {
					break
				}
				<-tick.C
			}
			served <- time.Now()
		}()
		s.create(name, 1, "--publish", "mode=host,target=8080")
		took = append(took, (<-served).Sub(<-events))
	}
	slices.Sort(took)
	s.t.Logf("from the engine's event to the first request served, %d tasks: median %v, worst %v",
		times, took[times/2].Round(time.Millisecond), took[times-1].Round(time.Millisecond))
	for n := range times {
		s.a.Docker("service", "rm", fmt.Sprintf("start-%d", n))
	}
	instance.Await(s.t, patience, "a service that is gone has no route", func() bool {
		status, _ := s.customer(s.address, "start-0").Ask("/")
		return status == http.StatusNotFound
	})
}

// update replaces all tasks of a service while requests go on, both where their ports are published and in the network:
// none is lost.
func (s *suite) update() {
	stop := s.customer(s.address, "shop").Load()
	s.a.Docker("service", "update", "-d", "--no-resolve-image", "--force", "shop")
	instance.Await(s.t, 2*patience, "the update is completed", func() bool {
		return s.a.Docker("service", "inspect", "-f", "{{.UpdateStatus.State}}", "shop") == "completed"
	})
	stop("four tasks were replaced")
}

// takeOver kills the manager that leads and is asked: another is asked, and what it changes is followed.
func (s *suite) takeOver(i *instance.Instance) {
	s.a.Docker("node", "promote", s.b.Node(), s.c.Node())
	for _, e := range []*lab.Engine{s.b, s.c} {
		instance.Await(s.t, patience, "the managers know each other", func() bool {
			return strings.Count(e.Try("node", "ls", "--format", "{{.ManagerStatus}}"), "Reachable") == 2
		})
	}
	stop := s.customer(s.address, "shop").Load()
	s.a.Kill()
	instance.Await(s.t, patience, "another manager leads", func() bool {
		return s.b.Try("service", "scale", "-d", "shop=6") != ""
	})
	began := time.Now()
	s.awaitTasks(s.address, "shop", 5) // one may be given to the node that nobody knows to be gone yet
	took := time.Since(began).Round(time.Millisecond)
	s.t.Logf("a new task answers %v after another manager could be asked for it", took)
	stop("the manager was killed")
	if stale := i.Read(s.t)[`fairlead_problems{code="stale"}`]; stale != 0 {
		s.t.Errorf("the source is stale, although a manager answers")
	}
}
