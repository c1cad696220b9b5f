package h2

import (
	"context"
	"sync"
	"time"
)

// requestContext is the context of a request. It is done when the handler has returned, when the client resets the
// stream, and when the connection ends. What it hangs on is only made when somebody waits for it. It has no deadline.
type requestContext struct {
	conn *conn

	mu     sync.Mutex
	inner  context.Context // what Done and those that are derived from it hang on; nil: nobody asked
	cancel context.CancelFunc
	ended  bool
}

// Deadline says that there is none.
func (r *requestContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done is closed at the end.
func (r *requestContext) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner == nil {
		r.inner, r.cancel = context.WithCancel(context.Background())
		if r.ended {
			r.cancel()
		}
	}
	return r.inner.Done()
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

// Value knows http.LocalAddrContextKey and http.ServerContextKey. Through the inner one, the context package finds what
// it can hang derived contexts on without a goroutine.
func (r *requestContext) Value(key any) any {
	if v := r.conn.contextValue(key); v != nil {
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
	r.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// reuse prepares it for another request, if nobody can have kept it. It reports whether it did.
func (r *requestContext) reuse() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inner != nil {
		return false
	}
	r.ended = false
	return true
}
