package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/telemetry"
	"github.com/fairlead/fairlead/internal/upstream"
	"github.com/fairlead/fairlead/internal/wire"
)

// Why Fairlead itself answers a request. The word goes into the answer (Fairlead-Reason), the log and the metrics.
const (
	reasonNoRoute        = "no_route"
	reasonUnknownService = "unknown_service"
	reasonBadMiddleware  = "bad_middleware"
	reasonNoHealthyHost  = "no_healthy_host"
	reasonUpstreamError  = "upstream_error"
	reasonTimeout        = "timeout"
	reasonClientGone     = "client_gone"
	reasonBadRequest     = "bad_request"
	reasonTooManyFields  = "too_many_fields"
	reasonNotReady       = "not_ready"
	reasonNotExported    = "not_exported"
	reasonRefused        = "refused"
	reasonForbidden      = "forbidden"
	reasonNoCertificate  = "no_certificate"
	reasonIdle           = "idle"
	reasonLoop           = "loop"
	reasonBusy           = "busy"
	reasonTooEarly       = "too_early"
	reasonMisdirected    = "misdirected"
	reasonBadTLSOptions  = "bad_tls_options"
)

// statusClientGone is what the log says of requests whose client left before the answer (nginx's number; it is never
// sent).
const statusClientGone = 499

// exchange is one request and its answer. It stands in for the client's http.ResponseWriter, so that it sees what is
// sent. It is used again for others.
type exchange struct {
	telemetry.Exchange
	writer     http.ResponseWriter
	entryPoint *EntryPoint
	via        [2]string // how the entry point signs messages of HTTP/1.1 and of HTTP/2
	log        *slog.Logger

	// raw is the request as it came, where package wire read it. At the raw depth there is no request besides it.
	raw     *wire.Exchange
	ctx     context.Context // of the client: done when it is gone
	own     http.Request    // what the rule's handlers see
	blank   *http.Request   // one with the context that knows the exchange, and nothing else
	inside  exchangeContext
	passOn  func(status int, fields http.Header) error // informational, made once
	sending delivery
	kept    bool // somebody else's engine may still hold a part of it

	hop      netip.Addr     // who is connected to us
	hopText  string         // the same
	client   netip.Addr     // who sent the request, as far as those in front are trusted
	believed bool           // who is connected to us may say to which trace the request belongs
	upgrade  string         // the protocol that the client wants to change to; "" where none
	connect  *connect       // the client wants it for one stream only; nil otherwise
	trailers bool           // the client takes trailers
	wrote    bool           // the answer's head is sent
	claims   map[string]any // what middlewares have proved of the client; nil: nothing
	pace     *pace          // of the body; nil: it has none, or a small one
	// Where the rule has children: see descent.
	generation *generation  // that the request is served from
	depth      int          // how many parents it has come by
	retry      *model.Retry // of one of them; nil: none says anything

	traces *telemetry.Traces // nil: nothing is traced

	ended <-chan struct{} // closed when the key that carries the request is revoked; nil where there is none
}

// exchangeKey is where a request's context holds its exchange: the one value that the proxy adds.
type exchangeKey struct{}

// exchangeContext is the client's context, and knows the exchange.
type exchangeContext struct {
	context.Context
	x *exchange
	// asked: somebody asked for its end, as all do who derive contexts from it. A timer of theirs that has just fired
	// still looks at it when the exchange is over.
	asked atomic.Bool
}

// Done is part of context.Context.
func (c *exchangeContext) Done() <-chan struct{} {
	if !c.asked.Load() {
		c.asked.Store(true)
	}
	return c.Context.Done()
}

// Value is part of context.Context.
func (c *exchangeContext) Value(key any) any {
	if key == (exchangeKey{}) {
		return c.x
	}
	return c.Context.Value(key)
}

func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// exchanges makes them, and takes them back.
type exchanges struct {
	pool   sync.Pool
	traces *telemetry.Traces
	poison bool // for tests: none is used again
}

func (e *exchanges) take(entryPoint *EntryPoint, log *slog.Logger) *exchange {
	x, ok := e.pool.Get().(*exchange)
	if !ok {
		x = new(exchange)
		x.inside.x = x
		x.blank = new(http.Request).WithContext(&x.inside)
		x.passOn = x.informational
	}
	x.traces = e.traces
	if x.log = log; x.entryPoint != entryPoint {
		x.entryPoint, x.via = entryPoint, [...]string{entryPoint.Via.entry(1, 1), entryPoint.Via.entry(2, 0)}
	}
	return x
}

func (e *exchanges) give(x *exchange) {
	asked := x.inside.asked.Load()
	if e.poison {
		if x.own = (http.Request{Method: "POISON"}); !asked {
			x.inside.Context = nil
		}
		return
	}
	if x.kept || asked {
		return
	}
	set := x.sending.set
	clear(set)
	*x = exchange{
		entryPoint: x.entryPoint, via: x.via, blank: x.blank, inside: exchangeContext{x: x}, passOn: x.passOn,
		sending: delivery{set: set[:0]},
	}
	e.pool.Put(x)
}

