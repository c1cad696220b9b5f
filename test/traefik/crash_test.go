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

// crash kills the only Traefik under load, and starts it again. Its routers are known meanwhile, and never gone.
func crash(t *testing.T, program string) {
	p := lab.NewTraefik(t, "testdata/open", map[string]string{"SERVICE": service(t)}, "web", "websecure")
	p.Start()
	e := startEdge(t, program, p, nil)
	const served = "shop.example / http"
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
