//go:build unix

package docker_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
)

// BenchmarkEngine is an engine of 5,000 containers, two of each service: how long until the first snapshot, what one
// event costs, and how much memory the provider keeps. Processor time is that of the whole process, in which the fake
// engine runs, too.
func BenchmarkEngine(b *testing.B) {
	e := newFake(b)
	for i := range 5000 {
		e.put(name(i), labels(i), func(c map[string]any) { c["NetworkSettings"] = address(i) })
	}
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		before := processorTime(b)
		for b.Loop() {
			_, stop := follow(b, e)
			stop()
		}
		b.ReportMetric(float64(processorTime(b)-before)/float64(b.N)/1e6, "cpu-ms/op")
	})
	b.Run("event", func(b *testing.B) {
		empty := heap()
		published, stop := follow(b, e)
		defer stop()
		kept := heap() - empty
		b.ReportAllocs()
		before := processorTime(b)
		for n := 0; b.Loop(); n++ {
			e.put(name(7), labels(7), func(c map[string]any) {
				c["NetworkSettings"] = address(7)
				c["Status"] = []string{"Up 1 second (unhealthy)", "Up 1 second (healthy)"}[n%2]
			})
			e.tell(name(7), "health_status")
			<-published
		}
		b.ReportMetric(float64(kept)/(1<<20), "heap-MB")
		b.ReportMetric(float64(processorTime(b)-before)/float64(b.N)/1e6, "cpu-ms/op")
	})
}

// follow runs a provider until it is stopped, and returns when it has published the whole engine.
func follow(b *testing.B, e *fake) (published sink, stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	published = make(sink, 1)
	ended := make(chan error)
	go func() {
		ended <- provider.Run(ctx, source, newProvider(b, e, nil), published, slog.New(slog.DiscardHandler))
	}()
	if s := <-published; len(s.Services) != 2500 || len(s.Routes) != 2500 || len(s.Problems) > 0 {
		b.Fatalf("%d services, %d routes, %v", len(s.Services), len(s.Routes), s.Problems)
	}
	return published, func() {
		cancel()
		<-ended
	}
}

// sink takes snapshots.
type sink chan model.Snapshot

func (s sink) Set(next model.Snapshot) { s <- next }

func (sink) Fail(_ model.Source, err error) { panic(err) }

func name(i int) string { return fmt.Sprintf("service-%d-%d", i/2, i%2) }

func labels(i int) map[string]string {
	return map[string]string{
		fmt.Sprintf("traefik.http.routers.r%d.rule", i/2):                      fmt.Sprintf("Host(`h%d.example`)", i/2),
		fmt.Sprintf("traefik.http.services.s%d.loadbalancer.server.port", i/2): "8080",
		"com.docker.compose.project":                                           fmt.Sprintf("project-%d", i/20),
		"com.docker.compose.service":                                           fmt.Sprintf("service-%d", i/2),
	}
}

func address(i int) any { return networks("back", fmt.Sprintf("10.%d.%d.2", i/250, i%250)) }

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one found to be finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
