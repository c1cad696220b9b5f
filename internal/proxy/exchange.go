package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/http/httpguts"

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
	reasonLoop           = "loop"
	reasonTooEarly       = "too_early"
)

// statusClientGone is what the log says of requests whose client left before the answer (nginx's number; it is never
// sent).
const statusClientGone = 499

// exchange is one request and its answer. It stands in for the client's http.ResponseWriter, so that it sees what is
// sent.
type exchange struct {
	telemetry.Exchange
	writer     http.ResponseWriter
	request    *http.Request
	entryPoint *EntryPoint
	log        *slog.Logger

	hop      netip.Addr      // who is connected to us
	client   netip.Addr      // who sent the request, as far as those in front are trusted
	upgrade  string          // the protocol that the client wants to change to; "" where none
	connect  *connect        // the client wants it for one stream only; nil otherwise
	trailers bool            // the client takes trailers
	wrote    bool            // the answer's head is sent
	ended    <-chan struct{} // closed when the key that carries the request is revoked; nil where there is none
}

// exchangeKey is where a request's context holds its exchange: the one value that the proxy adds.
type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// newExchange begins an exchange. The request that it returns is the one to go on with.
func newExchange(
	w http.ResponseWriter, r *http.Request, entryPoint *EntryPoint, log *slog.Logger,
) (*exchange, *http.Request) {
	x := &exchange{writer: w, entryPoint: entryPoint, log: log}
	x.Exchange = telemetry.Exchange{
		Start: time.Now(), EntryPoint: entryPoint.Name, Method: r.Method, Proto: r.Proto, Scheme: scheme(r), Host: r.Host,
		Path: r.URL.Path, ClientAddr: r.RemoteAddr, BytesIn: max(r.ContentLength, 0),
	}
	x.hop = parseAddr(r.RemoteAddr)
	x.upgrade = wantedUpgrade(r)
	if _, ok := r.Header[protocolField]; ok {
		x.adoptConnect(r)
	}
	x.trailers = httpguts.HeaderValuesContainsToken(r.Header["Te"], "trailers")
	x.request = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	return x, x.request
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
	h := x.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	x.WriteHeader(status)
	_, _ = fmt.Fprintf(x, "%d %s (%s)\n", status, http.StatusText(status), reason)
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
	if x.request.Context().Err() != nil {
		x.Reason = reasonClientGone
	}
	x.log.Info("an answer was cut", "reason", x.Reason, "route", x.Route, "service", x.Service, "cluster", x.Cluster,
		"endpoint", x.Endpoint, "error", err)
}

// finish completes the record of the exchange.
func (x *exchange) finish() {
	x.Duration = time.Since(x.Start)
	if x.Status == 0 {
		x.Status = http.StatusOK // what the engine sends when a handler wrote nothing
	}
}
