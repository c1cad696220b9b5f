package traefik_test

import (
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

const served = "shop.example / http"

// crash kills the only Traefik under load, and starts it again. Its routers are known meanwhile, and never gone.
func crash(t *testing.T, program string) {
	p := open(t, newService(t))
	p.Start()
	e := startEdge(t, program, p, nil)
	e.says("http", "shop.example", "/", served)
	stop := e.load()
	p.Kill()
	began := time.Now()
	e.awaitProblem("stale")
	t.Logf("told as stale %v after the Traefik was killed", since(began))
	told := regexp.MustCompile(`^traefik/main .* [1-9]\d*s +asking for its routers: .* refused$`)
	instance.Await(t, patience, "get providers tells for how long, and why", func() bool {
		return slices.ContainsFunc(e.get("providers"), told.MatchString)
	})
	p.Start()
	began = time.Now()
	e.says("http", "shop.example", "/", served)
	t.Logf("served again %v after the Traefik answered", since(began))
	instance.Await(t, patience, "the edge reads the Traefik again", func() bool {
		return e.Read(t)[`fairlead_problems{code="stale"}`] == 0
	})
	t.Logf("read again %v after the Traefik answered", since(began))
	answers := stop()
	t.Logf("meanwhile: %v", answers)
	for answer, times := range answers {
		switch answer {
		case served, "502 upstream_error", "503 no_healthy_host":
		case "404": // by the Traefik, until it has read its files
		default:
			t.Errorf("%d were answered with %s", times, answer)
		}
	}
}

// replicas is one Traefik in two processes.
func replicas(t *testing.T, program string) { inTurn(t, program, "testdata/replicas") }

// two are Traefiks of their own that have the same service, which the edge's own router leads to.
func two(t *testing.T, program string) { inTurn(t, program, "testdata/two") }

// inTurn kills and starts each of two Traefiks under load. One that starts answers 404 until it has read its routers,
// which nobody can tell from other answers; the edge waits 3 s, which is enough but for the busiest machine. Nothing
// else may be lost.
func inTurn(t *testing.T, program, files string) {
	services := []*service{newService(t), newService(t)}
	all := []*lab.Traefik{open(t, services[0]), open(t, services[1])}
	for _, p := range all {
		p.Start()
	}
	e := startFrom(t, program, files, map[string]string{
		"API": all[0].Address(), "WEB": all[0].EntryPoint("web"),
		"API2": all[1].Address(), "WEB2": all[1].EntryPoint("web"),
	})
	e.says("http", "shop.example", "/", served)
	stop := e.load()
	for i, p := range all {
		isAsked(t, services[i])
		p.Kill()
		isAsked(t, services[1-i])
		p.Start()
		began := time.Now()
		isAsked(t, services[i])
		t.Logf("asked again %v after it answered", since(began))
	}
	answers := stop()
	t.Logf("two Traefiks were killed and started: %v", answers)
	delete(answers, "404")
	if len(answers) != 1 || answers[served] == 0 {
		t.Errorf("answered with %v", answers)
	}
}

// isAsked waits until a service is asked again, a few times.
func isAsked(t *testing.T, s *service) {
	t.Helper()
	before := s.asked.Load()
	instance.Await(t, patience, "the service is asked", func() bool { return s.asked.Load() > before+10 })
}

func since(began time.Time) time.Duration { return time.Since(began).Round(time.Millisecond) }

// load asks for the shop until stop is called, which returns how often each answer came.
func (e *edge) load() (stop func() map[string]int) {
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		answers = make(map[string]int)
		end     = make(chan struct{})
	)
	for range 4 {
		all.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				answer := e.ask("http", "shop.example", "/")
				mu.Lock()
				answers[answer]++
				mu.Unlock()
				select {
				case <-end:
					return
				case <-tick.C:
				}
			}
		})
	}
	return func() map[string]int {
		close(end)
		all.Wait()
		return maps.Clone(answers)
	}
}
