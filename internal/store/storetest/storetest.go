package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

// Reader, Writer and Watcher are what a store does; see package store for what each promises.
type (
	// Reader reads items.
	Reader interface {
		Get(ctx context.Context, key string) (store.Item, error)
		List(ctx context.Context, prefix string) ([]store.Item, error)
	}
	// Writer changes items.
	Writer interface {
		Put(ctx context.Context, key string, value []byte, ifVersion uint64) (uint64, error)
		Delete(ctx context.Context, key string, ifVersion uint64) error
	}
	// Watcher tells which items changed.
	Watcher interface {
		Watch(ctx context.Context, prefix string) iter.Seq[string]
	}
	// Store is all of them.
	Store interface {
		Reader
		Writer
		Watcher
		io.Closer
	}
)

// Open opens the store whose state is kept in folder. What was written through an earlier store of the same folder,
// closed by now, is there. Open fails the test when it cannot.
type Open func(t *testing.T, folder string) Store

// patience is how long a watch may take; it ends a test that would hang, and decides nothing else.
const patience = 10 * time.Second

// Run tests that the stores which open returns keep the contract.
func Run(t *testing.T, open Open) {
	cases := []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"an item is read as it was written", testRoundTrip},
		{"lists are sorted and bounded by the prefix", testList},
		{"versions decide who wins", testVersions},
		{"versions grow for ever", testVersionsGrow},
		{"concurrent writers lose nothing", testConcurrentWriters},
		{"limits", testLimits},
		{"values are the caller's", testNoSharing},
		{"what was written survives a restart", testRestart},
		{"a context that is done stops a call", testContext},
		{"a closed store says so", testClosed},
		{"a watch tells every changed key", testWatch},
		{"a watch that nobody reads delays nobody", testWatchUnread},
		{"a watch ends", testWatchEnds},
		{"it behaves as a map does", testModel},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

// fresh opens an empty store and closes it at the end of the test.
func fresh(t *testing.T, open Open) Store {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// put writes unconditionally.
func put(t *testing.T, s Store, key, value string) uint64 {
	t.Helper()
	version, err := s.Put(t.Context(), key, []byte(value), store.Any)
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return version
}

// wantErr fails the test unless err is want.
func wantErr(t *testing.T, call string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s = %v, want %v", call, err, want)
	}
}

func testRoundTrip(t *testing.T, open Open) {
	s := fresh(t, open)
	_, err := s.Get(t.Context(), "a")
	wantErr(t, "Get of nothing", err, store.ErrNotFound)
	for _, value := range []string{"one", "", "\x00\xff\n", "two"} {
		version := put(t, s, "a/b c\x00é", value)
		got, err := s.Get(t.Context(), "a/b c\x00é")
		want := store.Item{Key: "a/b c\x00é", Value: []byte(value), Version: version}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Get after Put of %q: %v\n%s", value, err, diff)
		}
	}
}

