package kv

import (
	"context"
	"time"
)

const (
	holdOff     = 5 * time.Millisecond  // without events, until a burst is over
	longestHold = 50 * time.Millisecond // however long a burst lasts
)

// Settle waits until a burst of events is over, and hands each of them to take. It returns when no more has come for a
// moment, or the burst has become long, or the channel is closed, or take returns an error, or ctx is done.
func Settle[T any](ctx context.Context, events <-chan T, take func(T) error) error {
	longest := time.After(longestHold)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-longest:
			return nil
		case <-time.After(holdOff):
			return nil
		case e, ok := <-events:
			if !ok {
				return nil
			}
			if err := take(e); err != nil {
				return err
			}
		}
	}
}
