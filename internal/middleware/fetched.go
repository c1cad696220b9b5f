package middleware

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errUnreachable = errors.New("the server cannot be reached, or answers with something else")

// idleMost is how long nobody may have asked for a value, and it is still used while it is fetched again.
const idleMost = time.Hour

// fetched is a value that a server has: keys, a token. What is known is used while it is fetched again; who waits is
// only the request for which it is not enough. One fetch serves all who wait.
type fetched[T any] struct {
	fetch func() (T, lifetime, error)
	floor time.Duration // the least time between the beginnings of two fetches, whatever strangers send

	mu      sync.Mutex
	value   T
	stale   time.Time     // when it is to be fetched again
	gone    time.Time     // when it is of no use any more; zero: there is none yet
	tried   time.Time     // when the last fetch began
	running chan struct{} // closed when the fetch has ended that is under way; nil: there is none
	idle    bool          // everybody waits for that fetch: what is known may have been withdrawn long ago
}

// lifetime says after which time a value is fetched again, and after which it is of no use.
type lifetime struct{ fresh, kept time.Duration }

// get returns the value. If it is not enough, one that is fetched now is returned, whether enough or not, unless the
// last fetch was just before. The error is errUnreachable where there is no value.
func (f *fetched[T]) get(ctx context.Context, enough func(T) bool) (T, error) {
	value, known, wait := f.look(enough)
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return value, ctx.Err()
		}
		value, known, _ = f.look(enough)
	}
	if !known {
		return value, errUnreachable
	}
	return value, nil
}

// look returns what is known now. Where that is old or not enough, a fetch begins; wait is what to wait for before one
// looks again, if at all.
func (f *fetched[T]) look(enough func(T) bool) (value T, known bool, wait <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	good := false
	if now.Before(f.gone) {
		value, known, good = f.value, true, enough(f.value)
	}
	if good && now.Before(f.stale) {
		return value, known, nil
	}
	if f.running == nil && (f.tried.IsZero() || now.Sub(f.tried) >= f.floor) {
		f.idle = now.Sub(f.tried) > idleMost
		f.tried, f.running = now, make(chan struct{})
		go f.refresh(f.running)
	}
	if good && !f.idle {
		return value, known, nil
	}
	return value, known, f.running
}

// refresh belongs to no request: others may wait for it, too. What fetches has a timeout.
func (f *fetched[T]) refresh(done chan<- struct{}) {
	value, life, err := f.fetch()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		now := time.Now()
		f.value, f.stale, f.gone = value, now.Add(life.fresh), now.Add(life.kept)
	}
	f.running = nil
	close(done)
}

// forget drops a value that turned out to be no good, unless there is another by now.
func (f *fetched[T]) forget(isIt func(T) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if isIt(f.value) {
		f.gone = time.Time{}
	}
}