func testList(t *testing.T, open Open) {
	s := fresh(t, open)
	for _, key := range []string{"b/2", "a", "b", "b/10", "b/", "c", "bb", "b/\xff", "\xff"} {
		put(t, s, key, key)
	}
	for prefix, want := range map[string][]string{
		"":     {"a", "b", "b/", "b/10", "b/2", "b/\xff", "bb", "c", "\xff"},
		"b/":   {"b/", "b/10", "b/2", "b/\xff"},
		"b/10": {"b/10"},
		"\xff": {"\xff"},
		"d":    nil,
	} {
		items, err := s.List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, item := range items {
			got = append(got, item.Key)
			if string(item.Value) != item.Key || item.Version == 0 {
				t.Errorf("List(%q) has %+v", prefix, item)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("List(%q):\n%s", prefix, diff)
		}
	}
}

func testVersions(t *testing.T, open Open) {
	s, ctx := fresh(t, open), t.Context()
	_, err := s.Put(ctx, "a", nil, 7)
	wantErr(t, "Put(7) of nothing", err, store.ErrConflict)
	wantErr(t, "Delete(Any) of nothing", s.Delete(ctx, "a", store.Any), store.ErrNotFound)
	wantErr(t, "Delete(7) of nothing", s.Delete(ctx, "a", 7), store.ErrNotFound)

	v1, err := s.Put(ctx, "a", []byte("1"), 0)
	wantErr(t, "Put(0) of nothing", err, nil)
	_, err = s.Put(ctx, "a", []byte("x"), 0)
	wantErr(t, "Put(0) of something", err, store.ErrConflict)
	v2, err := s.Put(ctx, "a", []byte("2"), v1)
	wantErr(t, "Put of the present version", err, nil)
	_, err = s.Put(ctx, "a", []byte("x"), v1)
	wantErr(t, "Put of an old version", err, store.ErrConflict)
	wantErr(t, "Delete of an old version", s.Delete(ctx, "a", v1), store.ErrConflict)
	wantErr(t, "Delete(0) of something", s.Delete(ctx, "a", 0), store.ErrConflict)
	if item, err := s.Get(ctx, "a"); err != nil || string(item.Value) != "2" || item.Version != v2 {
		t.Errorf("after refused writes: %+v, %v", item, err)
	}
	wantErr(t, "Delete of the present version", s.Delete(ctx, "a", v2), nil)
	_, err = s.Get(ctx, "a")
	wantErr(t, "Get after Delete", err, store.ErrNotFound)
}

func testVersionsGrow(t *testing.T, open Open) {
	s := fresh(t, open)
	last := uint64(0)
	for i := range 20 {
		version := put(t, s, fmt.Sprint("key", i%3), "x")
		if version <= last {
			t.Errorf("write %d has version %d after %d", i, version, last)
		}
		last = version
		if i%5 == 4 {
			if err := s.Delete(t.Context(), fmt.Sprint("key", i%3), version); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func testConcurrentWriters(t *testing.T, open Open) {
	const writers, each = 4, 8
	s := fresh(t, open)
	put(t, s, "count", "")
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for done := 0; done < each; {
				item, err := s.Get(t.Context(), "count")
				if err == nil {
					_, err = s.Put(t.Context(), "count", append(item.Value, '+'), item.Version)
				}
				switch {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if item, err := s.Get(t.Context(), "count"); err != nil || len(item.Value) != writers*each {
		t.Errorf("%d increments left %d: %v", writers*each, len(item.Value), err)
	}
}

func testLimits(t *testing.T, open Open) {
	s := fresh(t, open)
	for _, c := range []struct {
		key, value int
		want       error
	}{
		{1, 0, nil},
		{store.MaxKey, store.MaxValue, nil},
		{0, 1, store.ErrLimit},
		{store.MaxKey + 1, 1, store.ErrLimit},
		{1, store.MaxValue + 1, store.ErrLimit},
	} {
		_, err := s.Put(t.Context(), string(make([]byte, c.key)), make([]byte, c.value), store.Any)
		wantErr(t, fmt.Sprintf("Put of a key of %d and a value of %d bytes", c.key, c.value), err, c.want)
	}
}

func testNoSharing(t *testing.T, open Open) {
	s := fresh(t, open)
	value := []byte("value")
	if _, err := s.Put(t.Context(), "a", value, 0); err != nil {
		t.Fatal(err)
	}
	value[0] = 'X'
	for range 2 {
		item, err := s.Get(t.Context(), "a")
		if err != nil || string(item.Value) != "value" {
			t.Fatalf("Get = %q, %v", item.Value, err)
		}
		item.Value[0] = 'X'
		items, err := s.List(t.Context(), "a")
		if err != nil || string(items[0].Value) != "value" {
			t.Fatalf("List = %v, %v", items, err)
		}
		items[0].Value[0] = 'X'
	}
}

func testRestart(t *testing.T, open Open) {
	folder := t.TempDir()
	s := open(t, folder)
	put(t, s, "gone", "x")
	put(t, s, "a", "1")
	last := put(t, s, "b", "2")
	if err := s.Delete(t.Context(), "gone", store.Any); err != nil {
		t.Fatal(err)
	}
	before, err := s.List(t.Context(), "")
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}

	s = open(t, folder)
	defer s.Close()
	after, err := s.List(t.Context(), "")
	if diff := cmp.Diff(before, after); err != nil || diff != "" || len(after) != 2 {
		t.Errorf("after the restart: %v\n%s", err, diff)
	}
	if version := put(t, s, "gone", "again"); version <= last {
		t.Errorf("version %d after the restart, %d before it", version, last)
	}
}

func testContext(t *testing.T, open Open) {
	s := fresh(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, "a")
	wantErr(t, "Get", err, context.Canceled)
	_, err = s.List(ctx, "a")
	wantErr(t, "List", err, context.Canceled)
	_, err = s.Put(ctx, "a", nil, store.Any)
	wantErr(t, "Put", err, context.Canceled)
	wantErr(t, "Delete", s.Delete(ctx, "a", store.Any), context.Canceled)
	for key := range s.Watch(ctx, "") {
		t.Errorf("Watch yields %q", key)
	}
}

func testClosed(t *testing.T, open Open) {
	s, ctx := open(t, t.TempDir()), t.Context()
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(ctx, "a")
	wantErr(t, "Get", err, store.ErrClosed)
	_, err = s.List(ctx, "a")
	wantErr(t, "List", err, store.ErrClosed)
	_, err = s.Put(ctx, "a", nil, store.Any)
	wantErr(t, "Put", err, store.ErrClosed)
	wantErr(t, "Delete", s.Delete(ctx, "a", store.Any), store.ErrClosed)
	for key := range s.Watch(ctx, "") {
		t.Errorf("Watch yields %q", key)
	}
}
