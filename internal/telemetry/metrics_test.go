package telemetry

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// scrape returns the metrics that are ours.
func scrape(t testing.TB, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var ours strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "fairlead_") || strings.HasPrefix(line, "# ") && strings.Contains(line, " fairlead_") {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

func problems(codes ...model.Code) (list []model.Problem) {
	for _, c := range codes {
		list = append(list, model.Problem{Code: c})
	}
	return list
}

func TestMetrics(t *testing.T) {
	m := NewMetrics()
	l := newLog(t, failing{}, JSON)
	m.WatchAccessLog(l)
	for _, x := range exchanges() {
		m.Served(x)
		m.Served(x)
		l.Served(x)
	}
	l.write()
	for _, reason := range []string{"", "", "no_healthy_host"} {
		m.Served(&Exchange{
			Lane: "tcp", Scheme: "tls", EntryPoint: "db", Route: "db@file", Service: "db", Cluster: "paris", BytesIn: 10,
			BytesOut: 200, Reason: reason,
		})
	}
	m.OpenConnections("web", "http3", 3)
	m.OpenConnections("web", "http3", -1)
	m.RefusedKey("link", "expired")
	m.RefusedKey("link", "expired")
	m.RefusedKey("api", "unknown")
	m.Generation(time.Second)
	m.Generation(20 * time.Millisecond)
	m.SetProblems(problems(model.Stale, model.Conflict, model.Conflict))
	m.SetProblems(problems(model.Conflict, model.NotGranted))
	m.SetLink("paris", false)
	m.SetLink("frankfurt", false)
	m.SetLink("frankfurt", true)
	m.SetLink("gone", true)
	m.LinkReconnected("frankfurt")
	m.LinkReconnected("gone")
	m.ForgetLink("gone")
	golden(t, "metrics.txt", scrape(t, m))
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// What a client sends is in no label.
func TestMetricsTakeNoLabelFromClients(t *testing.T) {
	m := NewMetrics()
	m.Served(&Exchange{
		Method: "XMETHOD", Proto: "XPROTO", Host: "xhost", Path: "/xpath", ClientAddr: "192.0.2.99:1", Status: 777,
	})
	got := scrape(t, m)
	for _, word := range []string{"XMETHOD", "XPROTO", "xhost", "xpath", "192.0.2.99", "777"} {
		if strings.Contains(got, word) {
			t.Errorf("%s is in the metrics", word)
		}
	}
}

func TestMetricsAreBounded(t *testing.T) {
	m := NewMetrics()
	m.known = maxSeries - 2
	for i := range 10 {
		m.Served(&Exchange{EntryPoint: "web", Route: fmt.Sprint("r", i), Service: "s", Status: 200, Reason: "timeout"})
	}
	got := scrape(t, m)
	for _, want := range []string{
		`fairlead_requests_total{cluster="",entry_point="web",route="r0",service="s",status="2xx"} 1`,
		`fairlead_requests_total{cluster="",entry_point="web",route="r1",service="s",status="2xx"} 1`,
		`fairlead_requests_total{cluster="other",entry_point="web",route="other",service="other",status="2xx"} 8`,
		`fairlead_own_answers_total{entry_point="web",reason="timeout",service="other"} 8`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("missing %s", want)
		}
	}
	if strings.Contains(got, `route="r2"`) || m.known != maxSeries+1 {
		t.Errorf("%d series:\n%s", m.known, got)
	}
}

func TestMetricsRace(t *testing.T) {
	m := NewMetrics()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				m.Served(&Exchange{Route: fmt.Sprint("r", i%50), Status: 200})
				m.SetProblems(problems(model.Stale))
				m.OpenConnections("web", "http3", 1)
			}
		})
	}
	for range 5 {
		scrape(t, m)
	}
	wg.Wait()
	got := scrape(t, m)
	for i := range 50 {
		want := fmt.Sprintf(`fairlead_requests_total{cluster="",entry_point="",route="r%d",service="",status="2xx"} 16`, i)
		if !strings.Contains(got, want+"\n") {
			t.Errorf("missing %s", want)
		}
	}
	if m.known != 50 {
		t.Errorf("%d series are known, want 50", m.known)
	}
}

func TestMetricsAllocateNothing(t *testing.T) {
	m := NewMetrics()
	x := *exchanges()[1]
	x.Reason = "timeout"
	x.Route = string(bytes.Clone([]byte(x.Route))) // not a constant
	if got := testing.AllocsPerRun(1000, func() { m.Served(&x) }); got > 0 {
		t.Errorf("%v allocations an exchange", got)
	}
}

func BenchmarkMetrics(b *testing.B) {
	m := NewMetrics()
	xs := make([]*Exchange, 1000)
	for i := range xs {
		x := *exchanges()[0]
		x.Route, x.Service = fmt.Sprintf("shop-%d@file", i), fmt.Sprintf("shop/cart-%d@link/frankfurt", i)
		xs[i] = &x
	}
	b.Run("served", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			m.Served(xs[i%len(xs)])
			i++
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				m.Served(xs[i%len(xs)])
			}
		})
	})
}
