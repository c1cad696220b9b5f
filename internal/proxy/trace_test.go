package proxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/telemetry"
	"github.com/fairlead/fairlead/internal/telemetry/tracetest"
)

// The context of somebody's trace.
const (
	theirTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	theirs     = "00-" + theirTrace + "-00f067aa0ba902b7-01"
)

// tracing is a collector and what tells it.
type tracing struct {
	*telemetry.Traces
	collector *tracetest.Collector
	end       func() // all is told afterwards
}

func collect(t *testing.T, rate float64) *tracing {
	t.Helper()
	c, err := tracetest.New("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	traces, err := telemetry.NewTraces(telemetry.TraceOptions{
		Collector: telemetry.Collector{Endpoint: "http://" + c.HTTP}, SampleRate: rate,
		RequestFields: []string{"X-Shop"}, AnswerFields: []string{"X-Answer"},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = traces.Run(ctx) })
	end := sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(func() { end(); c.Close() })
	return &tracing{traces, c, end}
}

// on has an instance traced. It looks at each exchange when that is over: then all of it can be told.
func (c *tracing) on(over chan<- string) func(*Options) {
	return func(o *Options) {
		o.Traces = c.Traces
		o.Observers = []Observer{c.Traces, observerFunc(func(x *telemetry.Exchange) {
			id := ""
			if x.Trace != nil {
				id = x.Trace.ID.String()
			}
			over <- id
		})}
	}
}

// twoDepths are fields that make a request one of each depth.
var twoDepths = map[string][]string{"raw": nil, "general": {"Via", "1.1 other"}}

// Who is trusted says to which trace a request belongs; strangers' traces are not joined. Where nothing is traced, what
// came goes on.
func TestTraceContext(t *testing.T) {
	came := make(chan http.Header, 1)
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { came <- r.Header })
	untraced := func(o *Options) { o.EntryPoints[0].Observability.Tracing = model.Off }
	trusting := func(o *Options) { o.EntryPoints[0].Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	said := []string{parentField, theirs, stateField, "v=1"}
	for name, c := range map[string]struct {
		change               func(*Options)
		rate                 float64
		fields               []string
		joins, passes, state bool
		flags                string
	}{
		"nobody's":             {func(*Options) {}, 1, nil, false, false, false, "01"},
		"nobody's, not told":   {func(*Options) {}, 0, nil, false, false, false, "00"},
		"a stranger's":         {func(*Options) {}, 1, said, false, false, false, "01"},
		"a trusted one's":      {trusting, 0, said, true, false, true, "01"},
		"two of a trusted one": {trusting, 1, []string{parentField, theirs, parentField, theirs}, false, false, false, "01"},
		"where none is traced": {untraced, 1, said, true, true, true, "01"},
	} {
		for depth, also := range twoDepths {
			t.Run(name+"/"+depth, func(t *testing.T) {
				over := make(chan string, 1)
				b := start(t, to(addr), collect(t, c.rate).on(over), c.change)
				if status, _, _ := b.get(t, "/", append(also[:len(also):len(also)], c.fields...)...); status != http.StatusOK {
					t.Fatal(status)
				}
				h := <-came
				id, got := <-over, h[parentField]
				if len(got) != 1 || !strings.HasSuffix(got[0], "-"+c.flags) || strings.Contains(got[0], theirTrace) != c.joins ||
					(got[0] == theirs) != c.passes || !c.passes && !strings.Contains(got[0], id) {
					t.Errorf("%q, in the log %s", got, id)
				}
				if got := h.Get(stateField); (got == "v=1") != c.state || len(h[stateField]) > 1 {
					t.Errorf("state %q", got)
				}
			})
		}
	}
}

// One span for a request, one for each attempt, which the service takes for its parent; the same at both depths.
func TestSpans(t *testing.T) {
	parents := make(chan string, 1)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Answer", "blue")
		w.WriteHeader(http.StatusNotFound)
		parents <- r.Header.Get(parentField)
	})
	for depth, also := range twoDepths {
		t.Run(depth, func(t *testing.T) {
			over, told := make(chan string, 1), collect(t, 1)
			s := to("127.0.0.1:1", addr)
			s.Services[0].Balance.Picker = model.WRR // so one of two requests goes to the host that is away
			b := start(t, s, told.on(over))
			var seen []string
			for range 2 {
				if status, _, _ := b.get(t, "/a?key=secret", append(also, "X-Shop", "7")...); status != http.StatusNotFound {
					t.Fatal(status)
				}
				<-over
				seen = append(seen, <-parents)
			}
			told.end()
			spans := told.collector.Spans()
			for _, parent := range seen {
				if !slices.ContainsFunc(spans, func(s tracetest.Span) bool {
					return parent == fmt.Sprintf("00-%x-%x-01", s.TraceId, s.SpanId) && s.Kind == tracepb.Span_SPAN_KIND_CLIENT
				}) {
					t.Errorf("the service's parent %s is no attempt", parent)
				}
			}
			got := tracetest.Tree(spans, "fairlead.attempts", "fairlead.attempt", "fairlead.reason", "url.query",
				"http.request.header.x-shop", "http.response.header.x-answer", "http.response.status_code")
			const once = "SERVER GET all@file/test attempts=1 query=key=REDACTED x-shop=[7] x-answer=[blue] status_code=404\n" +
				"  CLIENT GET app attempt=1 status_code=404\n"
			const twice = "SERVER GET all@file/test attempts=2 query=key=REDACTED x-shop=[7] x-answer=[blue] status_code=404\n" +
				"  CLIENT GET app attempt=1 reason=no_connection\n  CLIENT GET app attempt=2 status_code=404\n"
			if got != once+twice && got != twice+once {
				t.Error(got)
			}
		})
	}
}

