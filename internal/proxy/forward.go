package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// forwarder sends the requests of one rule to its services. It is the last handler of the rule's action.
type forwarder struct {
	backends []backend
	weights  int // of all backends
	retry    model.Retry
	timeouts model.Timeouts
	dialer   *dialer
	copier   *copier
	tunnels  *tunnels
}

// backend is a service of the rule, with the pool of its hosts.
type backend struct {
	name    string // of the service; over a link, the fleet-wide one
	service *model.Service
	pool    *upstream.Pool
	weight  int
}

// defaultAttempts is how often a request that may be sent again is sent at the most, where no retry middleware says
// otherwise: enough to leave a cluster of two gateways that died.
const defaultAttempts = 3

// Why a request ended without an answer of the service.
var (
	errHeaderTimeout = errors.New("the service did not answer in time")
	errTotalTimeout  = errors.New("the request took longer than its route allows")
)

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	b := f.choose()
	if b == nil {
		x.refuse(http.StatusServiceUnavailable, reasonUnknownService)
		return
	}
	x.Service = b.name
	body, err := newReplay(w, r)
	if err != nil {
		x.refuseBody(err)
		return
	}
	if body.streams() && r.ProtoMajor == 1 {
		// The service may answer before it has read everything; what it still wants to read must then stay readable.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			x.log.Warn("the engine cannot read and write at once", "error", err)
		}
	}
	if f.timeouts.Total > 0 {
		ctx, cancel := context.WithTimeoutCause(r.Context(), f.timeouts.Total, errTotalTimeout)
		defer cancel()
		r = r.WithContext(ctx)
	}
	f.forward(w, r, &delivery{x: x, backend: b, forwarder: f, body: body})
}

// forward makes attempts until one is answered or no more may be made.
func (f *forwarder) forward(w http.ResponseWriter, r *http.Request, d *delivery) {
	for {
		result := d.attempt(w, r)
		if result.answered() {
			f.answer(w, r, d, result)
			return
		}
		if !d.mayRetry(r, result) || !f.pause(r.Context(), d.attempts) {
			d.giveUp(result)
			return
		}
		result.discard()
	}
}

// answer sends the service's answer, or lets the connection become the one that the client asked for.
func (f *forwarder) answer(w http.ResponseWriter, r *http.Request, d *delivery, result result) {
	defer result.done()
	if result.response.StatusCode == http.StatusSwitchingProtocols {
		if err := f.tunnels.tunnel(w, result.response, d.x); err != nil && !d.x.wrote {
			d.x.refuse(http.StatusBadGateway, reasonUpstreamError)
		}
		return
	}
	if err := f.copier.send(r.Context(), w, result.response, d.x); err != nil {
		result.broken(err, r)
		d.x.cut(err)
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
}

// choose picks a backend by weight; nil when there is none.
func (f *forwarder) choose() *backend {
	if len(f.backends) == 1 && f.weights > 0 {
		return &f.backends[0]
	}
	if f.weights == 0 {
		return nil
	}
	n := rand.IntN(f.weights)
	for i := range f.backends {
		if n -= f.backends[i].weight; n < 0 {
			return &f.backends[i]
		}
	}
	return nil
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
