package store

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// TestWatchersAreForgotten: whoever stops reading, or never starts, leaves nothing behind.
func TestWatchersAreForgotten(t *testing.T) { synctest.Test(t, testWatchersAreForgotten) }

func testWatchersAreForgotten(t *testing.T) {
	b, err := Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	count := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.watchers)
	}
	read := b.Watch(t.Context(), "")
	if count() != 1 {
		t.Errorf("%d watchers after Watch, want 1", count())
	}
	if _, err := b.Put(t.Context(), "a", nil, Any); err != nil {
		t.Fatal(err)
	}
	for range read {
		break
	}
	if count() != 0 {
		t.Errorf("%d watchers after a break, want 0", count())
	}

	ctx, cancel := context.WithCancel(t.Context())
	b.Watch(ctx, "")
	cancel()
	for range b.Watch(ctx, "") { // begins after the end of its context, too
	}
	synctest.Wait() // for context.AfterFunc
	if count() != 0 {
		t.Errorf("%d watchers after the end of their context, want 0", count())
	}
}
