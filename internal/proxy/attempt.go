package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/telemetry"
	"github.com/fairlead/fairlead/internal/upstream"
	"github.com/fairlead/fairlead/internal/wire"
)

// delivery is one request on its way to a service: what its attempts share. It is a part of the exchange.
type delivery struct {
	x         *exchange
	forwarder *forwarder
	w         http.ResponseWriter // as the rule's middlewares left it
	r         *http.Request       // likewise; nil at the raw depth
	ctx       context.Context
	backend   *backend
	body      *replay // nil: none
	tried     upstream.Attempt
	attempts  int
	before    int // attempts, at other backends
	trail     trail
	span      *telemetry.Attempt // of the attempt under way

	out wire.Outgoing
	set []wire.Field // what out sets lies in
}

// result is what came of one attempt.
type result struct {
	host   *upstream.Host
	load   upstream.Exchange
	answer *wire.Answer // nil: none
	err    error
	// untouched says that no service has seen the request: it was never written, or a gateway turned it away.
	untouched bool
	// refusal is why a gateway turned the request away; "" when it did not.
	refusal string
	sent    bool // what the request went through has answered the client
	dropped int  // the status of its answer, if that was not for the client
	span    *telemetry.Attempt
}

// inVain reports whether a cluster answers that its servers do not: it has tried them itself, so there is no use in
// asking it again.
func (r result) inVain() bool {
	return r.answered() && r.host.Gateway() && r.answer.Field(reasonField) == reasonUpstreamError
}

// status returns that of the service's answer; 0: there is none.
func (r result) status() int {
	if r.answered() {
		return r.answer.Status
	}
	return r.dropped
}

// answered reports whether the attempt's answer is the one for the client.
func (r result) answered() bool { return r.answer != nil && r.refusal == "" }

// done ends an attempt whose answer has been sent.
func (r result) done() {
	status := r.answer.Status
	r.span.End(r.refusal)
	_ = r.answer.Close()
	r.load.Done(upstream.Outcome{Kind: upstream.Answered, Status: status})
}

// discard ends an attempt whose answer, if there is one, is not wanted.
func (r result) discard() {
	if r.answer != nil {
		r.done()
	}
}

// attempt sends the request to one more host.
func (d *delivery) attempt() result {
	if d.backend.handler != nil {
		return d.delegate()
	}
	host, reason := d.backend.pool.Pick(&d.tried)
	if host == nil {
		return result{refusal: string(reason), untouched: true}
	}
	d.attempts++
	d.x.note(d.attempts, host, reason)
	result := result{host: host, load: host.Begin(), span: d.traceAttempt(host)}
	d.span = result.span
	transport, err := d.outgoing(host)
	if err == nil {
		result.answer, err = transport.Send(&d.out)
	}
	if err == nil {
		err = result.answer.Settle(wholeAnswer)
	}
	result.untouched = !d.out.Touched
	if err != nil {
		result.fail(d.ctx, cmp.Or(d.body.broken(), err))
		return result
	}
	result.load.Answered(result.answer.Status)
	result.span.Answered(result.answer.Status)
	result.judge()
	return result
}

// judge looks at who answered: a gateway that could not lead the request to its service says so.
func (r *result) judge() {
	if !r.host.Gateway() {
		return
	}
	switch reason := r.answer.Field(reasonField); reason {
	case reasonNotExported, reasonNoHealthyHost, reasonUnknownService, reasonBadMiddleware:
		r.refusal, r.untouched = reason, true
	case reasonRefused, reasonForbidden: // our key, not the client's
		r.refusal, r.untouched = reason, true
		r.err = fmt.Errorf("the cluster answers %d (%s): the key for it is wrong, or may not send requests",
			r.answer.Status, reason)
	}
}

// fail records that the attempt ended without an answer.
func (r *result) fail(ctx context.Context, err error) {
	if r.answer != nil {
		_ = r.answer.Close()
		r.answer = nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	r.err = err
	kind := r.outcome(ctx)
	r.span.Fail(failureOf(kind), err)
	r.load.Done(upstream.Outcome{Kind: kind, Err: err})
}

func (r *result) outcome(ctx context.Context) upstream.Kind {
	switch {
	case errors.Is(r.err, wire.ErrHeadTimeout), errors.Is(r.err, errTotalTimeout):
		return upstream.Timeout
	case ctx.Err() != nil, errors.As(r.err, new(*wire.BodyError)), errors.Is(r.err, errBodyRead), isShortage(r.err):
		return upstream.Abandoned
	case r.untouched:
		return upstream.ConnectError
	default:
		return upstream.Broken
	}
}

// isShortage reports whether an attempt failed for want of something of our own, which says nothing about the host.
func isShortage(err error) bool {
	if errors.Is(err, wire.ErrBusy) { // it is as busy as its owner allows
		return true
	}
	for _, short := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, short) {
			return true
		}
	}
	return false
}

// broken records that an answer ended in the middle.
func (r *result) broken(ctx context.Context, err error) {
	kind := upstream.Broken
	if ctx.Err() != nil || errors.Is(err, errEnded) {
		kind = upstream.Abandoned
	}
	r.span.Fail(failureOf(kind), err)
	r.load.Done(upstream.Outcome{Kind: kind, Err: err})
}

// begin turns to a backend.
func (d *delivery) begin(to *backend) {
	d.backend, d.before, d.x.Service = to, d.attempts, to.name
	d.tried = upstream.Attempt{Client: d.x.client, Pin: to.pin(d), Elsewhere: to.mayLeave()}
}

