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
	duration time.Duration // of a visit
	idle     int           // connections
	reloads  int           // of each proxy, at least 2
}

// run is one case under way.
type run struct {
	lab  *lab
	plan plan
	say  progress // with the case's name before it
}

// loadWork measures CPU, requests a second and latencies under a load.
type loadWork struct {
	load    load
	latency *openLoop // the same work at its own pace; nil: latencies are not measured
}

func (loadWork) fresh() bool { return false }

func (loadWork) columns() []column {
	return []column{
		{"CPU us", func(r result) string { return orDash("%.1f", r.CPU) }},
		{"fairlead / it", func(r result) string { return orDash("%.2f", r.Ratio) }},
		{"(low-high)", func(r result) string { return fmt.Sprintf("(%.2f-%.2f)", r.RatioLow, r.RatioHigh) }},
		{"req/s", func(r result) string { return orDash("%.0f", r.RPS) }},
		{"core %", func(r result) string { return orDash("%.0f", r.Busy) }},
		{"allocs", allocations},
		{"p50 us", func(r result) string { return orDash("%.0f", r.P50) }},
		{"p99 us", func(r result) string { return orDash("%.0f", r.P99) }},
		{"at req/s", func(r result) string { return orDash("%.0f", r.Rate) }},
		{"failed", func(r result) string { return strconv.Itoa(r.Failed) }},
	}
}

// samples are what the rounds of a case said about one proxy.
type samples struct {
	cpu, rps, busy, allocs []float64
	p50, p99               []float64 // of the open loop
	requests, failed       int
}

// measure visits every proxy once in each round, and in every second round in the opposite order. What other programs
// do to the machine meanwhile is done to all of them alike.
func (w loadWork) measure(ctx context.Context, r *run, up []*instance) ([]result, error) {
	got := make(map[*instance]*samples)
	for _, i := range up {
		got[i] = new(samples)
	}
	err := alternate(up, r.plan.rounds, func(round int, i *instance) error {
		r.say("round %d of %d: %s", round+1, r.plan.rounds, i.name)
		return w.round(ctx, r, i, got[i])
	})
	if err != nil {
		return nil, err
	}
	rate := 0.0
	if w.latency != nil {
		rate = halfLoad(got)
		err = alternate(up, r.plan.rounds, func(round int, i *instance) error {
			r.say("latency, round %d of %d: %s", round+1, r.plan.rounds, i.name)
			return w.latencyRound(ctx, i, rate, r.plan.duration, got[i])
		})
	}
	return summarise(up, got, r.plan.rounds, rate), err
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

// round measures the load on one proxy.
func (w loadWork) round(ctx context.Context, r *run, i *instance, s *samples) error {
	mallocs, err := i.mallocs(ctx)
	if err != nil {
		return err
	}
	before, err := cpuTime(i.pid())
	if err != nil {
		return err
	}
	did, err := w.load.run(ctx, r.lab, i, r.plan.duration)
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
	if i.counts {
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

func (w loadWork) latencyRound(ctx context.Context, i *instance, rate float64, d time.Duration, s *samples) error {
	o := *w.latency
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

// summarise makes results of samples.
func summarise(up []*instance, got map[*instance]*samples, rounds int, rate float64) (results []result) {
	var reference *samples
	for _, i := range up {
		if i.name == "fairlead" {
			reference = got[i]
		}
	}
	for _, i := range up {
		s := got[i]
		r := s.result(i, rounds)
		r.Rate, r.P50, r.P99 = rate, median(s.p50), median(s.p99)
		if reference != nil {
			r.Ratio, r.RatioLow, r.RatioHigh = ratio(reference.cpu, s.cpu)
		}
		results = append(results, r)
	}
	return results
}

// result is what the samples say by themselves.
func (s *samples) result(i *instance, rounds int) result {
	r := i.result(rounds)
	r.Requests, r.Failed = s.requests, s.failed
	r.CPU, r.RPS, r.Busy = median(s.cpu), median(s.rps), median(s.busy)
	if s.allocs != nil {
		allocs := median(s.allocs)
		r.Allocs = &allocs
	}
	return r
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

var mallocsLine = regexp.MustCompile(`(?m)^go_memstats_mallocs_total (\S+)$`)

// mallocs is how many objects the proxy has allocated since its start, by its metrics; 0 where it does not tell.
func (i *instance) mallocs(ctx context.Context) (float64, error) {
	if !i.counts {
		return 0, nil
	}
	page, err := get(ctx, i.site.Admin, i.site.Admin, "/metrics")
	if err != nil {
		return 0, fmt.Errorf("reading the metrics of %s: %w", i.name, err)
	}
	m := mallocsLine.FindStringSubmatch(page)
	if m == nil {
		return 0, fmt.Errorf("%s does not say how often it allocates", i.name)
	}
	return strconv.ParseFloat(m[1], 64)
}
