package proxy

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/telemetry"
	"github.com/fairlead/fairlead/internal/upstream"
	"github.com/fairlead/fairlead/internal/wire"
)

// This file gives requests their places in traces (W3C Trace Context): a span for each, and one below it for each
// attempt. Whose context is believed is the entry point's to say; strangers' traces are not joined. Over a link,
// Fairlead-Trace says that the follower stands for the context.

// Why an attempt failed, beside the reasons for the answers to requests.
const (
	reasonNoConnection = "no_connection"
	reasonAbandoned    = "abandoned"
)

// Fields of a trace's context.
const (
	parentField = "Traceparent"
	stateField  = "Tracestate"
)

// observe notes what is told of the exchange: what its route says or, where that says nothing, its entry point.
func (x *exchange) observe(o model.Observability) {
	point := &x.entryPoint.Observability
	x.Unlogged, x.Unmeasured = o.AccessLogs.IsOff(point.AccessLogs), o.Metrics.IsOff(point.Metrics)
	if x.traces != nil && !o.Tracing.IsOff(point.Tracing) {
		x.startTrace()
		x.Trace.Detailed = cmp.Or(o.Detailed, point.Detailed) == model.On
	}
}

// step is a middleware that has a span of its own, where the request's route or entry point says so.
type step struct {
	http.Handler
	middleware string
}

// ServeHTTP is part of http.Handler.
func (s *step) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	entered := x.Trace.Enter(s.middleware)
	if entered == nil {
		s.Handler.ServeHTTP(w, r)
		return
	}
	r.Header[parentField] = []string{x.Trace.Context()}
	defer func() {
		x.Trace.Leave(entered)
		r.Header[parentField] = []string{x.Trace.Context()}
	}()
	s.Handler.ServeHTTP(w, r)
}

// stepOf gives a middleware of a rule a span of its own, unless nobody can ask for it.
func (c *composer) stepOf(m *model.Middleware, handler http.Handler) http.Handler {
	asked := c.rule.Route.Observability.Detailed == model.On || len(c.rule.Route.Parents) > 0 // they say it
	for i := range c.entryPoints {
		point := c.entryPoints[i].Observability.Detailed
		asked = asked || c.rule.Route.Observability.Detailed == "" && point == model.On
	}
	if !c.traced || !asked {
		return handler
	}
	return &step{handler, m.Ref().String()}
}

// startTrace gives the exchange its place in a trace.
func (x *exchange) startTrace() {
	var parent, state string
	if x.believed {
		parent, state = x.asked(parentField), x.asked(stateField)
	}
	x.Trace = x.traces.Begin(parent, state)
	if !x.Trace.Sampled && x.isRaw() {
		return
	}
	x.Trace.Agent, x.Trace.Query = x.asked("User-Agent"), x.query()
	x.Trace.CaptureRequest(x.asked)
	if h := x.own.Header; h != nil { // middlewares that ask others pass it on
		h[parentField] = []string{x.Trace.Context()}
		delete(h, stateField)
		if x.Trace.State != "" {
			h[stateField] = []string{x.Trace.State}
		}
	}
}

// endTrace has the span of a request told that no route took.
func (x *exchange) endTrace() {
	if x.Route == "" && x.Lane == "" {
		x.observe(model.Observability{})
	}
}

// isRaw reports whether the exchange is at the raw depth.
func (x *exchange) isRaw() bool { return x.own.Header == nil }

// asked returns the values of one of the request's fields as one; "": it has none.
func (x *exchange) asked(key string) string {
	if !x.isRaw() {
		return joined(x.own.Header[key])
	}
	text := ""
	for i := range x.raw.Fields {
		switch f := &x.raw.Fields[i]; {
		case f.Key != key:
		case text == "":
			text = f.Value
		default:
			text += "," + f.Value
		}
	}
	return text
}

// answered returns the values of one of the answer's fields as one; "": it has none.
func (x *exchange) answered(key string) string { return joined(x.Header()[key]) }

func joined(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values, ",")
}

func (x *exchange) query() string {
	if x.isRaw() {
		_, query, _ := strings.Cut(x.raw.Target, "?")
		return query
	}
	return x.own.URL.RawQuery
}

// traceAttempt begins the span of an attempt; nil where there is none.
func (d *delivery) traceAttempt(host *upstream.Host) *telemetry.Attempt {
	a := d.x.Trace.Try()
	if a != nil {
		a.Service, a.Cluster, a.Endpoint, a.Mode = d.backend.name, host.Cluster(), host.Addr(), d.x.Mode
		a.Gateway = host.Gateway()
	}
	return a
}

// failureOf is why an attempt failed, in one word.
func failureOf(kind upstream.Kind) string {
	switch kind {
	case upstream.ConnectError:
		return reasonNoConnection
	case upstream.Timeout:
		return reasonTimeout
	case upstream.Broken:
		return reasonUpstreamError
	}
	return reasonAbandoned
}

// traceRequest has the request of an attempt say to which trace it belongs.
func (d *delivery) traceRequest() {
	t := d.x.Trace
	if t == nil {
		return
	}
	d.set = append(d.set, wire.Field{Key: parentField, Value: t.ContextOf(d.span)})
	if t.State != "" {
		d.set = append(d.set, wire.Field{Key: stateField, Value: t.State})
	}
	d.out.Drop = staysBehindTraced
}

// staysBehindTraced is staysBehind for requests that belong to a trace: theirs is the context that counts.
func staysBehindTraced(key string) bool {
	return key == parentField || key == stateField || staysBehind(key)
}
