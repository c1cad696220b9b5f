//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// reloadWork changes one of many routes while requests for all of them come, as its owner would: the files are written,
// and the proxy is told where it does not watch them.
type reloadWork struct{ rate float64 }

func (reloadWork) fresh() bool { return true }

func (reloadWork) columns() []column {
	return []column{
		{"effective ms", func(r result) string { return orDash("%.0f", r.Effective) }},
		{"failed", func(r result) string { return fmt.Sprint(r.Failed) }},
		{"p99 us quiet", func(r result) string { return orDash("%.0f", r.P99Quiet) }},
		{"p99 us meanwhile", func(r result) string { return orDash("%.0f", r.P99) }},
		{"ready ms", func(r result) string { return orDash("%.0f", r.Ready) }},
		{"MB at start", func(r result) string { return orDash("%.0f", r.Memory) }},
		{"MB after 2", func(r result) string { return orDash("%.0f", r.MemoryAfter) }},
	}
}

// reloads are what the rounds said about one proxy.
type reloads struct {
	effective, p99, quiet []float64
	failed, requests      int
	start, after          int64 // memory
}

func (w reloadWork) measure(ctx context.Context, r *run, up []*instance) (results []result, err error) {
	got := make(map[*instance]*reloads)
	for _, i := range up {
		got[i] = new(reloads)
		if got[i].start, err = settled(ctx, i); err != nil {
			return nil, err
		}
	}
	rounds := r.plan.reloads
	err = alternate(up, rounds, func(round int, i *instance) error {
		r.say("round %d of %d: %s", round+1, rounds, i.name)
		saw := got[i]
		if err := w.round(ctx, i, r.plan.duration, saw); err != nil || round != 1 {
			return err
		}
		saw.after, err = settled(ctx, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, i := range up {
		saw := got[i]
		one := i.result(rounds)
		one.Requests, one.Failed, one.Rate = saw.requests, saw.failed, w.rate
		one.Effective, one.P99, one.P99Quiet = median(saw.effective), median(saw.p99), median(saw.quiet)
		one.Ready = float64(i.took.Milliseconds())
		one.Memory, one.MemoryAfter = float64(saw.start)/(1<<20), float64(saw.after)/(1<<20)
		results = append(results, one)
	}
	return results, nil
}

// round makes one change.
func (w reloadWork) round(ctx context.Context, i *instance, d time.Duration, saw *reloads) error {
	load := openLoop{address: i.site.HTTP, conns: 64, hosts: manyRoutes, path: smallPath, rate: w.rate}
	quiet, err := load.run(ctx, d)
	if err != nil {
		return err
	}
	change, err := newChange(i) // made before, so that making it takes nothing from the load
	if err != nil {
		return err
	}
	during, stop := context.WithCancel(ctx)
	defer stop()
	load.until = during.Done()
	var meanwhile outcome
	var took time.Duration
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { meanwhile, err = load.run(ctx, reloadLimit); return err })
	group.Go(func() (err error) {
		defer stop()
		took, err = change.make(ctx, i)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	saw.effective = append(saw.effective, float64(took.Microseconds())/1000)
	saw.quiet = append(saw.quiet, micro(percentile(quiet.latencies, 99)))
	saw.p99 = append(saw.p99, micro(percentile(meanwhile.latencies, 99)))
	saw.failed += quiet.failed + meanwhile.failed
	saw.requests += len(quiet.latencies) + len(meanwhile.latencies)
	return nil
}

const (
	reloadLimit = time.Minute
	probeEvery  = 2 * time.Millisecond
	// A change counts as effective when so many answers in a row are new: old workers may still answer for a while.
	steady = 50
)

// change leads a random route to another service.
type change struct {
	host     string // of the route
	answer   string // how its new endpoints' answers end
	contents map[string][]byte
}

func newChange(i *instance) (c change, err error) {
	n := rand.IntN(len(i.site.Routes))
	to := rand.IntN(len(i.site.Services))
	if i.site.Services[to].Name == i.site.Routes[n].Service {
		to = (to + 1) % len(i.site.Services)
	}
	i.site.Routes[n].Service = i.site.Services[to].Name
	c.host, c.answer = i.site.Routes[n].Host, fmt.Sprintf(".%d", 1+to)
	c.contents, err = i.configuration(i.site)
	return c, err
}

// make makes the change, and returns how long it took until the route led there.
func (c change) make(ctx context.Context, i *instance) (time.Duration, error) {
	began := time.Now()
	if err := i.write(c.contents); err != nil {
		return 0, err
	}
	if err := i.reread(ctx); err != nil {
		return 0, err
	}
	var since time.Time // of the first new answer after the last old one
	for answers := 0; answers < steady; {
		if err := pause(ctx, probeEvery); err != nil {
			return 0, err
		}
		asked := time.Now()
		endpoint, err := get(ctx, i.site.HTTP, c.host, "/endpoint")
		switch {
		case time.Since(began) > reloadLimit:
			return 0, errors.Join(err, fmt.Errorf("the change has no effect after %s", reloadLimit))
		case err != nil || !strings.HasSuffix(endpoint, c.answer):
			answers = 0
			continue
		case answers == 0:
			since = asked
		}
		answers++
	}
	return since.Sub(began), nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
