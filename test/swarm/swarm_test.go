// Package swarm runs the program beside a real swarm of three engines, whose services come, grow, are updated under
// load and lose their manager.
package swarm_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
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
	s := &suite{t: t, client: &http.Client{Timeout: 20 * time.Second}, program: instance.Program(t)}
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
	client  *http.Client
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

// ask sends one request, and returns the status and what was answered.
func (s *suite) ask(address, name string) (status int, body string) {
	r, err := http.NewRequest(http.MethodGet, "http://"+address, nil)
	if err != nil {
		return 0, err.Error()
	}
	r.Host = name + ".example"
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(content)
}

// awaitTasks waits until so many tasks of a service have answered, and returns their hosts.
func (s *suite) awaitTasks(address, name string, n int) map[string]bool {
	s.t.Helper()
	hosts := map[string]bool{}
	instance.Await(s.t, patience, fmt.Sprintf("%d tasks of %s answer", n, name), func() bool {
		if status, body := s.ask(address, name); status == http.StatusOK {
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
		status, _ := s.ask(s.address, "shop")
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
				if status, _ := s.ask(s.address, name); status == http.StatusOK {
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
		status, _ := s.ask(s.address, "start-0")
		return status == http.StatusNotFound
	})
}

// update replaces all tasks of a service while requests go on, both where their ports are published and in the network:
// none is lost.
func (s *suite) update() {
	stop := s.load("shop")
	s.a.Docker("service", "update", "-d", "--no-resolve-image", "--force", "shop")
	instance.Await(s.t, 2*patience, "the update is completed", func() bool {
		return s.a.Docker("service", "inspect", "-f", "{{.UpdateStatus.State}}", "shop") == "completed"
	})
	stop("four tasks were replaced")
}

// load sends requests until stop is called, which says how many were lost.
func (s *suite) load(name string) (stop func(when string)) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		sent int
		lost []string
	)
	for range 2 {
		all.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond) // the engines need the processor, too
			defer tick.Stop()
			for ; ctx.Err() == nil; <-tick.C {
				status, body := s.ask(s.address, name)
				mu.Lock()
				sent++
				if status != http.StatusOK {
					lost = append(lost, fmt.Sprintf("%d %s", status, strings.TrimSpace(body)))
				}
				mu.Unlock()
			}
		})
	}
	return func(when string) {
		s.t.Helper()
		cancel()
		all.Wait()
		s.t.Logf("%s under load: %d requests, %d lost", when, sent, len(lost))
		if len(lost) > 0 || sent == 0 {
			s.t.Errorf("%s: %d of %d requests were lost; the first: %v", when, len(lost), sent, lost[:min(len(lost), 3)])
		}
	}
}

// takeOver kills the manager that leads and is asked: another is asked, and what it changes is followed.
func (s *suite) takeOver(i *instance.Instance) {
	s.a.Docker("node", "promote", s.b.Node(), s.c.Node())
	for _, e := range []*lab.Engine{s.b, s.c} {
		instance.Await(s.t, patience, "the managers know each other", func() bool {
			return strings.Count(e.Try("node", "ls", "--format", "{{.ManagerStatus}}"), "Reachable") == 2
		})
	}
	stop := s.load("shop")
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
