package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead/fairlead/internal/telemetry/tracetest"
)

const (
	someTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	someSpan  = "00f067aa0ba902b7"
	someone   = "00-" + someTrace + "-" + someSpan + "-01"
)

func newTraces(t testing.TB, o TraceOptions) *Traces {
	t.Helper()
	if o.Collector.Endpoint == "" {
		o.Collector.Endpoint = "http://127.0.0.1:1" // nobody runs it
	}
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	traces, err := NewTraces(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(traces.close)
	return traces
}

// run runs traces until the test ends them with what it returns.
func run(t testing.TB, traces *Traces) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = traces.Run(ctx) })
	end = sync.OnceFunc(func() {
		cancel()
		done.Wait()
	})
	t.Cleanup(end)
	return end
}

// tracedExchange is one that was sent twice, with the marks of a stranger.
func tracedExchange(traces *Traces) *Exchange {
	x := *exchanges()[1]
	x.Reason = "no_healthy_host"
	x.Trace = traces.Begin(someone, "vendor=1")
	x.Trace.Query, x.Trace.Agent = "page=2&key=secret&token&\xff=é", "agent/1"
	header := http.Header{"X-Shop": {"a\xff"}, "X-Other": {"b"}}
	x.Trace.CaptureRequest(header.Get)
	x.Trace.CaptureAnswer(header.Get)
	first := x.Trace.Try()
	first.Service, first.Cluster, first.Endpoint, first.Gateway = "shop/cart", "frankfurt", "10.0.0.1:9443", true
	first.Fail("no_connection", errors.New("refused"))
	second := x.Trace.Try()
	second.Service, second.Cluster, second.Endpoint, second.Mode = "shop/cart", "paris", "10.1.0.1:9443", "panic"
	second.Answered(503)
	second.End("no_healthy_host")
	return &x
}

func traceOptions() TraceOptions {
	return TraceOptions{
		SampleRate: 1, RequestFields: []string{"x-shop"}, AnswerFields: []string{"X-Other", "X-None"},
		SafeQuery: []string{"page"}, Resource: map[string]string{"service.name": "edge", "a": "1"},
	}
}

// Both protocols carry the same spans to a collector.
func TestTracesReachTheCollector(t *testing.T) {
	for _, protocol := range []string{"http", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			c, err := tracetest.New("127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			o := traceOptions()
			o.Collector = Collector{Endpoint: "http://" + c.HTTP, Headers: map[string]string{"x-tenant": "shop"}}
			if protocol == "grpc" {
				o.Collector.GRPC, o.Collector.Insecure, o.Collector.Endpoint = true, true, c.GRPC
			}
			traces := newTraces(t, o)
			end := run(t, traces)
			traces.Served(tracedExchange(traces))
			end()
			spans := c.Spans()
			if len(spans) != 3 || spans[0].Header.Get("X-Tenant") != "shop" || spans[0].Resource["service.name"] != "edge" {
				t.Fatalf("%d spans: %v", len(spans), spans)
			}
			if traces.Told() != 3 || traces.Dropped() != 0 {
				t.Errorf("%d told, %d dropped", traces.Told(), traces.Dropped())
			}
			golden(t, "spans.txt", tracetest.Tree(spans, allKeys(spans)...))
		})
	}
}

// allKeys are those of the attributes, in order.
func allKeys(spans []tracetest.Span) (keys []string) {
	seen := make(map[string]bool)
	for _, s := range spans {
		for _, a := range s.Attributes {
			if !seen[a.Key] {
				seen[a.Key], keys = true, append(keys, a.Key)
			}
		}
	}
	return keys
}

// A collector that is away, or says no, holds up nobody; what it does not take is counted.
func TestTracesWithoutCollector(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(refuses.Close)
	for name, endpoint := range map[string]string{"away": "http://127.0.0.1:1", "refuses": refuses.URL} {
		t.Run(name, func(t *testing.T) {
			o := traceOptions()
			o.Collector.Endpoint = endpoint
			traces := newTraces(t, o)
			end := run(t, traces)
			traces.Served(tracedExchange(traces))
			end()
			if traces.Told() != 0 || traces.Dropped() != 3 {
				t.Errorf("%d told, %d dropped", traces.Told(), traces.Dropped())
			}
		})
	}
}

func TestTracesDropRatherThanBlock(t *testing.T) {
	traces := newTraces(t, traceOptions())
	x := tracedExchange(traces)
	for range maxSpans { // nobody takes them
		traces.Served(x)
	}
	if got, want := int(traces.Dropped()), 3*maxSpans-maxSpans/3*3; got != want || len(traces.pending) > maxSpans {
		t.Errorf("%d dropped, want %d; %d wait", got, want, len(traces.pending))
	}
}

