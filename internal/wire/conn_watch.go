package wire

import (
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// watchTick is how often the watcher looks around. A client that goes away is noticed within two ticks while a request
// is young, later within an eighth of the request's age, and at last within a second.
const watchTick = 25 * time.Millisecond

// requestContext is the context of a request. It is done when the handler has returned, when the connection breaks, and
// when the client goes away: whether it does is only looked at while somebody waits for it, and not before a tick has
// passed. So the usual request costs nothing, and no goroutine reads in the background.
//
// It has no deadline.
type requestContext struct {
	conn *conn
	// quiet: the request has been read to its end. What the client sends now is another one, or its end.
	quiet atomic.Bool
	began time.Time // when it was first seen by the watcher, which owns it
	next  time.Time // when the watcher looks again

	mu     sync.Mutex
	inner  context.Context // what Done and those that are derived from it hang on; nil: nobody asked
	cancel context.CancelFunc
	ended  bool
	abort  func() // of the exchange with a service that goes on for it; nil: none
	known  bool   // the watcher has it, and may end it a moment after its request is over
}

// Deadline says that there is none.
func (r *requestContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done makes the client watched.
func (r *requestContext) Done() <-chan struct{} {
	inner, first := r.ask()
	if first {
		r.conn.server.watcher.watch(r.conn, r)
	}
	return inner.Done()
}

// ask makes the inner context. It reports whether nobody had asked, and the request is still under way.
func (r *requestContext) ask() (inner context.Context, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner == nil {
		r.inner, r.cancel = context.WithCancel(context.Background())
		if first = !r.ended; r.ended {
			r.cancel()
		}
	}
	return r.inner, first
}

// Err is context.Canceled once it is done.
func (r *requestContext) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return context.Canceled
	}
	return nil
}

// told asks the connection below TLS, if it has something to say.
func (c *conn) told(key any) any {
	if secure, ok := c.net.(*tls.Conn); ok {
		if below, ok := secure.NetConn().(interface{ Value(key any) any }); ok {
			return below.Value(key)
		}
	}
	return nil
}

// Value knows http.LocalAddrContextKey, and http.ServerContextKey: an http.Server that serves nothing, as there are
// handlers that only want to know whether a server called them. Through the inner one, the context package finds what
// it can hang derived contexts on without a goroutine.
func (r *requestContext) Value(key any) any {
	switch key {
	case http.LocalAddrContextKey:
		return r.conn.net.LocalAddr()
	case http.ServerContextKey:
		return &r.conn.server.standard
	}
	if v := r.conn.told(key); v != nil {
		return v
	}
	r.mu.Lock()
	inner := r.inner
	r.mu.Unlock()
	if inner == nil {
		return nil
	}
	return inner.Value(key)
}

// end makes it done.
func (r *requestContext) end() {
	r.mu.Lock()
	r.ended = true
	cancel := r.cancel
	if r.abort != nil {
		r.abort() // locked, so that it is not called any more once it was taken back
	}
	r.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// onEnd has abort called at the end, and makes the client watched. It is context.AfterFunc without its allocations, for
// one at a time; it reports false where one is there already.
func (r *requestContext) onEnd(abort func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.abort != nil {
		return false
	}
	r.abort = abort
	if r.ended {
		abort()
		return true
	}
	r.known = true
	r.conn.server.watcher.watch(r.conn, r)
	return true
}

// forget ends onEnd. It reports whether abort was not called.
func (r *requestContext) forget() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.abort = nil
	return !r.ended
}

// reuse prepares it for another request, if nobody can have kept it. It reports whether it did.
func (r *requestContext) reuse() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner != nil || r.known {
		return false
	}
	r.ended = false
	r.quiet.Store(false)
	return true
}

// watcher looks after clients whose requests take long. Its goroutine runs while there are any.
type watcher struct {
	mu      sync.Mutex
	conns   []*conn
	running bool
}

// watch adds a connection, which stays on the list until the watcher finds that it needs no watching: so a busy
// connection is added once, not for each request.
func (w *watcher) watch(c *conn, r *requestContext) {
	c.watched.Store(r)
	if c.raw == nil || c.enlisted.Swap(true) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, c)
	if !w.running {
		w.running = true
		go w.run()
	}
}

func (w *watcher) run() {
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	for now := range tick.C {
		if !w.look(now) {
			return
		}
	}
}

// look goes round once, without keeping others from adding to the list. It reports whether to go on.
func (w *watcher) look(now time.Time) bool {
	w.mu.Lock()
	conns := w.conns
	w.conns = nil
	w.mu.Unlock()
	conns = slices.DeleteFunc(conns, func(c *conn) bool { return !c.stillWatched(now) })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(conns, w.conns...)
	w.running = len(w.conns) > 0
	return w.running
}

func (c *conn) stillWatched(now time.Time) bool {
	r := c.watched.Load()
	if r == nil {
		c.enlisted.Store(false)
		// A request that began just now, and found the connection enlisted, must not be lost.
		return c.watched.Load() != nil && !c.enlisted.Swap(true)
	}
	switch {
	case r.began.IsZero():
		r.began, r.next = now, now
	case r.quiet.Load() && !now.Before(r.next):
		r.next = now.Add(min(now.Sub(r.began)/8, time.Second))
		if c.gone() {
			r.end()
		}
	}
	return true
}

// gone reports whether the client has ended its side of the connection.
func (c *conn) gone() bool {
	var gone bool
	err := c.raw.Control(func(fd uintptr) { gone = hungUp(fd) || c.tls != nil && finished(fd) })
	return gone || err != nil
}
