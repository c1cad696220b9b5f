package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/api"
)

// The states of a registration. What the API calls them, but for the first.
const (
	absent   = ""
	ready    = "ready"
	notReady = "notReady"
	draining = "draining"
)

const (
	askTime   = 5 * time.Second // for one call of the instance
	retryTime = time.Second     // until the next, when one has failed
)

// lease keeps a registration as it shall be: it renews it before it ends, and registers again what the instance has
// lost.
type lease struct {
	o      *registerOptions
	errs   io.Writer
	client *api.Client // nil: to be made again
	known  bool        // the instance may have it
	told   string      // what was said last, so that it is said once

	wake  chan struct{} // holds one: there is a wish
	mu    sync.Mutex
	state string          // as it shall be
	asked []chan struct{} // closed when the instance was asked for it, be it in vain
}

func newLease(o *registerOptions, errs io.Writer) *lease {
	return &lease{o: o, errs: errs, wake: make(chan struct{}, 1)}
}

// become wishes for a state; the newest wish counts. The channel is closed when the instance was asked for it once.
func (l *lease) become(state string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := make(chan struct{})
	l.state, l.asked = state, append(l.asked, asked)
	select {
	case l.wake <- struct{}{}:
	default: // it will be seen
	}
	return asked
}

// take returns the state that the registration shall have, and who waits for it.
func (l *lease) take() (state string, asked []chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state, asked, l.asked = l.state, l.asked, nil
	return state, asked
}

// connect makes the client: keys may be replaced while the program runs.
func (l *lease) connect() (err error) {
	if l.client == nil {
		l.client, err = l.o.api.client()
	}
	return err
}

func (l *lease) close() {
	if l.client != nil {
		l.client.Close()
		l.client = nil
	}
}

// run keeps the registration until ctx is done.
func (l *lease) run(ctx context.Context) {
	next := time.NewTimer(time.Hour)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-next.C:
		}
		state, asked := l.take()
		next.Reset(l.renew(ctx, state))
		for _, done := range asked {
			close(done)
		}
	}
}

// renew brings the registration to a state, and returns after which time to do so again.
func (l *lease) renew(ctx context.Context, state string) time.Duration {
	if state == absent && !l.known {
		return time.Hour
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err := l.connect()
	var found api.Registration
	if err == nil {
		l.known = true // from now on: an answer may be lost
		found, err = l.ask(ctx, state)
	}
	switch {
	case err != nil:
		l.close()
		l.say(explained(err).Error() + "; trying again")
		return min(retryTime, l.o.ttl/3)
	case state == absent:
		l.known = false
		l.say(l.o.service + " is no longer registered")
		return time.Hour
	}
	l.say(found.Service + " at " + found.Address + " is registered: " + found.State)
	return l.o.ttl / 3
}

func (l *lease) ask(ctx context.Context, state string) (api.Registration, error) {
	if state == absent {
		err := l.client.Deregister(ctx, l.o.service, l.o.address())
		if told, ok := errors.AsType[*api.Error](err); ok && told.Status == 404 {
			err = nil
		}
		return api.Registration{}, err
	}
	spec := l.o.spec()
	spec.State = state
	return l.client.Register(ctx, l.o.service, l.o.address(), spec)
}

// say tells what has not been told already.
func (l *lease) say(text string) {
	if text != l.told {
		l.told = text
		say(l.errs, "%s", printable(text))
	}
}
