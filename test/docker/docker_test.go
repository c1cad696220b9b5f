// Package docker runs the program beside a real Docker engine, whose containers come, go, fall ill and are stopped
// under load.
package docker_test

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// patience is how long an engine, and the instance that follows it, may take.
const patience = 30 * time.Second

var starts = flag.Int("starts", 8, "how many containers are started to measure how soon they serve")

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
	s := suite{t: t, engine: e, app: app, address: i.Address(t, "plain")}
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
}

func (s *suite) run(image, name, host string) {
	s.t.Helper()
	s.engine.Docker(slices.Concat([]string{"run", "-d", "--name", name}, labels(host), []string{image})...)
}

func (s *suite) customer(host string) *instance.Customer {
	return instance.NewCustomer(s.t, s.address, host)
}

func (s *suite) serves(host string) bool {
	status, _ := s.customer(host).Ask("/")
	return status == http.StatusOK
}

// start measures the time from the engine's own event of a container's start to the first request that it serves.
func (s *suite) start() {
	times := *starts
	events := lab.Starts(s.engine)
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
		status, _ := s.customer("start-0.example").Ask("/")
		return status == http.StatusNotFound
	})
	slices.Sort(took)
	s.t.Logf("from the engine's event to the first request served, %d containers: median %v, p99 %v, worst %v", times,
		took[times/2].Round(time.Millisecond), took[(times-1)*99/100].Round(time.Millisecond),
		took[times-1].Round(time.Millisecond))
}

// health follows a container that becomes healthy, ill, and healthy again.
func (s *suite) health(image string) {
	s.run(image, "sick", "sick.example")
	address := s.engine.Docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "sick") + ":8080"
	turn := func(path string) {
		s.t.Helper()
		instance.Await(s.t, patience, "the container itself answers", func() bool {
			status, _ := instance.NewCustomer(s.t, address, "sick.example").Ask(path)
			return status == http.StatusOK
		})
	}
	instance.Await(s.t, patience, "the route is there, and answers 503", func() bool {
		status, _ := s.customer("sick.example").Ask("/")
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
	stop := s.customer("shop.example").Load()
	for n := range 3 {
		name := fmt.Sprintf("shop-%d", n+2)
		s.run(s.app, name, "shop.example")
		host := s.engine.Docker("inspect", "-f", "{{.Config.Hostname}}", name)
		instance.Await(s.t, patience, name+" gets requests", func() bool {
			_, body := s.customer("shop.example").Ask("/")
			return body == host
		})
		s.engine.Docker("stop", fmt.Sprintf("shop-%d", n))
	}
	stop("three containers were replaced")
}

// crash kills the engine and starts it again: its containers are served all the while, and what comes after is found.
func (s *suite) crash(i *instance.Instance) {
	stop := s.customer("shop.example").Load()
	stale := `fairlead_problems{code="stale"}`
	s.engine.Kill()
	instance.Await(s.t, patience, "the stale source is told", func() bool { return i.Read(s.t)[stale] == 1 })
	s.engine.Start()
	instance.Await(s.t, patience, "the source is read again", func() bool { return i.Read(s.t)[stale] == 0 })
	s.run(s.app, "late", "late.example")
	instance.Await(s.t, patience, "what came after is served", func() bool { return s.serves("late.example") })
	stop("the engine was killed and started")
}
