package catalog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

var errRefused = errors.New("connection refused")

// one is a snapshot of one route.
func one(source model.Source, version uint64) model.Snapshot {
	route := &model.Route{Name: model.Name{Name: "shop"}, Source: source, Priority: int(version)}
	return model.Snapshot{Source: source, Version: version, Routes: []*model.Route{route}}
}

// state is what a catalog says of itself, one line a fact.
func state(c *Catalog) []string {
	var lines []string
	for _, r := range c.Current().Routes {
		lines = append(lines, "route "+r.Ref().String())
	}
	for _, p := range c.Current().Problems {
		lines = append(lines, p.String())
	}
	select {
	case <-c.Ready():
		lines = append(lines, "ready")
	default:
	}
	return lines
}

func expect(t *testing.T, c *Catalog, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, state(c)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

const (
	stale   = "cannot be read; its last known state is served: connection refused (stale, source file/a)"
	unknown = "cannot be read; nothing is known of it yet: connection refused (stale, source file/a)"
	expired = "cannot be read; its last known state is too old to be served: connection refused (stale, source file/a)"
	late    = "said nothing within 10s of the start; serving without it (late, source file/a)"
)

// running makes a catalog and runs it until the test ends.
func running(t *testing.T, o Options) *Catalog {
	c := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return c
}

func TestReadyWhenNothingIsExpected(t *testing.T) {
	expect(t, New(Options{}), "at the start", "ready")
}

func TestReadyWhenAllHavePublished(t *testing.T) {
	c := New(Options{Expect: []model.Source{"file/a", "file/b"}})
	c.Set(one("file/c", 1))
	c.Set(one("file/a", 1))
	expect(t, c, "before the last", "route shop@file/a", "route shop@file/c")
	c.Set(one("file/b", 1))
	expect(t, c, "after the last", "route shop@file/a", "route shop@file/b", "route shop@file/c", "ready")
}

func TestWholeIsWhatWasTakenWhenReady(t *testing.T) {
	c := New(Options{Expect: []model.Source{"file/a", "file/b"}})
	taken := []*model.Snapshot{c.Current()}
	for _, source := range []model.Source{"file/a", "file/b", "file/a"} {
		c.Set(one(source, uint64(len(taken))))
		taken = append(taken, c.Current())
	}
	var whole []bool
	for _, s := range taken {
		whole = append(whole, c.Whole(s))
	}
	if want := []bool{false, false, true, true}; !slices.Equal(whole, want) {
		t.Errorf("whole: %v, want %v", whole, want)
	}
	if early := New(Options{Expect: []model.Source{"file/a"}}); early.Whole(early.Current()) {
		t.Error("whole before anything was said")
	}
}

func TestHeardIsNotOnlyWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Expect: []model.Source{"file/a", "link/b"}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = c.Run(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := c.Current(); !c.Whole(s) || c.Heard(s) {
			t.Errorf("after the deadline: whole %v, heard %v; want true, false", c.Whole(s), c.Heard(s))
		}
		before := c.Current()
		c.Set(one("file/a", 1))
		if c.Heard(before) || !c.Heard(c.Current()) {
			t.Errorf("heard %v before the source spoke, %v after; want false, true", c.Heard(before), c.Heard(c.Current()))
		}
		cancel()
	})
}

func TestReadyWithoutWhatIsForgotten(t *testing.T) {
	c := New(Options{Expect: []model.Source{"file/a"}})
	c.Forget("file/a")
	expect(t, c, "after it was forgotten", "ready")
}

func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := running(t, Options{Expect: []model.Source{"file/a", "file/b"}})
		c.Set(one("file/b", 1))
		time.Sleep(10*time.Second - time.Nanosecond)
		synctest.Wait()
		expect(t, c, "before the deadline", "route shop@file/b")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		expect(t, c, "at the deadline", "route shop@file/b", late, "ready")
		c.Set(one("file/a", 1))
		expect(t, c, "when it comes", "route shop@file/a", "route shop@file/b", "ready")
	})
}

func TestLateAndFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := running(t, Options{Expect: []model.Source{"file/a"}, StartDeadline: time.Second})
		c.Fail("file/a", errRefused)
		expect(t, c, "before the deadline", unknown)
		time.Sleep(time.Second)
		synctest.Wait()
		expect(t, c, "at the deadline", unknown, "ready")
	})
}

func TestFailAfterLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := running(t, Options{Expect: []model.Source{"file/a"}})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		expect(t, c, "at the deadline", late, "ready")
		c.Fail("file/a", errRefused)
		expect(t, c, "when it fails", unknown, "ready")
	})
}

