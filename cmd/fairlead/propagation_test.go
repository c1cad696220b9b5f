package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkPropagation measures how long it takes from a change of a file in a cluster until the edge serves it: a
// route added (its first request is answered by the service) and removed again (the edge knows no such route). The
// edge's configuration is not touched. Run it with
//
//	go test ./cmd/fairlead -run '^$' -bench Propagation -benchtime 200x
func BenchmarkPropagation(b *testing.B) {
	w, err := newDemoWorld(b.Context(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	if err := w.ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	cluster := w.clusters[0]
	shop := cluster.apps[0].Addr
	var added, removed []time.Duration
	for n := 0; b.Loop(); n++ {
		app := demoApp{Name: fmt.Sprintf("app-%d", n), Addr: shop}
		path := filepath.Join(cluster.dir, "routes", app.Name+".yaml")
		began := time.Now()
		if err := writeTemplate(path, demoRoutesFile, app); err != nil {
			b.Fatal(err)
		}
		added = append(added, until(b, client, w.address, app.Name, http.StatusOK, began))
		began = time.Now()
		if err := os.Remove(path); err != nil {
			b.Fatal(err)
		}
		removed = append(removed, until(b, client, w.address, app.Name, http.StatusNotFound, began))
	}
	report(b, added, "added")
	report(b, removed, "removed")
}

// until asks the edge for a route, again and again, until it answers with the status.
func until(b *testing.B, client *http.Client, edge, route string, status int, began time.Time) time.Duration {
	b.Helper()
	for time.Since(began) < demoTimeout {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+edge+"/", nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Host = route + ".localhost"
		answer, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode == status {
			return time.Since(began)
		}
	}
	b.Fatalf("route %s did not answer %d within %v", route, status, demoTimeout)
	return 0
}

// report adds the median and the 99th percentile to the benchmark's figures, in milliseconds.
func report(b *testing.B, times []time.Duration, what string) {
	slices.Sort(times)
	ms := func(p int) float64 { return float64(times[len(times)*p/100].Microseconds()) / 1000 }
	b.ReportMetric(ms(50), what+"-p50-ms")
	b.ReportMetric(ms(99), what+"-p99-ms")
}
