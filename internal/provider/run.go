package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	firstWait = 100 * time.Millisecond // before the first restart, give or take a half
	longWait  = 10 * time.Second       // at most, give or take a half: never above 15 s
	longLife  = 30 * time.Second       // a run that lived this long was no failure to start
)

// errEnded is the failure of a provider that ends without being asked to and without saying why.
var errEnded = errors.New("ended by itself")

// Run keeps p running and hands what it publishes to sink, until ctx is done; then it returns nil. Whenever p ends
// before that, be it with an error, without one or in a panic, sink is told that the source failed, and p is started
// again after a wait that grows from 100 ms to 15 s, with jitter. A run that published, or lived for 30 s, resets the
// wait.
//
// What reaches sink carries source, versions that count from 1, and is sorted. An object that equals the one before
// keeps its pointer, and a publish that changes nothing is dropped, unless the source had failed in between. What p
// publishes after its run has ended is dropped as well.
func Run(ctx context.Context, source model.Source, p Provider, sink Sink, log *slog.Logger) error {
	log = log.With("source", string(source))
	f := &feed{source: source, sink: sink, log: log}
	wait := backoff.ExponentialBackOff{
		InitialInterval: firstWait, MaxInterval: longWait, Multiplier: 2, RandomizationFactor: 0.5,
	}
	wait.Reset()
	for ctx.Err() == nil {
		start := time.Now()
		err := runOnce(ctx, p, f.begin())
		published := f.end()
		if ctx.Err() != nil {
			break
		}
		if published || time.Since(start) >= longLife {
			wait.Reset()
		}
		again := wait.NextBackOff()
		f.fail(ctx, err, again)
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
	return nil
}

// runOnce runs p until it ends and says why it did; the error is never nil. The provider's context ends with it, so
// that an early return leaves nothing behind that waits for the outer one.
func runOnce(ctx context.Context, p Provider, publish func(model.Snapshot)) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value, debug.Stack()}
		}
	}()
	if err := p.Run(ctx, publish); err != nil {
		return err
	}
	return errEnded
}

// panicError is a provider's panic. The stack is for the log only.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
