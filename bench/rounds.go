//go:build linux

package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// plan says how much is measured.
type plan struct {
	rounds   int
	duration time.Duration // of a round
}

// samples are what the rounds of a case said about one proxy.
type samples struct {
	cpu, rps, busy, allocs []float64
	p50, p99               []float64 // of the open loop
	requests, failed       int
}

// measure runs a case: in each round every proxy once, and every second round in the opposite order. What other
// programs do to the machine meanwhile is done to all of them alike.
func (l *lab) measure(ctx context.Context, c loadCase, proxies []proxy, p plan, say progress) ([]result, error) {
	var up []*instance
	for _, proxy := range proxies {
		i, err := l.bring(ctx, proxy, c.site)
		if err != nil {
			return nil, err
		}
		up = append(up, i)
	}
	got := make(map[*instance]*samples)
	for _, i := range up {
		got[i] = new(samples)
	}
	err := alternate(up, p.rounds, func(round int, i *instance) error {
		say("%s: round %d of %d: %s", c.name, round+1, p.rounds, i.name)
		return l.round(ctx, c.load, i, p.duration, got[i])
	})
	if err != nil {
		return nil, err
	}
	rate := halfLoad(got)
	if c.latency != nil && rate > 0 {
		err = alternate(up, p.rounds, func(round int, i *instance) error {
			say("%s: latency, round %d of %d: %s", c.name, round+1, p.rounds, i.name)
			return l.latencyRound(ctx, *c.latency, i, rate, p.duration, got[i])
		})
	} else {
		rate = 0
	}
	return summarise(c, up, got, p.rounds, rate), err
}

// alternate visits everybody once a round, forwards and backwards in turn.
func alternate(up []*instance, rounds int, visit func(round int, i *instance) error) error {
	order := slices.Clone(up)
	for round := range rounds {
		for _, i := range order {
			if err := visit(round, i); err != nil {
				return fmt.Errorf("%s: %w", i.name, err)
			}
		}
		slices.Reverse(order)
	}
	return nil
}

// round measures one load on one proxy.
func (l *lab) round(ctx context.Context, load load, i *instance, d time.Duration, s *samples) error {
	mallocs, err := i.mallocs(ctx)
	if err != nil {
		return err
	}
	before, err := cpuTime(i.pid())
	if err != nil {
		return err
	}
	did, err := load.run(ctx, l, i, d)
	if err != nil {
		return err
	}
	after, err := cpuTime(i.pid())
	if err != nil {
		return err
	}
	if did.requests == 0 {
		return fmt.Errorf("no request was answered, %d failed: %s", did.failed, &i.output)
	}
	if mallocs > 0 {
		now, err := i.mallocs(ctx)
		if err != nil {
			return err
		}
		s.allocs = append(s.allocs, max(0, now-mallocs-i.scrape)/float64(did.requests))
	}
	used := after - before
	s.cpu = append(s.cpu, micro(used)/float64(did.requests))
	s.rps = append(s.rps, float64(did.requests)/did.took.Seconds())
	s.busy = append(s.busy, 100*used.Seconds()/did.took.Seconds())
	s.requests += did.requests
	s.failed += did.failed
	return nil
}

// halfLoad is half of what the slowest of them answers, in requests a second: the same for all.
func halfLoad(got map[*instance]*samples) float64 {
	slowest := 0.0
	for _, s := range got {
		if rps := median(s.rps); slowest == 0 || rps < slowest {
			slowest = rps
		}
	}
	return slowest / 2
}

func (l *lab) latencyRound(
	ctx context.Context, o openLoop, i *instance, rate float64, d time.Duration, s *samples,
) error {
	o.address, o.rate = i.site.HTTP, rate
	saw, err := o.run(ctx, d)
	if err != nil {
		return err
	}
	s.p50 = append(s.p50, micro(percentile(saw.latencies, 50)))
	s.p99 = append(s.p99, micro(percentile(saw.latencies, 99)))
	s.failed += saw.failed
	return nil
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

var mallocsLine = regexp.MustCompile(`(?m)^go_memstats_mallocs_total (\S+)$`)

// mallocs is how many objects the proxy has allocated since its start, by its metrics; 0 where it does not tell.
func (i *instance) mallocs(ctx context.Context) (float64, error) {
	if !i.ours {
		return 0, nil
	}
	page, err := get(ctx, i.site.Admin, i.site.Admin, "/metrics")
	if err != nil {
		return 0, nil //nolint:nilerr // a variant without metrics
	}
	m := mallocsLine.FindStringSubmatch(page)
	if m == nil {
		return 0, nil
	}
	return strconv.ParseFloat(m[1], 64)
}
