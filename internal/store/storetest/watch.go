package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/internal/store"
)

func testWatch(t *testing.T, open Open) {
	s := fresh(t, open)
	put(t, s, "w/before", "x")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch := s.Watch(ctx, "w/")
	put(t, s, "v/other", "x") // not under the prefix
	put(t, s, "w/1", "x")     // after the call, before anybody reads

	steps := []func(){
		func() { put(t, s, "w/2", "x") },
		func() { put(t, s, "w/1", "y") },
		func() {
			if err := s.Delete(t.Context(), "w/2", store.Any); err != nil {
				t.Error(err)
			}
		},
	}
	want := []string{"w/1", "w/2", "w/1", "w/2"}
	for key := range watch {
		if key != want[0] {
			t.Fatalf("the watch yields %q, want %q", key, want[0])
		}
		if want = want[1:]; len(steps) == 0 {
			break
		}
		steps[0]()
		steps = steps[1:]
	}
	if len(want) > 0 {
		t.Errorf("the watch never yielded %q", want)
	}
}

func testWatchUnread(t *testing.T, open Open) {
	s := fresh(t, open)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch := s.Watch(ctx, "")
	for i := range 30 {
		put(t, s, fmt.Sprint(i%3), fmt.Sprint(i))
	}
	put(t, s, "last", "x")
	seen := map[string]bool{}
	for key := range watch {
		seen[key] = true
		if len(seen) == 4 {
			break
		}
	}
	if !seen["0"] || !seen["1"] || !seen["2"] || !seen["last"] {
		t.Errorf("the watch yields %v", seen)
	}
}

func testWatchEnds(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	byContext, byClose := s.Watch(ctx, ""), s.Watch(t.Context(), "")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range byContext {
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	cancel()
	<-ended
	for range byClose {
	}
}