func TestFailKeepsTheLastState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		s := one("file/a", 1)
		s.Problems = []model.Problem{{Code: model.UnknownField, Message: "no such key"}}
		own := s.Problems[0].String()
		c.Set(s)
		began := time.Now()
		c.Fail("file/a", errRefused)
		expect(t, c, "failing", "route shop@file/a", own, stale, "ready")

		version := c.Current().Version
		time.Sleep(time.Minute)
		c.Fail("file/a", errors.New(errRefused.Error()))
		if got := c.Current().Version; got != version {
			t.Errorf("the same failure again made version %d of %d", got, version)
		}
		c.Fail("file/a", errors.New("no route to host"))
		problem := c.Current().Problems[1]
		if want := "cannot be read; its last known state is served: no route to host"; problem.Message != want {
			t.Errorf("the problem is %q, want %q", problem.Message, want)
		}
		if !problem.Since.Equal(began) {
			t.Errorf("failing since %v, want %v", problem.Since, began)
		}
		c.Set(s)
		expect(t, c, "recovered", "route shop@file/a", own, "ready")
	})
}

func TestExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{StaleAfter: map[model.Source]time.Duration{"file/a": time.Minute}})
		c.Set(one("file/a", 1))
		c.Set(one("file/b", 1))
		c.Fail("file/a", errRefused)
		time.Sleep(time.Minute - time.Nanosecond)
		c.Set(one("file/a", 2)) // just in time
		time.Sleep(time.Hour)
		expect(t, c, "recovered in time", "route shop@file/a", "route shop@file/b", "ready")

		c.Fail("file/a", errRefused)
		c.Fail("file/b", errRefused)
		c.Set(one("file/b", 2))
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		expect(t, c, "a second failure has all its time", "route shop@file/a", "route shop@file/b", stale, "ready")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		expect(t, c, "after it", "route shop@file/b", expired, "ready")
		c.Fail("file/a", errRefused)
		expect(t, c, "failing on", "route shop@file/b", expired, "ready")
		c.Set(one("file/a", 3))
		expect(t, c, "recovered", "route shop@file/a", "route shop@file/b", "ready")
	})
}

// A timer that fired just before it was stopped must not end a failure that began after it.
func TestExpireTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		c.Set(one("file/a", 1))
		first := time.Now()
		c.Fail("file/a", errRefused)
		c.Set(one("file/a", 2))
		c.expire("file/a", first)
		expect(t, c, "not failing", "route shop@file/a", "ready")
		time.Sleep(time.Nanosecond)
		c.Fail("file/a", errRefused)
		c.expire("file/a", first)
		expect(t, c, "failing anew", "route shop@file/a", stale, "ready")
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{StaleAfter: map[model.Source]time.Duration{"file/a": time.Minute}})
		c.Set(one("file/a", 1))
		c.Set(one("file/b", 1))
		c.Fail("file/a", errRefused)
		c.Forget("file/a")
		expect(t, c, "forgotten", "route shop@file/b", "ready")
		time.Sleep(time.Hour)
		synctest.Wait()
		expect(t, c, "later", "route shop@file/b", "ready")
	})
}

func TestWatchYieldsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := New(Options{})
		var seen []uint64
		done := make(chan struct{})
		more := make(chan struct{})
		go func() {
			defer close(done)
			for s := range c.Watch(ctx) {
				seen = append(seen, s.Version)
				<-more
			}
		}()
		synctest.Wait()
		for version := range uint64(5) { // while the reader is busy with version 0
			c.Set(one("file/a", version+1))
		}
		more <- struct{}{}
		synctest.Wait()
		more <- struct{}{} // nothing newer: the reader waits
		synctest.Wait()
		c.Set(one("file/a", 6))
		synctest.Wait()
		cancel()
		more <- struct{}{}
		<-done
		if want := []uint64{0, 5, 6}; !slices.Equal(seen, want) {
			t.Errorf("saw %v, want %v", seen, want)
		}
	})
}

func TestWatchEnds(t *testing.T) {
	c := New(Options{})
	for range c.Watch(t.Context()) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for s := range c.Watch(ctx) {
		t.Errorf("yielded version %d after the end", s.Version)
	}
}

// Many write and many read at once: every reader sees versions that only grow, and the last one.
func TestWatchUnderLoad(t *testing.T) {
	const writers, readers, edits = 4, 4, 200
	c := New(Options{})
	var group sync.WaitGroup
	for range readers {
		group.Go(func() {
			var last uint64
			for s := range c.Watch(t.Context()) {
				if s.Version < last {
					t.Errorf("version %d after %d", s.Version, last)
				}
				last = s.Version
				if last == writers*edits {
					return
				}
			}
		})
	}
	for i := range writers {
		group.Go(func() {
			for version := range uint64(edits / 2) {
				c.Set(one(sources[i], version+1))
				c.Fail(sources[i], errRefused)
			}
		})
	}
	group.Wait()
	if got := len(c.Current().Problems); got != writers {
		t.Errorf("%d problems, want one of each writer's last failure", got)
	}
}
