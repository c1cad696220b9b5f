package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// forwarder sends the requests of one rule to its services. It is the last handler of the rule's action, or what one of
// its middlewares sends requests of its own to.
type forwarder struct {
	backends []backend
	weights  int   // of all backends
	keeps    int64 // the size of the largest body that is kept for services that fail over
	retry    model.Retry
	aside    bool // for a middleware's requests, which are not the client's
	timeouts model.Timeouts
	dialer   *dialer
	copier   *copier
	tunnels  *tunnels
}

// defaultAttempts is how often a request that may be sent again is sent at the most, where no retry middleware says
// otherwise: enough to leave a cluster of two gateways that died.
const defaultAttempts = 3

// errTotalTimeout is why a request ended without an answer of the service.
var errTotalTimeout = errors.New("the request took longer than its route allows")

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	f = f.inherit(x)
	d := &x.sending
	*d = delivery{x: x, forwarder: f, w: w, r: r, ctx: r.Context(), set: d.set[:0]} // it may be the second
	if f.timeouts.Total > 0 {
		ctx, cancel := context.WithTimeoutCause(d.ctx, f.timeouts.Total, errTotalTimeout)
		defer cancel()
		d.ctx = ctx
	}
	body := r.Body
	if body == http.NoBody || r.ContentLength == 0 {
		body = nil
	}
	f.deliver(d, body, r.ContentLength)
}

// deliver makes attempts until one is answered or no more may be made.
func (f *forwarder) deliver(d *delivery, body io.ReadCloser, length int64) {
	x, to := d.x, f.choose(d)
	if to == nil {
		x.refuse(http.StatusServiceUnavailable, reasonUnknownService)
		return
	}
	x.Service = to.name
	if to.handler != nil && len(to.exits) == 0 {
		to.handler.ServeHTTP(d.w, d.r)
		return
	}
	if body != nil {
		var err error
		most := max(replayable, f.retry.MaxBodyBytes, f.keeps)
		if d.body, err = newReplay(d.w, body, length, most, d.expects()); err != nil {
			x.refuseBody(err)
			return
		}
		defer d.body.done()
		d.duplex()
	}
	for {
		if to != d.backend {
			d.begin(to)
		}
		result := d.attempt()
		if result.sent {
			return
		}
		to = d.next(result)
		if to == nil && result.answered() {
			f.answer(d, result)
			return
		}
		if to == nil || !f.pause(d.ctx, d.attempts) {
			d.giveUp(result)
			return
		}
		result.discard()
	}
}

// duplex lets the service answer before it has read a body that streams: what it still wants to read must then stay
// readable.
func (d *delivery) duplex() {
	if !d.body.streams() || d.major() != 1 {
		return
	}
	if err := http.NewResponseController(d.w).EnableFullDuplex(); err != nil {
		d.x.log.Warn("the engine cannot read and write at once", "error", err)
	}
}

// expects reports whether the service is to be asked before the body is sent.
func (d *delivery) expects() bool { return d.r != nil && len(d.r.Header["Expect"]) > 0 }

// wants reports whether an attempt's answer is to be sent, even if there might be another.
func (f *forwarder) wants(result result) bool {
	return result.answered() && !slices.ContainsFunc(f.retry.Status, func(unwanted model.StatusRange) bool {
		return unwanted.Has(result.answer.Status)
	})
}

// answer sends the service's answer, or lets the connection become the one that the client asked for.
func (f *forwarder) answer(d *delivery, result result) {
	defer result.done()
	answer := result.answer
	if answer.Status == http.StatusSwitchingProtocols {
		response := answer.Response() //nolint:bodyclose // the result closes it
		d.addCookies(result.host, response.Header)
		if err := f.tunnels.tunnel(d.w, response, d.x); err != nil && !d.x.wrote {
			d.x.refuse(http.StatusBadGateway, reasonUpstreamError)
		}
		return
	}
	var err error
	if d.r == nil && answer.Plain() && answer.Field("Via") == "" {
		err = d.relayAnswer(answer, result.host)
	} else {
		err = f.copier.send(d, answer, result.host)
	}
	if err != nil {
		result.broken(d.ctx, err)
		d.x.cut(err)
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
}

// choose picks a backend; nil when there is none.
func (f *forwarder) choose(d *delivery) *backend {
	var b *backend
	if len(f.backends) == 1 && f.weights > 0 {
		b = &f.backends[0]
	} else if b = pick(f.backends, f.weights, false); b == nil {
		return nil
	}
	return b.choose(d)
}

// pause waits between attempts as the retry middleware asks, longer each time; false when the client is gone meanwhile.
func (f *forwarder) pause(ctx context.Context, attempts int) bool {
	if f.retry.InitialInterval == 0 {
		return ctx.Err() == nil
	}
	wait := time.NewTimer(f.retry.InitialInterval << min(attempts-1, 10))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-ctx.Done():
		return false
	}
}
