package wire

import (
	"context"
	"sync"
	"time"
)

// watchAfter is how old an exchange must be before somebody waits for its context to end. Most are over by then,
// and have paid for a timer that did not fire, not for a goroutine and a place in the context's list (five allocations,
// and for some contexts a watcher of the client).
const watchAfter = 50 * time.Millisecond

// watch cuts a connection when the context of its exchange is done, or the answer does not begin in time.
type watch struct {
	abort func()
	timer *time.Timer // made with the first exchange

	mu     sync.Mutex
	ctx    context.Context // nil: no exchange
	stop   func() bool     // nil: nobody waits for ctx
	own    *requestContext // ctx, if it is our server's and calls abort itself
	until  time.Time       // the answer is to begin; zero: it has, or there is no limit
	missed bool            // it did not
}

func (w *watch) begin(ctx context.Context, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx, w.until, w.missed = ctx, until, false
	after := watchAfter
	if !until.IsZero() {
		after = min(after, time.Until(until))
	}
	switch {
	case ctx == context.Background() && until.IsZero():
	case w.timer == nil:
		w.timer = time.AfterFunc(after, w.arm)
	default:
		w.timer.Reset(after)
	}
}

// arm is called by the timer; late, it may find the next exchange.
func (w *watch) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil {
		return
	}
	w.wait()
	if w.until.IsZero() {
		return
	}
	if left := time.Until(w.until); left > 0 {
		w.timer.Reset(left)
		return
	}
	w.missed = true
	w.abort()
}

// wait has the connection cut when the context ends. mu is held.
func (w *watch) wait() {
	if w.stop != nil || w.own != nil {
		return
	}
	if own, ok := w.ctx.(*requestContext); ok && own.onEnd(w.abort) {
		w.own = own
	} else if w.ctx.Done() != nil {
		w.stop = context.AfterFunc(w.ctx, w.abort)
	}
}

// answered ends the limit for the answer's beginning.
func (w *watch) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Time{}
}

// late reports whether the connection was cut because the answer did not begin in time.
func (w *watch) late() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.missed
}

// end reports whether the connection was left alone.
func (w *watch) end() bool {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	alone := !w.missed
	if w.own != nil {
		alone = w.own.forget() && alone
	}
	if w.stop != nil {
		alone = w.stop() && alone
	}
	w.ctx, w.stop, w.own, w.until = nil, nil, nil, time.Time{}
	return alone
}
