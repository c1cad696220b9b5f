package access

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// writeBack is how often uses are written to the store, and flushWait how long the last time may take when Run ends.
const (
	writeBack = time.Minute
	flushWait = 2 * time.Second
)

// errWatchEnded is what Run fails with when the store is gone: it can no longer hear of revocations by others.
var errWatchEnded = errors.New("the store no longer tells of changed keys")

// Run ends what expires, follows what other writers change in the store, and writes last uses back. It returns nil when
// ctx is done, and an error when it can no longer follow the store; Authorize then goes on with what it knows, and Run
// may be called again.
func (k *Keys) Run(ctx context.Context) error {
	defer k.flushLast(ctx)
	group, ctx := errgroup.WithContext(ctx)
	changes := k.store.Watch(ctx, storePrefix) // before load, so that no change is missed between them
	group.Go(func() error {
		if err := k.load(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		return k.follow(ctx, changes)
	})
	group.Go(func() error { k.keepTime(ctx); return nil })
	return group.Wait()
}

// follow reads each key again that the store says has changed.
func (k *Keys) follow(ctx context.Context, changes iter.Seq[string]) error {
	for key := range changes {
		if err := k.reread(ctx, idOf(key)); err != nil && ctx.Err() == nil {
			return err
		}
	}
	if ctx.Err() == nil {
		return errWatchEnded
	}
	return nil
}

// reread brings one key in line with the store.
func (k *Keys) reread(ctx context.Context, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	item, err := find(ctx, k.store, id)
	if err != nil {
		return err
	}
	old := k.entry(id)
	if old != nil && old.version == item.Version {
		return nil // our own write
	}
	if item.Version == 0 {
		k.put(id, nil)
		return nil
	}
	k.put(id, k.read(id, item, old))
	return nil
}

// keepTime ends sessions when their time is over, and writes uses back. It looks at the clock at least once a
// writeBack, so a clock that was set, or a machine that slept, is noticed.
func (k *Keys) keepTime(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	flush := time.Now().Add(writeBack)
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		case <-timer.C:
		}
		now := time.Now()
		next := k.endOver(now)
		if !now.Before(flush) {
			k.flush(ctx)
			flush = now.Add(writeBack)
		}
		timer.Reset(time.Until(earlier(next, flush)))
	}
}

// endOver ends the sessions whose time is over, and returns when the next one's will be (zero: never).
func (k *Keys) endOver(now time.Time) time.Time {
	var next time.Time
	for _, e := range *k.table.Load() {
		next = earlier(next, e.endOver(now))
	}
	return next
}

// flush writes back what was used since the last time. A failure is logged and tried again the next time.
func (k *Keys) flush(ctx context.Context) {
	table := *k.table.Load()
	for _, id := range slices.Sorted(maps.Keys(table)) {
		e := table[id]
		seen := e.use.last()
		if !seen.After(e.LastUsed) {
			continue
		}
		err := k.modify(ctx, id, func(r *record) (bool, error) {
			if !seen.After(r.LastUsed) {
				return false, nil // another replica saw it later
			}
			r.LastUsed = seen
			return true, nil
		})
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			k.log.Warn("the last use of keys cannot be written", "key", id, "error", err)
			return
		}
	}
}

// flushLast writes back once more when Run ends, though its context is done.
func (k *Keys) flushLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWait)
	defer cancel()
	k.flush(ctx)
}
