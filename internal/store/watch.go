package store

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// watcher collects the keys that changed since its reader last looked.
type watcher struct {
	prefix string
	wake   chan struct{} // holds one: there is something to take

	mu      sync.Mutex
	changed map[string]struct{}
}

// Watch yields the key of each item under prefix that is written or deleted from the moment of the call on, until ctx
// is done or the store is closed. So whoever calls Watch, then List, then reads the watch, misses nothing. A key that
// changes several times before it is read comes once: read the item for what it is now. The sequence can be read once.
func (b *Bolt) Watch(ctx context.Context, prefix string) iter.Seq[string] {
	w := &watcher{prefix: prefix, wake: make(chan struct{}, 1), changed: map[string]struct{}{}}
	b.mu.Lock()
	b.watchers[w] = struct{}{}
	b.mu.Unlock()
	forget := func() {
		b.mu.Lock()
		delete(b.watchers, w)
		b.mu.Unlock()
	}
	stop := context.AfterFunc(ctx, forget) // for a sequence that nobody reads

	return func(yield func(string) bool) {
		defer forget()
		defer stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-b.closed:
				return
			case <-w.wake:
			}
			for _, key := range w.take() {
				if ctx.Err() != nil || !yield(key) {
					return
				}
			}
		}
	}
}

// notify tells the watchers that key changed.
func (b *Bolt) notify(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.watchers {
		if strings.HasPrefix(key, w.prefix) {
			w.add(key)
		}
	}
}

// add notes a change. It never waits for the reader.
func (w *watcher) add(key string) {
	w.mu.Lock()
	w.changed[key] = struct{}{}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // already awake
	}
}

// take returns the keys that changed, sorted, and forgets them.
func (w *watcher) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys := slices.Sorted(maps.Keys(w.changed))
	clear(w.changed)
	return keys
}
