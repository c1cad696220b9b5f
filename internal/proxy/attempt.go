package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
	"github.com/fairlead/fairlead/internal/wire"
)

// delivery is one request on its way to a service: what its attempts share.
type delivery struct {
	x         *exchange
	backend   *backend
	forwarder *forwarder
	body      *replay
	tried     upstream.Attempt
	attempts  int
}

// result is what came of one attempt.
type result struct {
	host     *upstream.Host
	load     upstream.Exchange
	response *http.Response // nil: no answer
	err      error
	// untouched says that no service has seen the request: it was never written, or a gateway turned it away.
	untouched bool
	// refusal is why a gateway turned the request away; "" when it did not.
	refusal string
	cancel  context.CancelCauseFunc
}

// answered reports whether the attempt's answer is the one for the client.
func (r result) answered() bool { return r.response != nil && r.refusal == "" }

// done ends an attempt whose answer has been sent.
func (r result) done() {
	_ = r.response.Body.Close()
	r.load.Done(upstream.Outcome{Kind: upstream.Answered, Status: r.response.StatusCode})
	r.cancel(nil)
}

// discard ends an attempt whose answer, if there is one, is not wanted.
func (r result) discard() {
	if r.host == nil {
		return
	}
	if r.response != nil {
		r.done()
		return
	}
	r.cancel(nil)
}

// attempt sends the request to one more host.
func (d *delivery) attempt(w http.ResponseWriter, r *http.Request) result {
	host, reason := d.backend.pool.Pick(&d.tried)
	if host == nil {
		return result{refusal: string(reason), untouched: true}
	}
	d.attempts++
	d.x.note(d.attempts, host, reason)
	ctx, cancel := context.WithCancelCause(r.Context())
	result := result{host: host, load: host.Begin(), cancel: cancel, untouched: true}
	if limit := d.forwarder.timeouts.Header; limit > 0 {
		timer := time.AfterFunc(limit, func() { cancel(errHeaderTimeout) })
		defer timer.Stop()
	}
	transport, out, err := d.outgoing(d.trace(ctx, w, &result.untouched), r, host)
	if err == nil {
		result.response, err = transport.RoundTrip(out) //nolint:bodyclose // the result closes it: done, discard, fail
	}
	if err == nil {
		err = readSmall(result.response, out.Method)
	}
	if err != nil {
		result.fail(ctx, r, cmp.Or(d.body.broken(), err))
		return result
	}
	result.load.Answered(result.response.StatusCode)
	result.judge()
	return result
}

// judge looks at who answered: a gateway that could not lead the request to its service says so.
func (r *result) judge() {
	if !r.host.Gateway() {
		delete(r.response.Header, reasonField)
		return
	}
	switch reason := r.response.Header.Get(reasonField); reason {
	case reasonNotExported, reasonNoHealthyHost, reasonUnknownService, reasonBadMiddleware:
		r.refusal, r.untouched = reason, true
	case reasonRefused, reasonForbidden: // our key, not the client's
		r.refusal, r.untouched = reason, true
		r.err = fmt.Errorf("the cluster answers %s: the key for it is wrong, or may not send requests", r.response.Status)
	}
}

// fail records that the attempt ended without an answer.
func (r *result) fail(ctx context.Context, in *http.Request, err error) {
	if r.response != nil {
		_ = r.response.Body.Close()
		r.response = nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	r.err = err
	r.load.Done(upstream.Outcome{Kind: r.outcome(in), Err: err})
}

func (r *result) outcome(in *http.Request) upstream.Kind {
	switch {
	case errors.Is(r.err, errHeaderTimeout), errors.Is(r.err, errTotalTimeout):
		return upstream.Timeout
	case in.Context().Err() != nil, errors.As(r.err, new(*wire.BodyError)), errors.Is(r.err, errBodyRead),
		isShortage(r.err):
		return upstream.Abandoned
	case r.untouched:
		return upstream.ConnectError
	default:
		return upstream.Broken
	}
}

// isShortage reports whether an attempt failed for want of something of our own, which says nothing about the host.
func isShortage(err error) bool {
	for _, short := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, short) {
			return true
		}
	}
	return false
}

