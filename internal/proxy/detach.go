package proxy

import (
	"context"
	"net/http"
	"time"
)

// detachedTimeout bounds requests that no client waits for.
const detachedTimeout = 30 * time.Second

// detach returns a copy of a request that lives on when its client is gone, with an exchange of its own, and what ends
// it. It is nobody's request: no observer is told of it. w stands in the client's place.
func (e *exchanges) detach(w http.ResponseWriter, r *http.Request) (own *http.Request, end func()) {
	from := exchangeOf(r)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(from.ctx), detachedTimeout)
	copied := r.Clone(ctx)
	copied.Body = http.NoBody
	x, own := e.beside(from, w, copied)
	return own, func() {
		cancel()
		e.give(x)
	}
}

// beside begins an exchange for a request that came of another one's, and knows what that one's does of the client.
func (e *exchanges) beside(of *exchange, w http.ResponseWriter, r *http.Request) (*exchange, *http.Request) {
	x := e.take(of.entryPoint, of.log)
	own := x.begin(w, r)
	x.Scheme, x.Host, x.Route, x.ClientAddr = of.Scheme, of.Host, of.Route, of.ClientAddr
	x.client, x.hop, x.hopText = of.client, of.hop, of.hopText
	return x, own
}
