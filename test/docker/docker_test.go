// Package docker runs the program beside a real Docker engine, whose containers come, go, fall ill and are stopped
// under load.
package docker_test

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

// patience is how long an engine, and the instance that follows it, may take.
const patience = 30 * time.Second

// ask sends one request, and returns the status and what was answered.
func ask(client *http.Client, address, host, path string) (status int, body string) {
	r, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	r.Host = host
	answer, err := client.Do(r)
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

// labels are those of a container that serves a host.
func labels(host string) []string {
	name := strings.TrimSuffix(host, ".example")
	return []string{
		"--label", "traefik.enable=true", "--label", "traefik.http.routers." + name + ".rule=Host(`" + host + "`)",
		"--label", "traefik.http.services." + name + ".loadbalancer.server.port=8080",
	}
}

func TestDocker(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a Docker engine")
	}
	e := lab.NewEngine(t, "--live-restore")
	e.Start()
	app := e.Image("app")
	sick := e.Image("sick", `HEALTHCHECK --interval=1s --timeout=5s --retries=1 CMD ["/app", "healthy"]`)
	i := instance.Start(t, "testdata/instance", map[string]string{"ENGINE": e.Socket(), "SERVICE": ""})
	s := suite{t: t, engine: e, app: app, address: i.Address(t, "plain"), client: &http.Client{Timeout: 20 * time.Second}}
	s.start()
	s.health(sick)
	s.replace()
	s.crash(i)
}

type suite struct {
	t       *testing.T
	engine  *lab.Engine
	app     string
	address string
	client  *http.Client
}

func (s *suite) run(image, name, host string) {
	s.t.Helper()
	s.engine.Docker(slices.Concat([]string{"run", "-d", "--name", name}, labels(host), []string{image})...)
}

func (s *suite) serves(host string) bool {
	status, _ := ask(s.client, s.address, host, "/")
	return status == http.StatusOK
}

// start measures the time from the engine's own event of a container's start to the first request that it serves.
func (s *suite) start() {
	const times = 8
	events := s.engine.Starts()
	var (
		took    []time.Duration
		started []string
	)
	for n := range times {
		host := fmt.Sprintf("start-%d.example", n)
		served := make(chan time.Time, 1)
		go func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for range 10000 {
				if s.serves(host) {
					break
				}
				<-tick.C
			}
			served <- time.Now()
		}()
		started = append(started, fmt.Sprintf("start-%d", n))
		s.run(s.app, started[n], host)
		took = append(took, (<-served).Sub(<-events))
	}
	s.engine.Docker(slices.Concat([]string{"rm", "-f"}, started)...)
	instance.Await(s.t, patience, "a container that is gone has no route", func() bool {
		status, _ := ask(s.client, s.address, "start-0.example", "/")
		return status == http.StatusNotFound
	})
	slices.Sort(took)
	s.t.Logf("from the engine's event to the first request served, %d containers: median %v, worst %v",
		times, took[times/2].Round(time.Millisecond), took[times-1].Round(time.Millisecond))
}

// health follows a container that becomes healthy, ill, and healthy again.
func (s *suite) health(image string) {
	s.run(image, "sick", "sick.example")
	address := s.engine.Docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "sick") + ":8080"
	turn := func(path string) {
		s.t.Helper()
		instance.Await(s.t, patience, "the container itself answers", func() bool {
			status, _ := ask(s.client, address, "sick.example", path)
			return status == http.StatusOK
		})
	}
	instance.Await(s.t, patience, "the route is there, and answers 503", func() bool {
		status, _ := ask(s.client, s.address, "sick.example", "/")
		return status == http.StatusServiceUnavailable
	})
	turn("/heal")
	instance.Await(s.t, patience, "the healthy container is served", func() bool { return s.serves("sick.example") })
	turn("/hurt")
	instance.Await(s.t, patience, "the ill container gets nothing", func() bool { return !s.serves("sick.example") })
	turn("/heal")
	instance.Await(s.t, patience, "it is served again", func() bool { return s.serves("sick.example") })
}

// replace stops containers one after the other, after another has come, while requests go on: none is lost.
func (s *suite) replace() {
	s.run(s.app, "shop-0", "shop.example")
	s.run(s.app, "shop-1", "shop.example")
	instance.Await(s.t, patience, "the shop is served", func() bool { return s.serves("shop.example") })
	stop := s.load("shop.example")
	for n := range 3 {
		name := fmt.Sprintf("shop-%d", n+2)
		s.run(s.app, name, "shop.example")
		host := s.engine.Docker("inspect", "-f", "{{.Config.Hostname}}", name)
		instance.Await(s.t, patience, name+" gets requests", func() bool {
			_, body := ask(s.client, s.address, "shop.example", "/")
			return body == host
		})
		s.engine.Docker("stop", fmt.Sprintf("shop-%d", n))
	}
	stop("three containers were replaced")
}

// load sends requests until stop is called, which says how many were lost.
func (s *suite) load(host string) (stop func(when string)) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		sent int
		lost []string
	)
	for range 4 {
		all.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond) // the engine needs the processor, too
			defer tick.Stop()
			for ; ctx.Err() == nil; <-tick.C {
				status, body := ask(s.client, s.address, host, "/")
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

// crash kills the engine and starts it again: its containers are served all the while, and what comes after is found.
func (s *suite) crash(i *instance.Instance) {
	stop := s.load("shop.example")
	stale := `fairlead_problems{code="stale"}`
	s.engine.Kill()
	instance.Await(s.t, patience, "the stale source is told", func() bool { return i.Read(s.t)[stale] == 1 })
	s.engine.Start()
	instance.Await(s.t, patience, "the source is read again", func() bool { return i.Read(s.t)[stale] == 0 })
	s.run(s.app, "late", "late.example")
	instance.Await(s.t, patience, "what came after is served", func() bool { return s.serves("late.example") })
	stop("the engine was killed and started")
}
