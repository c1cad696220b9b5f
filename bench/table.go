//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// result is what is known about one proxy in one case. Numbers that were not measured are 0, and left out.
type result struct {
	Case     string  `json:"case"`
	Proxy    string  `json:"proxy"`
	Version  string  `json:"version"`
	Rounds   int     `json:"rounds"`
	Requests int     `json:"requests"`
	Failed   int     `json:"failed"`
	CPU      float64 `json:"cpu_us,omitempty"` // per request, median of the rounds
	RPS      float64 `json:"rps,omitempty"`    // requests a second, on one core
	Busy     float64 `json:"busy,omitempty"`   // percent of that core; far from 100, rps is not the proxy's limit
	Allocs   float64 `json:"allocs,omitempty"` // per request
	Rate     float64 `json:"rate,omitempty"`   // requests a second at which the latencies were taken
	P50      float64 `json:"p50_us,omitempty"`
	P99      float64 `json:"p99_us,omitempty"`
	// Ratio is Fairlead's CPU per request divided by this proxy's: at most 1 where Fairlead is as cheap. It is the median
	// of the pairs of each round; RatioLow and RatioHigh are the extremes.
	Ratio     float64 `json:"ratio,omitempty"`
	RatioLow  float64 `json:"ratio_low,omitempty"`
	RatioHigh float64 `json:"ratio_high,omitempty"`
}

// summarise makes results of samples.
func summarise(c loadCase, up []*instance, got map[*instance]*samples, rounds int, rate float64) (results []result) {
	var reference *samples
	for _, i := range up {
		if i.name == "fairlead" {
			reference = got[i]
		}
	}
	for _, i := range up {
		s := got[i]
		r := result{
			Case: c.name, Proxy: i.name, Version: i.version, Rounds: rounds, Requests: s.requests, Failed: s.failed,
			CPU: median(s.cpu), RPS: median(s.rps), Busy: median(s.busy), Allocs: median(s.allocs),
			Rate: rate, P50: median(s.p50), P99: median(s.p99),
		}
		if reference != nil {
			r.Ratio, r.RatioLow, r.RatioHigh = ratio(reference.cpu, s.cpu)
		}
		results = append(results, r)
	}
	return results
}

// printJSON prints one object a line.
func printJSON(w io.Writer, results []result) error {
	encoder := json.NewEncoder(w)
	for _, r := range results {
		if err := encoder.Encode(r); err != nil {
			return fmt.Errorf("printing a result: %w", err)
		}
	}
	return nil
}

// printTable prints the results of one case for people.
func printTable(w io.Writer, about string, results []result) error {
	fmt.Fprintf(w, "\n%s: %s\n", results[0].Case, about)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "proxy\tCPU us\tfairlead / it\t(low-high)\treq/s\tcore %\tallocs\tp50 us\tp99 us\tat req/s\tfailed\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.1f\t%s\t%s\t%.0f\t%.0f\t%s\t%s\t%s\t%s\t%d\t\n",
			r.Proxy, r.CPU, orDash("%.2f", r.Ratio), span(r), r.RPS, r.Busy, orDash("%.1f", r.Allocs),
			orDash("%.0f", r.P50), orDash("%.0f", r.P99), orDash("%.0f", r.Rate), r.Failed)
	}
	return t.Flush()
}

func orDash(format string, value float64) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf(format, value)
}

func span(r result) string {
	if r.Ratio == 0 {
		return "-"
	}
	return fmt.Sprintf("(%.2f-%.2f)", r.RatioLow, r.RatioHigh)
}

// machine says on what the numbers were taken.
func machine(l *lab) string {
	return fmt.Sprintf("%s, %d cores (proxies on core %d, load and service on the others), Linux %s, Go %s",
		cmp.Or(field("/proc/cpuinfo", "model name"), "unknown processor"), runtime.NumCPU(), l.cores.proxy,
		strings.TrimSpace(readText("/proc/sys/kernel/osrelease")), strings.TrimPrefix(runtime.Version(), "go"))
}

func readText(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// field returns a field of a file of lines "name : value".
func field(path, name string) string {
	for line := range strings.Lines(readText(path)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
