package wire

import (
	"context"
	"sync"
	"time"
)

// watchAfter is how old an exchange must be before somebody waits for its context to end. Most are over by then,
// and have paid for a timer, not for a place in the context's list (five allocations, and for some contexts a
// watcher of the client).
const watchAfter = 5 * time.Millisecond

// watch cuts a connection when the context of its exchange is done.
type watch struct {
	abort func()
	timer *time.Timer // made with the first exchange

	mu   sync.Mutex
	ctx  context.Context // nil: no exchange
	stop func() bool     // nil: nobody waits for ctx
}

func (w *watch) begin(ctx context.Context) {
	w.mu.Lock()
	w.ctx = ctx
	w.mu.Unlock()
	switch {
	case ctx == context.Background():
	case w.timer == nil:
		w.timer = time.AfterFunc(watchAfter, w.arm)
	default:
		w.timer.Reset(watchAfter)
	}
}

// arm is called by the timer; late, it may find the next exchange.
func (w *watch) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx != nil && w.stop == nil && w.ctx.Done() != nil {
		w.stop = context.AfterFunc(w.ctx, w.abort)
	}
}

// end reports whether the connection was left alone.
func (w *watch) end() bool {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	stop := w.stop
	w.ctx, w.stop = nil, nil
	return stop == nil || stop()
}
