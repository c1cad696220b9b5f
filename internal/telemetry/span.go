package telemetry

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// The spans of an exchange, as OpenTelemetry's conventions for HTTP have them; what they do not know begins with
// "fairlead.".

// spans returns what is told of a traced exchange: the span of the exchange itself, and one for each step and each
// attempt. They keep nothing of x.
func (x *Exchange) spans() []*tracepb.Span {
	t := x.Trace
	list := make([]*tracepb.Span, 0, 1+len(t.steps)+len(t.attempts))
	list = append(list, x.serverSpan())
	for _, s := range t.steps {
		list = append(list, x.stepSpan(s))
	}
	for i, a := range t.attempts {
		list = append(list, x.clientSpan(a, i+1))
	}
	return list
}

func (x *Exchange) serverSpan() *tracepb.Span {
	t, end := x.Trace, x.Start.Add(x.Duration)
	s := &tracepb.Span{
		TraceId: t.ID[:], SpanId: t.Span[:], TraceState: t.State, Kind: tracepb.Span_SPAN_KIND_SERVER,
		Name: spanName(x.Method, x.Route), StartTimeUnixNano: nanoseconds(x.Start), EndTimeUnixNano: nanoseconds(end),
	}
	if t.Parent.IsValid() {
		s.ParentSpanId = t.Parent[:]
	}
	a := newAttributes(24 + len(t.captured))
	a.method(x.Method)
	host, port := hostPort(x.Host)
	a.text("server.address", host)
	a.number("server.port", int64(port))
	a.text("url.scheme", x.Scheme)
	a.text("url.path", withoutQuery(x.Path))
	a.text("url.query", t.of.safeQuery(t.Query))
	client, _ := hostPort(x.ClientAddr)
	a.text("client.address", client)
	a.text("network.protocol.version", strings.TrimSuffix(strings.TrimPrefix(x.Proto, "HTTP/"), ".0"))
	a.text("user_agent.original", t.Agent)
	a.number("http.response.status_code", int64(x.Status))
	a.number("http.request.body.size", x.BytesIn)
	a.number("http.response.body.size", x.BytesOut)
	a.text("fairlead.entry_point", x.EntryPoint)
	a.text("fairlead.route", x.Route)
	a.text("fairlead.service", x.Service)
	a.text("fairlead.cluster", x.Cluster)
	a.text("fairlead.endpoint", x.Endpoint)
	a.text("fairlead.mode", x.Mode)
	a.text("fairlead.reason", x.Reason)
	a.number("fairlead.attempts", int64(x.Attempts))
	for _, c := range t.captured {
		a.texts(c.attribute, c.value)
	}
	if x.Status >= http.StatusInternalServerError {
		s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
		a.text("error.type", errorType(x.Status, x.Reason))
	}
	s.Attributes = a.list
	return s
}

func (x *Exchange) stepSpan(s *Step) *tracepb.Span {
	at := newAttributes(2)
	at.text("fairlead.middleware", s.middleware)
	at.text("fairlead.route", x.Route)
	return &tracepb.Span{
		TraceId: x.Trace.ID[:], SpanId: s.span[:], ParentSpanId: s.parent[:], TraceState: x.Trace.State,
		Kind: tracepb.Span_SPAN_KIND_INTERNAL, Name: clean(s.middleware), Attributes: at.list,
		StartTimeUnixNano: nanoseconds(s.start), EndTimeUnixNano: nanoseconds(s.end),
	}
}

func (x *Exchange) clientSpan(a *Attempt, number int) *tracepb.Span {
	t, end := x.Trace, a.end
	if end.IsZero() { // cut short
		end = x.Start.Add(x.Duration)
	}
	s := &tracepb.Span{
		TraceId: t.ID[:], SpanId: a.Span[:], ParentSpanId: a.parent[:], TraceState: t.State,
		Kind: tracepb.Span_SPAN_KIND_CLIENT, Name: spanName(x.Method, a.Service),
		StartTimeUnixNano: nanoseconds(a.start), EndTimeUnixNano: nanoseconds(end),
	}
	at := newAttributes(14)
	at.method(x.Method)
	host, port := hostPort(a.Endpoint)
	at.text("server.address", host)
	at.number("server.port", int64(port))
	at.number("http.response.status_code", int64(a.status))
	at.number("http.request.resend_count", int64(number-1))
	at.number("fairlead.attempt", int64(number))
	at.text("fairlead.route", x.Route)
	at.text("fairlead.service", a.Service)
	at.text("fairlead.cluster", a.Cluster)
	at.text("fairlead.endpoint", a.Endpoint)
	at.text("fairlead.mode", a.Mode)
	at.text("fairlead.reason", a.reason)
	if a.Gateway {
		at.yes("fairlead.gateway")
	}
	if a.reason != "" || a.status >= http.StatusBadRequest {
		s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: clean(a.failure)}
		at.text("error.type", errorType(a.status, a.reason))
	}
	s.Attributes = at.list
	return s
}