// The context of W3C Trace Context §3.2, and what is none.
func TestBegin(t *testing.T) {
	traces := newTraces(t, TraceOptions{SampleRate: 1})
	for context, joins := range map[string]bool{
		someone: true,
		"00-" + someTrace + "-" + someSpan + "-00":     true,
		"01-" + someTrace + "-" + someSpan + "-01-new": true,
		"": false,
		"ff-" + someTrace + "-" + someSpan + "-01":                  false,
		"00-" + strings.ToUpper(someTrace) + "-" + someSpan + "-01": false,
		"00-" + strings.Repeat("0", 32) + "-" + someSpan + "-01":    false,
		"00-" + someTrace + "-" + strings.Repeat("0", 16) + "-01":   false,
		someone + "," + someone:                                     false,
		"00-" + someTrace + "-" + someSpan + "-zz":                  false,
		"00_" + someTrace + "_" + someSpan + "_01":                  false,
		"00-" + someTrace[:31] + "-" + someSpan + "-01":             false,
		"00-" + someTrace + "\x00-" + someSpan + "-01":              false,
		" " + someone: false,
		"00-" + someTrace + "-" + someSpan + "-01" + strings.Repeat("-", 1<<16): false,
	} {
		x := traces.Begin(context, "a=1, b=2")
		if got := x.ID.String() == someTrace; got != joins || x.Parent.IsValid() != joins {
			t.Errorf("%.80q: joins %v, want %v", context, got, joins)
		}
		if joins != (x.State == "a=1,b=2") {
			t.Errorf("%.80q: state %q", context, x.State)
		}
		if !x.ID.IsValid() || !x.Span.IsValid() || x.Span == x.Parent {
			t.Errorf("%.80q: %v", context, x)
		}
		if joins && x.Sampled == strings.HasSuffix(context, "-00") {
			t.Errorf("%q: sampled %v", context, x.Sampled)
		}
	}
	if x := traces.Begin(someone, "bad state,,=;"); x.State != "" || x.ID.String() != someTrace {
		t.Errorf("a bad state: %+v", x)
	}
}

// What goes on is read by others as it was meant.
func FuzzBegin(f *testing.F) {
	f.Add(someone, "a=1")
	f.Add("01-"+someTrace+"-"+someSpan+"-03-x", "a=1,b")
	f.Fuzz(func(t *testing.T, context, state string) {
		traces := &Traces{rate: 1}
		x := traces.Begin(context, state)
		again := traces.Begin(x.Context(), x.State)
		if again.ID != x.ID || again.Parent != x.Span || again.Sampled != x.Sampled || again.State != x.State {
			t.Errorf("%q %q became %+v", x.Context(), x.State, again)
		}
	})
}

func TestSampleRate(t *testing.T) {
	const n = 4000
	for _, rate := range []float64{0, 0.25, 1} {
		traces, sampled := newTraces(t, TraceOptions{SampleRate: rate}), 0
		for range n {
			if traces.Begin("", "").Sampled {
				sampled++
			}
		}
		if got := float64(sampled) / n; got < rate-0.1 || got > rate+0.1 {
			t.Errorf("rate %v: %v", rate, got)
		}
		if !traces.Begin(someone, "").Sampled {
			t.Errorf("rate %v: who began the trace has decided", rate)
		}
	}
}

// What is not told has no attempts, and none of it is handed over.
func TestTracesOfThoseNotSampled(t *testing.T) {
	traces := newTraces(t, TraceOptions{RequestFields: []string{"X"}})
	x := exchanges()[0]
	x.Trace = traces.Begin("", "")
	x.Trace.CaptureRequest(func(string) string { return "v" })
	a := x.Trace.Try()
	a.Answered(200)
	a.End("")
	traces.Served(x)
	if a != nil || len(x.Trace.captured)+len(traces.pending) > 0 || !strings.HasSuffix(x.Trace.ContextOf(a), "-00") {
		t.Errorf("%+v, %d wait", x.Trace, len(traces.pending))
	}
	var none *Trace
	none.CaptureAnswer(func(string) string { return "v" })
	none.Try().Fail("timeout", io.EOF)
}

// Whatever a client sends, the message can be read.
func TestSpansOfStrangers(t *testing.T) {
	traces := newTraces(t, traceOptions())
	for _, x := range exchanges() {
		x.Trace = traces.Begin("", "")
		x.Trace.Query, x.Trace.Agent = strings.Repeat("é=\xff&", 1<<16), "\xff"
		for _, s := range x.spans() {
			for key, text := range tracetest.Texts(s.Attributes) {
				if len(text) > 2*maxText || strings.ToValidUTF8(text, "") != text {
					t.Errorf("%s: %d bytes, %.80q", key, len(text), text)
				}
			}
		}
	}
}

func TestAccessLogHasTheTrace(t *testing.T) {
	var out strings.Builder
	x := exchanges()[0]
	x.Trace = &Trace{ID: trace.TraceID{15: 7}}
	for _, format := range []string{JSON, Common} {
		l := newLog(t, &out, format)
		l.Served(x)
		l.write()
	}
	id := strings.Repeat("0", 31) + "7"
	for _, want := range []string{`,"trace":"` + id + "\"}\n", ` 12.346ms "` + id + "\"\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}

func BenchmarkTraces(b *testing.B) {
	for _, rate := range []float64{0, 1} {
		b.Run(fmt.Sprintf("rate=%v", rate), func(b *testing.B) {
			traces := newTraces(b, TraceOptions{SampleRate: rate})
			x := *exchanges()[0]
			b.ReportAllocs()
			for b.Loop() {
				x.Trace = traces.Begin("", "")
				a := x.Trace.Try()
				_ = x.Trace.ContextOf(a)
				a.Answered(200)
				a.End("")
				traces.Served(&x)
			}
		})
	}
}