// begin begins an exchange whose request net/http's types tell. The request that it returns is the one to go on with.
func (x *exchange) begin(w http.ResponseWriter, r *http.Request) *http.Request {
	x.writer, x.raw = w, wire.ExchangeOf(w)
	x.ctx = r.Context()
	x.Exchange = telemetry.Exchange{
		Start: time.Now(), EntryPoint: x.entryPoint.Name, Method: r.Method, Proto: r.Proto, Scheme: scheme(r.TLS),
		Host: r.Host, Path: r.URL.Path, ClientAddr: r.RemoteAddr, BytesIn: max(r.ContentLength, 0),
	}
	x.hop = parseAddr(r.RemoteAddr)
	x.hopText = addrText(r.RemoteAddr, x.hop)
	x.upgrade = wantedUpgrade(r)
	if _, ok := r.Header[protocolField]; ok {
		x.adoptConnect(r)
	}
	x.trailers = httpguts.HeaderValuesContainsToken(r.Header["Te"], "trailers")
	x.inside.Context = x.ctx
	x.own = *x.blank
	o := &x.own
	o.Method, o.URL, o.Proto, o.ProtoMajor, o.ProtoMinor = r.Method, r.URL, r.Proto, r.ProtoMajor, r.ProtoMinor
	o.Header, o.Body, o.ContentLength, o.TransferEncoding = r.Header, r.Body, r.ContentLength, r.TransferEncoding
	o.Close, o.Host, o.Trailer, o.RemoteAddr, o.RequestURI = r.Close, r.Host, r.Trailer, r.RemoteAddr, r.RequestURI
	o.TLS, o.Pattern = r.TLS, r.Pattern
	return o
}

// beginRaw begins an exchange at the raw depth.
func (x *exchange) beginRaw(raw *wire.Exchange, path string) {
	x.writer, x.raw, x.ctx = raw.Answerer, raw, raw.Context
	x.Exchange = telemetry.Exchange{
		Start: raw.Began, EntryPoint: x.entryPoint.Name, Method: raw.Method, Proto: raw.Proto,
		Scheme: scheme(raw.TLS), Host: raw.Host, Path: path, ClientAddr: raw.RemoteAddr, BytesIn: max(raw.Length, 0),
	}
	x.hop = raw.Client.Addr().Unmap()
	x.hopText = addrText(raw.RemoteAddr, x.hop)
}

// begun notes which rule the request is served by.
func (x *exchange) begun(a *action) {
	x.Route = a.route
	x.observe(a.observed)
}

// Header is part of http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.writer.Header() }

// WriteHeader is part of http.ResponseWriter. Informational answers leave the final one open.
func (x *exchange) WriteHeader(status int) {
	if x.connect != nil && status/100 == 2 { // the client would take it for leave to speak its protocol
		status = http.StatusBadGateway
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		x.wrote, x.Status = true, status
		x.pace.begin()
		x.Trace.CaptureAnswer(x.answered)
		if x.Reason != "" {
			x.Header().Set(reasonField, x.Reason)
		}
	}
	x.writer.WriteHeader(status)
}

// Write is part of http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	if !x.wrote {
		x.WriteHeader(http.StatusOK)
	}
	n, err := x.writer.Write(b)
	x.BytesOut += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the engine.
func (x *exchange) Unwrap() http.ResponseWriter { return x.writer }

// SetReason records why a middleware answers in the service's place.
func (x *exchange) SetReason(reason string) { x.Reason = reason }

// SetClaims keeps what a middleware has proved of the client.
func (x *exchange) SetClaims(of map[string]any) { x.claims = of }

// Claims returns it, for the middlewares behind.
func (x *exchange) Claims() map[string]any { return x.claims }

// NoteRule records a rule of a firewall that the request matches.
func (x *exchange) NoteRule(id int) { x.Rules = append(x.Rules, id) }

// note records which host an attempt goes to.
func (x *exchange) note(attempts int, host *upstream.Host, reason upstream.Reason) {
	x.Attempts, x.Cluster, x.Endpoint, x.Mode = attempts, host.Cluster(), host.Addr(), string(reason)
}

// refuse answers in a service's place, and says why.
func (x *exchange) refuse(status int, reason string) {
	x.Reason = reason
	if x.wrote {
		return
	}
	if status == statusClientGone {
		x.wrote, x.Status = true, status
		panic(http.ErrAbortHandler) // an answer would say that all is well
	}
	var w http.ResponseWriter = x
	if x.sending.w != nil { // so that the rule's middlewares see it
		w = x.sending.w
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "%d %s (%s)\n", status, http.StatusText(status), reason)
}

// refuseBody answers where the request's body could not be read: it is no HTTP, or the client left in the middle.
func (x *exchange) refuseBody(err error) {
	if malformed, ok := errors.AsType[*wire.ProtocolError](err); ok {
		x.refuse(malformed.Status, reasonBadRequest)
		return
	}
	x.refuse(http.StatusBadRequest, reasonClientGone)
}

// failed logs why no service answered.
func (x *exchange) failed(err error) {
	x.log.Warn("no answer from the service", "route", x.Route, "service", x.Service, "cluster", x.Cluster,
		"endpoint", x.Endpoint, "attempts", x.Attempts, "error", err)
}

// cut logs why an answer ended in the middle. Clients leave all the time, so it is not a warning.
func (x *exchange) cut(err error) {
	x.Reason = reasonUpstreamError
	if x.ctx.Err() != nil {
		x.Reason = reasonClientGone
	}
	x.log.Info("an answer was cut", "reason", x.Reason, "route", x.Route, "service", x.Service, "cluster", x.Cluster,
		"endpoint", x.Endpoint, "error", err)
}

// finish completes the record of the exchange.
func (x *exchange) finish() {
	x.Duration = time.Since(x.Start)
	if x.Status == 0 && x.Lane == "" {
		x.Status = http.StatusOK // what the engine sends when a handler wrote nothing
	}
}