// spanName is short, and one of few: no path stands in it.
func spanName(method, of string) string {
	name := cmp.Or(knownMethod(method), "HTTP")
	if of == "" {
		return name
	}
	return name + " " + of
}

// errorType is one word: why Fairlead answered, or the status.
func errorType(status int, reason string) string {
	if reason != "" {
		return reason
	}
	return strconv.Itoa(status)
}

func nanoseconds(t time.Time) uint64 { return uint64(t.UnixNano()) } //nolint:gosec // after 1970

// hostPort cuts an address apart. port is 0 where it says none.
func hostPort(address string) (host string, port uint16) {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		return ap.Addr().Unmap().String(), ap.Port()
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return strings.Trim(address, "[]"), 0
	}
	n, _ := strconv.ParseUint(text, 10, 16)
	return host, uint16(n)
}

// knownMethod returns a method that HTTP knows; "" for others.
func knownMethod(method string) string {
	for _, known := range [...]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace,
	} {
		if method == known {
			return known
		}
	}
	return ""
}

// redacted stands in the place of what may be secret.
const redacted = "REDACTED"

// safeQuery returns a query without the values that are not said to be safe.
func (t *Traces) safeQuery(query string) string {
	if query == "" {
		return ""
	}
	var b strings.Builder
	for pair := range strings.SplitSeq(cutText(query), "&") {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		key, value, has := strings.Cut(pair, "=")
		b.WriteString(key)
		switch {
		case !has:
		case t.safe[key]:
			b.WriteString("=" + value)
		default:
			b.WriteString("=" + redacted)
		}
	}
	return b.String()
}

// attributes are those of a span. What is empty is not told.
type attributes struct {
	list  []*common.KeyValue
	slots []slot // that are free: one array for all
}

// slot has room for an attribute.
type slot struct {
	pair   common.KeyValue
	value  common.AnyValue
	text   common.AnyValue_StringValue
	number common.AnyValue_IntValue
}

func newAttributes(most int) attributes {
	return attributes{list: make([]*common.KeyValue, 0, most), slots: make([]slot, most)}
}

func (a *attributes) add(key string) *slot {
	s := &a.slots[0]
	a.slots = a.slots[1:]
	s.pair.Key, s.pair.Value = key, &s.value
	a.list = append(a.list, &s.pair)
	return s
}

func (a *attributes) method(method string) {
	if known := knownMethod(method); known != "" {
		a.text("http.request.method", known)
		return
	}
	a.text("http.request.method", "_OTHER")
	a.text("http.request.method_original", method)
}

func (a *attributes) text(key, value string) {
	if value != "" {
		s := a.add(key)
		s.text.StringValue = clean(value)
		s.value.Value = &s.text
	}
}

// texts tells a list of one.
func (a *attributes) texts(key, value string) {
	values := &common.ArrayValue{Values: []*common.AnyValue{textValue(value)}}
	a.add(key).value.Value = &common.AnyValue_ArrayValue{ArrayValue: values}
}

func (a *attributes) number(key string, value int64) {
	if value != 0 {
		s := a.add(key)
		s.number.IntValue = value
		s.value.Value = &s.number
	}
}

func (a *attributes) yes(key string) {
	a.add(key).value.Value = &common.AnyValue_BoolValue{BoolValue: true}
}

func textValue(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: clean(s)}}
}

// clean returns a copy of a text that a message can carry: not too long, and UTF-8.
func clean(s string) string { return strings.Clone(strings.ToValidUTF8(cutText(s), "\ufffd")) }

// cutText bounds what a stranger can have told.
func cutText(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}