// What no route takes has a span, too.
func TestSpanWithoutRoute(t *testing.T) {
	told, over := collect(t, 1), make(chan string, 1)
	s := to("127.0.0.1:1")
	s.Routes[0].Match = model.Leaf(model.Path, "/known")
	b := start(t, s, told.on(over))
	b.get(t, "/unknown")
	<-over
	told.end()
	if got := tracetest.Tree(told.collector.Spans(), "fairlead.reason"); got != "SERVER GET reason=no_route\n" {
		t.Error(got)
	}
}

// Routes and entry points say what is told; routes have the last word.
func TestObservability(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") })
	for _, route := range []model.Switch{"", model.On, model.Off} {
		for _, point := range []model.Switch{"", model.On, model.Off} {
			want := route == model.On || route == "" && point != model.Off
			x := make(chan telemetry.Exchange, 1)
			s := to(addr)
			s.Routes[0].Observability = model.Observability{AccessLogs: route, Metrics: route, Tracing: route}
			traces := collect(t, 0)
			b := start(t, s, func(o *Options) {
				o.EntryPoints[0].Observability = model.Observability{AccessLogs: point, Metrics: point, Tracing: point}
				o.Traces = traces.Traces
				o.Observers = []Observer{observerFunc(func(over *telemetry.Exchange) { x <- *over })}
			})
			for depth, also := range twoDepths {
				b.get(t, "/", also...)
				if over := <-x; over.Unlogged == want || over.Unmeasured == want || (over.Trace != nil) != want {
					t.Errorf("route %q, entry point %q, %s: %+v", route, point, depth, over)
				}
			}
		}
	}
}

// Where it is asked for, each middleware has a span, in which those lie that it leads to; in the innermost, attempts.
func TestSpansOfMiddlewares(t *testing.T) {
	parents := make(chan string, 1)
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { parents <- r.Header.Get(parentField) })
	const minimal = "SERVER GET all@file/test\n  CLIENT GET app\n"
	const detailed = "SERVER GET all@file/test\n  INTERNAL outer@file/test\n    INTERNAL inner@file/test\n" +
		"      INTERNAL own@file/test\n        CLIENT GET app\n"
	for _, c := range []struct {
		route, point model.Switch
		rate         float64
		want         string
	}{
		{"", "", 1, minimal}, {"", model.On, 1, detailed}, {model.On, model.Off, 1, detailed},
		{model.Off, model.On, 1, minimal}, {model.On, model.On, 0, ""},
	} {
		told, over := collect(t, c.rate), make(chan string, 1)
		s := to(addr)
		for _, name := range []string{"inner", "outer", "own"} {
			s.Middlewares = append(s.Middlewares, &model.Middleware{
				Name: model.Name{Name: name}, Source: "file/test", AddPrefix: &model.AddPrefix{Prefix: "/" + name},
			})
		}
		s.Routes[0].Middlewares = []model.Ref{s.Middlewares[1].Ref(), s.Middlewares[0].Ref()}
		s.Services[0].Middlewares = []model.Ref{s.Middlewares[2].Ref()}
		s.Routes[0].Observability.Detailed = c.route
		b := start(t, s, told.on(over), func(o *Options) { o.EntryPoints[0].Observability.Detailed = c.point })
		if status, _, _ := b.get(t, "/"); status != http.StatusOK {
			t.Fatal(status)
		}
		<-over
		told.end()
		spans := told.collector.Spans()
		if got := tracetest.Tree(spans); got != c.want {
			t.Errorf("%+v: got\n%s", c, got)
		}
		parent := <-parents
		if c.rate > 0 && !slices.ContainsFunc(spans, func(s tracetest.Span) bool {
			return s.Kind == tracepb.Span_SPAN_KIND_CLIENT && strings.Contains(parent, fmt.Sprintf("%x", s.SpanId))
		}) {
			t.Errorf("%+v: the service's parent %s is no attempt", c, parent)
		}
	}
}

// A middleware that asks somebody gives its own span for the parent, and takes none of the others' along.
func TestStepsAreParents(t *testing.T) {
	told := collect(t, 1)
	x := &exchange{Exchange: telemetry.Exchange{Trace: told.Begin("", "")}}
	x.Trace.Detailed = true
	before := x.Trace.Context()
	outer := x.Trace.Enter("outer")
	within := x.Trace.Context()
	inner := x.Trace.Enter("inner")
	deepest := x.Trace.Context()
	x.Trace.Leave(inner)
	if within == before || deepest == within || x.Trace.Context() != within {
		t.Errorf("%s, %s, %s, then %s", before, within, deepest, x.Trace.Context())
	}
	if x.Trace.Leave(outer); x.Trace.Context() != before {
		t.Errorf("at the end %s, at the beginning %s", x.Trace.Context(), before)
	}
}

// Where they are not asked for, spans of middlewares cost nothing.
func TestMinimalTracesCostNothing(t *testing.T) {
	traces := new(exchanges)
	x := traces.take(new(EntryPoint), slog.New(slog.DiscardHandler))
	own := x.begin(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	s := &step{http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "m"}
	for name, trace := range map[string]*telemetry.Trace{"none": nil, "minimal": collect(t, 1).Begin("", "")} {
		x.Trace = trace
		if n := testing.AllocsPerRun(100, func() { s.ServeHTTP(nil, own) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

type observerFunc func(*telemetry.Exchange)

func (f observerFunc) Served(x *telemetry.Exchange) { f(x) }