// next returns the backend that gets the request after an attempt, the same or another; nil: none does. Nothing of an
// answer has reached the client.
func (d *delivery) next(last result) *backend {
	b, retry := d.backend, &d.forwarder.retry
	if to := b.exitOn(last.status()); to != nil && d.ctx.Err() == nil && d.body.again() {
		if to = d.trail.follow(to, d); to != nil {
			return to
		}
	}
	stay := last.host != nil && d.attempts-d.before < cmp.Or(retry.Attempts, defaultAttempts) &&
		(last.answer != nil || !retry.AnswersOnly)
	if last.inVain() {
		if to := d.beyond(last, stay); to != nil || d.forwarder.wants(last) {
			return to
		}
	}
	switch {
	case d.forwarder.wants(last), !stay && (len(b.exits) == 0 || last.answered()), !d.mayRepeat(last):
		return nil
	case stay:
		return b
	}
	return d.trail.leave(b, d)
}

// beyond returns the backend that gets a request for which a cluster has no server that answers: the same, while it has
// other clusters, or a service to which it fails over; nil: the cluster's answer is the client's.
func (d *delivery) beyond(last result, stay bool) *backend {
	b := d.backend
	elsewhere := stay && b.pool.Beyond(&d.tried)
	switch {
	case !elsewhere && len(b.exits) == 0, !d.mayRepeat(last):
		return nil
	case elsewhere:
		return b
	}
	return d.trail.leave(b, d)
}

// mayRepeat reports whether the request may be sent once more: either no service has seen it, or seeing it twice does
// no harm. The second kind makes services work twice, so it has a budget; a request that nobody has seen costs them
// nothing.
func (d *delivery) mayRepeat(last result) bool {
	retry := &d.forwarder.retry
	switch {
	case d.ctx.Err() != nil, retry.Timeout > 0 && time.Since(d.x.Start) >= retry.Timeout,
		!last.untouched && !retry.AnyMethod && !idempotent(d.method()):
		return false
	}
	return d.body.again() && (last.untouched || d.backend.pool == nil || d.backend.pool.Retry())
}

// giveUp answers in the service's place.
func (d *delivery) giveUp(last result) {
	defer last.discard()
	switch {
	case errors.Is(last.err, wire.ErrHeadTimeout), errors.Is(last.err, errTotalTimeout):
		d.x.refuse(http.StatusGatewayTimeout, reasonTimeout)
	case errors.Is(last.err, wire.ErrBusy):
		d.x.refuse(http.StatusServiceUnavailable, reasonBusy)
	case errors.Is(last.err, errBodyRead):
		d.x.refuseBody(last.err)
	case d.x.ctx.Err() != nil:
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

// method returns the request's, as the rule's middlewares left it.
func (d *delivery) method() string {
	if d.r == nil {
		return d.x.Method
	}
	return d.r.Method
}

// major returns the client's version of HTTP.
func (d *delivery) major() int {
	if d.r == nil {
		return d.x.raw.Major
	}
	return d.r.ProtoMajor
}

// outgoing makes the request that a host gets, and returns what sends it.
func (d *delivery) outgoing(host *upstream.Host) (transport, error) {
	d.out = wire.Outgoing{
		Request: d.r, Exchange: d.x.raw, Drop: staysBehind, Context: d.ctx, Address: host.Addr(), Host: d.x.Host,
		HeadTimeout: cmp.Or(d.forwarder.timeouts.Header, d.backend.headerTimeout()), Interim: d.x.passOn,
	}
	d.body.next(&d.out)
	if d.r != nil {
		d.out.Host = d.r.Host
	}
	if d.backend.service.RewriteHost {
		d.out.Host = host.Addr()
	}
	d.sign()
	d.traceRequest()
	if host.Gateway() {
		return d.forwarder.dialer.gateway(host.Cluster(), d)
	}
	if prefix := d.backend.paths[host.Addr()]; prefix != "" {
		d.out.Request = below(prefix, d.r)
	}
	d.out.Set, d.out.Secure = d.set, d.backend.service.Protocol == model.HTTPS
	if _, own := d.backend.transport.(*wire.Transport); !own {
		d.x.kept = true
	}
	return d.backend.transport, nil
}

// sign sets the fields that are ours.
func (d *delivery) sign() {
	x := d.x
	d.set = d.set[:0]
	if d.r == nil {
		d.set = x.signRequest(x.rawFields(d.set), nil, x.raw.Major, x.raw.Minor)
		return
	}
	d.set = x.signRequest(d.set, d.r.Header, d.r.ProtoMajor, d.r.ProtoMinor)
	if x.trailers || d.r.Header["Te"] != nil { // it was removed, so a middleware wants them
		d.set = append(d.set, wire.Field{Key: "Te", Value: "trailers"}) // the one value that passes (RFC 9110 §10.1.4)
	}
	if x.upgrade != "" && !d.forwarder.aside && d.backend.service.Protocol != model.H2C {
		d.set = x.askUpgrade(d.set)
	}
}

// informational passes an informational answer on (RFC 9110 §15.2).
func (x *exchange) informational(status int, fields http.Header) error {
	w := x.sending.w
	h := w.Header()
	before := maps.Clone(h)
	removeHopByHop(fields)
	maps.Copy(h, fields)
	w.WriteHeader(status)
	clear(h)
	maps.Copy(h, before)
	return nil
}
