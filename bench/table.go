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

// result begins a result about the proxy.
func (i *instance) result(rounds int) result {
	return result{Proxy: i.name, Version: i.version, Rounds: rounds, ours: i.ours}
}

// result is what is known about one proxy in one case. Numbers that were not measured are 0, and left out.
type result struct {
	Case  string `json:"case"`
	Proxy string `json:"proxy"`
	// Middleware is what the route has; Ratio is then its CPU divided by that of a route without any.
	Middleware string   `json:"middleware,omitempty"`
	Version    string   `json:"version"`
	Rounds     int      `json:"rounds"`
	Requests   int      `json:"requests"`
	Failed     int      `json:"failed"`
	CPU        float64  `json:"cpu_us,omitempty"` // per request, median of the rounds
	RPS        float64  `json:"rps,omitempty"`    // requests a second, on one core
	Busy       float64  `json:"busy,omitempty"`   // percent of that core; far from 100, rps is not the proxy's limit
	Allocs     *float64 `json:"allocs,omitempty"` // objects per request; nil: not known
	Rate       float64  `json:"rate,omitempty"`   // requests a second at which the latencies were taken
	P50        float64  `json:"p50_us,omitempty"`
	P99        float64  `json:"p99_us,omitempty"`
	// Ratio is Fairlead's CPU per request divided by this proxy's: at most 1 where Fairlead is as cheap. It is the median
	// of the pairs of each round; RatioLow and RatioHigh are the extremes.
	Ratio     float64 `json:"ratio,omitempty"`
	RatioLow  float64 `json:"ratio_low,omitempty"`
	RatioHigh float64 `json:"ratio_high,omitempty"`

	Ready         float64 `json:"ready_ms,omitempty"`             // from its start until it serves the last route
	Memory        float64 `json:"memory_mb,omitempty"`            // after that; what its processes share counts once
	MemoryAfter   float64 `json:"memory_after_mb,omitempty"`      // after two reloads
	Connection1K  float64 `json:"connection_1k_bytes,omitempty"`  // for each of 1,000 idle connections
	Connection10K float64 `json:"connection_10k_bytes,omitempty"` // for each of 10,000
	Effective     float64 `json:"effective_ms,omitempty"`         // from a change until requests go where it says
	P99Quiet      float64 `json:"p99_quiet_us,omitempty"`         // without a change; P99 is meanwhile

	ours bool // it is Fairlead
}

// column is a column of a table.
type column struct {
	title string
	value func(result) string
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
func printTable(w io.Writer, c benchCase, results []result) error {
	fmt.Fprintf(w, "\n%s: %s\n", c.name, c.about)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "proxy\t")
	for _, column := range c.columns() {
		fmt.Fprint(t, column.title, "\t")
	}
	for _, r := range results {
		fmt.Fprint(t, "\n", r.Proxy, "\t")
		for _, column := range c.columns() {
			fmt.Fprint(t, column.value(r), "\t")
		}
	}
	fmt.Fprintln(t)
	return t.Flush()
}

func orDash(format string, value float64) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf(format, value)
}

func allocations(r result) string {
	if r.Allocs == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", *r.Allocs)
}

// machine says on what the numbers were taken.
func machine(l *lab) string {
	return fmt.Sprintf("%s, %d cores (%s), Linux %s, Go %s",
		cmp.Or(field("/proc/cpuinfo", "model name"), "unknown processor"), runtime.NumCPU(), l.cores,
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
