package cache

import (
	"context"
	"net/http"
	"time"
)

// flight is a request that others wait for, because its answer may be theirs.
type flight struct {
	landed  chan struct{} // closed when nobody needs to wait any more
	done    bool          // it is
	aborted bool          // its client left before anything was known
}

// patience is how long a request waits for another's answer.
const patience = 5 * time.Second

// join returns the flight for a key, and whether the caller leads it. A nil flight: do not wait, and let nobody wait.
func (s *Store) join(k key, now time.Time) (f *flight, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until, known := s.private[k]; known {
		if now.Before(until) {
			return nil, true
		}
		delete(s.private, k)
	}
	if f = s.flights[k]; f != nil {
		return f, false
	}
	f = &flight{landed: make(chan struct{})}
	s.flights[k] = f
	return f, true
}

// land ends a flight; the first call counts. Private says that its answer was not for all: for a while, nobody waits.
func (s *Store) land(k key, f *flight, private, aborted bool, now time.Time) {
	if f == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.done {
		return
	}
	f.done, f.aborted = true, aborted
	delete(s.flights, k)
	if private {
		if len(s.private) >= maxPrivate { // to forget costs no more than that a few wait for one once
			clear(s.private)
		}
		s.private[k] = now.Add(privateFor)
	}
	close(f.landed)
}

// wait reports whether the flight has landed in time.
func (f *flight) wait(ctx context.Context) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-f.landed:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// sink is a client that wants nothing: of a request that only brings an entry up to date.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) FlushError() error           { return nil }
