package telemetry

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trace is the place of an exchange in a trace (W3C Trace Context). It belongs to the goroutine that serves the
// exchange. All methods may be called on nil, which is traced nowhere.
type Trace struct {
	ID      trace.TraceID
	Span    trace.SpanID // of the exchange
	Parent  trace.SpanID // of who asked for it; zero: the trace begins here
	State   string       // tracestate, which goes on as it came
	Sampled bool         // the trace is told to the collector, by all who have a part in it
	// Detailed has the steps told, too.
	Detailed bool

	Query    string // of the request; told as far as it is safe
	Agent    string // its User-Agent
	captured []capture
	attempts []*Attempt
	first    [1]*Attempt // what attempts lies in, mostly
	steps    []*Step
	inside   trace.SpanID // what begins now lies in: that of the exchange, or of a step
	of       *Traces
}

// capture is a field whose values are told.
type capture struct{ attribute, value string }

// Attempt is one try to have an exchange answered by a host: a span of its own. All methods may be called on nil.
type Attempt struct {
	Span trace.SpanID
	// Service, Cluster, Endpoint and Mode are those of an [Exchange].
	Service, Cluster, Endpoint, Mode string
	// Gateway says that the host is the link entry point of a cluster, which makes attempts of its own.
	Gateway bool

	parent     trace.SpanID // of the exchange, or of the step that led here
	start, end time.Time
	status     int    // of the answer; 0: none came
	reason     string // why the answer, or its lack, is not what the client got
	failure    string // what went wrong, in words
}

// Step is the part that a middleware has in an exchange, with all that it leads to: a span of its own.
type Step struct {
	middleware   string
	span, parent trace.SpanID
	start, end   time.Time
}

// Begin returns the place of an exchange in a trace: behind the one whose context came with the request (traceparent
// and tracestate, W3C Trace Context §3), or at its beginning. Whether a trace is told is decided where it begins.
func (t *Traces) Begin(context, state string) *Trace {
	x := &Trace{of: t}
	if sc := (parent{context, state}).read(); sc.IsValid() {
		x.ID, x.Parent, x.State, x.Sampled = sc.TraceID(), sc.SpanID(), sc.TraceState().String(), sc.IsSampled()
	} else {
		x.ID, x.Sampled = newTraceID(), t.rate >= 1 || rand.Float64() < t.rate //nolint:gosec // no secret
	}
	x.Span = newSpanID()
	x.inside = x.Span
	return x
}

// Context is the traceparent of what the exchange leads to now, where that is none of its attempts.
func (x *Trace) Context() string { return x.context(x.inside) }

// ContextOf is the traceparent of what an attempt leads to. What is not told has no spans: all of it is the exchange's.
func (x *Trace) ContextOf(a *Attempt) string {
	if a == nil {
		return x.Context()
	}
	return x.context(a.Span)
}

func (x *Trace) context(span trace.SpanID) string {
	b := append(make([]byte, 0, 55), "00-"...)
	b = append(hex.AppendEncode(b, x.ID[:]), '-')
	b = append(hex.AppendEncode(b, span[:]), "-00"...)
	if x.Sampled {
		b[len(b)-1] = '1'
	}
	return string(b)
}

// CaptureRequest notes the request's fields that are to be told; value returns the one of a name, "" where there is
// none.
func (x *Trace) CaptureRequest(value func(key string) string) {
	if x != nil && x.Sampled {
		x.capture(x.of.requestFields, value)
	}
}

// CaptureAnswer notes the answer's fields that are to be told.
func (x *Trace) CaptureAnswer(value func(key string) string) {
	if x != nil && x.Sampled {
		x.capture(x.of.answerFields, value)
	}
}

func (x *Trace) capture(fields []field, value func(key string) string) {
	for _, f := range fields {
		if v := value(f.name); v != "" {
			x.captured = append(x.captured, capture{f.attribute, strings.Clone(cutText(v))})
		}
	}
}

// Try begins an attempt; nil where nothing is told.
func (x *Trace) Try() *Attempt {
	if x == nil || !x.Sampled {
		return nil
	}
	a := &Attempt{Span: newSpanID(), parent: x.inside, start: time.Now()}
	if x.attempts == nil {
		x.attempts = x.first[:0]
	}
	x.attempts = append(x.attempts, a)
	return a
}

// Enter begins a step: what begins until it is left lies in it. Nil where no steps are told.
func (x *Trace) Enter(middleware string) *Step {
	if x == nil || !x.Sampled || !x.Detailed {
		return nil
	}
	s := &Step{middleware: middleware, span: newSpanID(), parent: x.inside, start: time.Now()}
	x.steps, x.inside = append(x.steps, s), s.span
	return s
}

// Leave ends the step that was entered last.
func (x *Trace) Leave(s *Step) { s.end, x.inside = time.Now(), s.parent }

// Answered notes the status of what the host answers.
func (a *Attempt) Answered(status int) {
	if a != nil {
		a.status = status
	}
}

// End ends an attempt. The reason, one word, says why the client did not get what the host answered; "": it did.
func (a *Attempt) End(reason string) {
	if a != nil && a.end.IsZero() {
		a.end, a.reason = time.Now(), reason
	}
}

// Fail ends an attempt that brought no answer, or only a part of one.
func (a *Attempt) Fail(reason string, err error) {
	if a != nil && a.end.IsZero() {
		a.failure = cutText(err.Error())
		a.End(reason)
	}
}

// field is one that is captured.
type field struct{ name, attribute string }

func fieldsOf(names []string, prefix string) (fields []field) {
	for _, name := range names {
		fields = append(fields, field{http.CanonicalHeaderKey(name), prefix + strings.ToLower(name)})
	}
	return fields
}

// parent is a context as it came with a request.
type parent struct{ context, state string }

// Get is part of propagation.TextMapCarrier.
func (p parent) Get(key string) string {
	switch key {
	case "traceparent":
		return p.context
	case "tracestate":
		return p.state
	}
	return ""
}

// Set is part of propagation.TextMapCarrier.
func (parent) Set(string, string) {}

// Keys is part of propagation.TextMapCarrier.
func (parent) Keys() []string { return nil }

// read returns the context; one that is not valid where there is none. A bad state leaves the context.
func (p parent) read() trace.SpanContext {
	if p.context == "" {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), p))
}

// newTraceID returns an identifier that nobody else has. It is no secret.
func newTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64()) //nolint:gosec // no secret
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64()) //nolint:gosec // no secret
	}
	return id
}

func newSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64()) //nolint:gosec // no secret
	}
	return id
}