// broken records that an answer ended in the middle.
func (r *result) broken(err error, in *http.Request) {
	kind := upstream.Broken
	if in.Context().Err() != nil || errors.Is(err, errEnded) {
		kind = upstream.Abandoned
	}
	r.load.Done(upstream.Outcome{Kind: kind, Err: err})
}

// mayRetry reports whether the request may be sent once more: nothing of an answer has reached the client (the caller
// sees to that), and either no service has seen the request or seeing it twice does no harm. The second kind makes
// services work twice, so it has a budget; a request that nobody has seen costs them nothing.
func (d *delivery) mayRetry(r *http.Request, last result) bool {
	allowed := cmp.Or(d.forwarder.retry.Attempts, defaultAttempts)
	return last.host != nil && d.attempts < allowed && r.Context().Err() == nil &&
		(last.untouched || idempotent(r.Method)) && d.body.again() && (last.untouched || d.backend.pool.Retry())
}

// giveUp answers in the service's place.
func (d *delivery) giveUp(last result) {
	defer last.discard()
	switch {
	case errors.Is(last.err, errHeaderTimeout), errors.Is(last.err, errTotalTimeout):
		d.x.refuse(http.StatusGatewayTimeout, reasonTimeout)
	case errors.Is(last.err, errBodyRead):
		d.x.refuseBody(last.err)
	case d.x.request.Context().Err() != nil:
		d.x.refuse(statusClientGone, reasonClientGone)
	case last.refusal == reasonNotExported, last.refusal == reasonBadMiddleware:
		d.x.refuse(http.StatusServiceUnavailable, last.refusal)
	case last.refusal != "":
		if last.err != nil {
			d.x.failed(last.err)
		}
		d.x.refuse(http.StatusServiceUnavailable, reasonNoHealthyHost)
	default:
		d.x.failed(last.err)
		d.x.refuse(http.StatusBadGateway, reasonUpstreamError)
	}
}

// outgoing makes the request that a host gets.
func (d *delivery) outgoing(ctx context.Context, r *http.Request, host *upstream.Host,
) (http.RoundTripper, *http.Request, error) {
	out := r.WithContext(ctx)
	out.Body, out.RequestURI, out.Close = d.body.next(), "", false
	out.Header = maps.Clone(r.Header)
	d.x.signRequest(out.Header, r)
	if d.x.trailers {
		out.Header["Te"] = []string{"trailers"} // the one value that passes (RFC 9110 §10.1.4)
	}
	if d.x.upgrade != "" && d.backend.service.Protocol != model.H2C {
		d.x.askUpgrade(out.Header)
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // not the engine's own
	}
	out.URL = &url.URL{
		Scheme: "http", Host: host.Addr(), Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery,
		ForceQuery: r.URL.ForceQuery,
	}
	if d.backend.service.RewriteHost {
		out.Host = host.Addr()
	}
	if host.Gateway() {
		transport, err := d.forwarder.dialer.gateway(host.Cluster(), out, d.x, d.backend.name)
		return transport, out, err
	}
	if d.backend.service.Protocol == model.HTTPS {
		out.URL.Scheme = "https"
	}
	return d.forwarder.dialer.transport(d.backend.service.Protocol), out, nil
}

// trace notes when a connection is there to write to, and passes informational answers on (RFC 9110 §15.2).
func (d *delivery) trace(ctx context.Context, w http.ResponseWriter, untouched *bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { *untouched = false },
		Got1xxResponse: func(code int, fields textproto.MIMEHeader) error {
			h := w.Header()
			before := maps.Clone(h)
			removeHopByHop(http.Header(fields))
			maps.Copy(h, http.Header(fields))
			w.WriteHeader(code)
			clear(h)
			maps.Copy(h, before)
			return nil
		},
	})
}
