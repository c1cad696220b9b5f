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
	x := e.take(from.entryPoint, from.log)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(from.ctx), detachedTimeout)
	copied := r.Clone(ctx)
	copied.Body = http.NoBody
	own = x.begin(w, copied)
	x.Route, x.hop, x.hopText, x.client = from.Route, from.hop, from.hopText, from.client
	x.Host, x.Scheme = from.Host, from.Scheme
	return own, func() {
		cancel()
		e.give(x)
	}
}
