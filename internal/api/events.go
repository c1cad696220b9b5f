package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	maxStreams        = 256              // open at once
	heartbeatInterval = 15 * time.Second // a comment, so that both sides notice when the other is gone
	writeLimit        = 10 * time.Second // for one event; a client that reads more slowly is dropped
	applyLimit        = 10 * time.Second // how long a change may take until it is served
)

// events streams a change event (see [Change]) for what is served now and for each newer version of it, as server-sent
// events. It ends with the session of the key.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return problem(http.StatusTooManyRequests, "%d streams are open already", maxStreams)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	versions := make(chan uint64)
	go s.follow(ctx, versions)
	out := stream{w, http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in between must not collect events
	if out.send(": hello\n\n") != nil {
		return nil // nobody listens
	}
	heartbeat := time.NewTicker(heartbeatInterval)
	defer heartbeat.Stop()
	for err := error(nil); err == nil; {
		select {
		case <-ctx.Done():
			return nil
		case <-sessionOf(r).Done():
			return nil
		case version := <-versions:
			err = out.send("event: change\nid: %d\ndata: {\"version\":%[1]d}\n\n", version)
		case <-heartbeat.C:
			err = out.send(": alive\n\n")
		}
	}
	return nil
}

// follow sends the version of what is served, now and after each change, until ctx is done.
func (s *server) follow(ctx context.Context, versions chan<- uint64) {
	sent := uint64(0)
	for snapshot := range s.Catalog.Watch(ctx) {
		if served := s.applied(ctx, snapshot); served != sent || sent == 0 {
			select {
			case versions <- served:
				sent = served
			case <-ctx.Done():
			}
		}
	}
}

// applied waits until requests are served from a snapshot or a newer one, and returns that one's version. The proxy
// tells nobody, because requests must not wait for who listens; a change is applied within milliseconds.
func (s *server) applied(ctx context.Context, snapshot *model.Snapshot) uint64 {
	ctx, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		if served := s.Proxy.Snapshot(); served != nil && served.Version >= snapshot.Version {
			return served.Version
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return snapshot.Version
		}
	}
}

// stream writes events, each at once.
type stream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
}

func (s stream) send(format string, args ...any) error {
	// An answer that is recorded by a test has no deadline.
	_ = s.controller.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return err
	}
	return s.controller.Flush()
}
