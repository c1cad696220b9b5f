package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
)

const source = model.Source("fake/main")

// script is a provider whose runs are functions, one after the other; the last is repeated.
type script struct {
	runs    []run
	started []time.Time
}

func (s *script) Run(ctx context.Context, publish func(model.Snapshot)) error {
	n := min(len(s.started), len(s.runs)-1)
	s.started = append(s.started, time.Now())
	return s.runs[n](ctx, publish)
}

// sink records what it is told.
type sink struct {
	set    []model.Snapshot
	failed []string
}

func (s *sink) Set(snapshot model.Snapshot) { s.set = append(s.set, snapshot) }
func (s *sink) Fail(source model.Source, err error) {
	s.failed = append(s.failed, string(source)+": "+err.Error())
}

func routes(names ...string) model.Snapshot {
	var s model.Snapshot
	for _, name := range names {
		s.Routes = append(s.Routes, &model.Route{
			Name: model.Name{Name: name}, Source: source, Match: model.Leaf(model.Host, name+".example"),
		})
	}
	return s
}

type run = func(context.Context, func(model.Snapshot)) error

func publishing(then func(ctx context.Context) error, snapshots ...model.Snapshot) run {
	return func(ctx context.Context, publish func(model.Snapshot)) error {
		for _, s := range snapshots {
			publish(s)
		}
		return then(ctx)
	}
}

func blocks(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func fails(message string) func(context.Context) error {
	return func(context.Context) error { return errors.New(message) }
}

// play runs the script for some (virtual) time.
func play(t *testing.T, s *script, to *sink, log io.Writer, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := provider.Run(ctx, source, s, to, slog.New(slog.NewTextHandler(log, nil))); err != nil {
		t.Errorf("Run = %v, want nil once its context is done", err)
	}
	if ctx.Err() == nil {
		t.Error("Run returned before its context was done")
	}
}

func TestRunPublishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{runs: []run{
			publishing(blocks, routes("b", "a"), routes("a", "b"), routes("c", "b", "a"), routes()),
		}}
		var to sink
		play(t, s, &to, io.Discard, time.Hour)
		if len(to.set) != 3 {
			t.Fatalf("%d snapshots, want 3: the second says nothing new", len(to.set))
		}
		for i, got := range to.set {
			if got.Source != source || got.Version != uint64(i+1) {
				t.Errorf("snapshot %d is %s version %d", i, got.Source, got.Version)
			}
			if !slices.IsSortedFunc(got.Routes, func(a, b *model.Route) int { return a.Ref().Compare(b.Ref()) }) {
				t.Errorf("snapshot %d is not sorted", i)
			}
		}
		if to.set[0].Routes[0] != to.set[1].Routes[0] || to.set[0].Routes[1] != to.set[1].Routes[1] {
			t.Error("routes that did not change lost their pointers")
		}
		if len(to.set[2].Routes) != 0 {
			t.Error("the empty snapshot was not honoured")
		}
		if len(to.failed) != 0 {
			t.Errorf("failed: %v", to.failed)
		}
	})
}

func TestRunEmptyFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to sink
		play(t, &script{runs: []run{publishing(blocks, routes())}}, &to,
			io.Discard, time.Hour)
		if len(to.set) != 1 {
			t.Errorf("%d snapshots, want the empty one: the catalog waits for it", len(to.set))
		}
	})
}

func TestRunRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan func(model.Snapshot), 1)
		s := &script{runs: []run{
			publishing(fails("lost"), routes("a")),
			publishing(func(context.Context) error { return nil }),
			publishing(func(context.Context) error { panic("oops") }),
			func(ctx context.Context, publish func(model.Snapshot)) error {
				late <- publish
				return errors.New("four")
			},
			func(ctx context.Context, publish func(model.Snapshot)) error {
				(<-late)(routes("a", "b")) // the run before is over: must not count
				publish(routes("a"))
				return blocks(ctx)
			},
		}}
		var (
			to  sink
			log strings.Builder
		)
		play(t, s, &to, &log, time.Hour)
		want := []string{"fake/main: lost", "fake/main: ended by itself", "fake/main: panic: oops", "fake/main: four"}
		if !slices.Equal(to.failed, want) {
			t.Errorf("failures %q, want %q", to.failed, want)
		}
		// The one publish after the failures changes nothing, but says that the source can be read again.
		if len(to.set) != 2 || to.set[1].Version != 2 || to.set[0].Routes[0] != to.set[1].Routes[0] {
			t.Errorf("snapshots %+v, want the same route twice, versions 1 and 2", to.set)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 4 {
			t.Errorf("%d warnings, want one a failure:\n%s", n, log.String())
		}
		if !strings.Contains(log.String(), "run_test.go") {
			t.Errorf("the panic's stack is not logged:\n%s", log.String())
		}
	})
}

func TestRunBacksOff(t *testing.T) {
	for _, test := range []struct {
		name     string
		run      run
		min, max time.Duration // of the waits in the end
	}{
		{"grows to 15 s", publishing(fails("no")), 5 * time.Second, 15 * time.Second},
		{"a publish resets it", publishing(fails("no"), routes("a")), 50 * time.Millisecond, 150 * time.Millisecond},
		{"a long run resets it", publishing(func(ctx context.Context) error {
			short, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			<-short.Done()
			return errors.New("no")
		}), 30*time.Second + 50*time.Millisecond, 30*time.Second + 150*time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var (
					to  sink
					log strings.Builder
				)
				s := &script{runs: []run{test.run}}
				play(t, s, &to, &log, 10*time.Minute)
				first := s.started[1].Sub(s.started[0])
				if first%(30*time.Second) < 50*time.Millisecond || first%(30*time.Second) > 150*time.Millisecond {
					t.Errorf("the first wait is %v", first)
				}
				for i := 12; i < len(s.started); i++ {
					if wait := s.started[i].Sub(s.started[i-1]); wait < test.min || wait > test.max {
						t.Errorf("wait %d is %v, want %v to %v", i, wait, test.min, test.max)
					}
				}
				if n := strings.Count(log.String(), "level=WARN"); len(to.set) == 0 && n != 1 {
					t.Errorf("%d warnings of a failure that repeats, want 1", n)
				}
			})
		})
	}
}

func TestRunDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &script{runs: []run{publishing(blocks)}}
	if err := provider.Run(ctx, source, s, &sink{}, slog.New(slog.DiscardHandler)); err != nil || len(s.started) != 0 {
		t.Errorf("Run = %v after %d starts, want nil after none", err, len(s.started))
	}
}

// A provider says ten thousand routes again, one of which is another: of the others, each is equal to the one that was
// published, and not the same, since it was read again once.
func BenchmarkPublish(b *testing.B) {
	ended := errors.New("ended")
	read := func(n int) *model.Route {
		name := fmt.Sprintf("r%05d", n)
		return &model.Route{Name: model.Name{Name: name}, Source: source, Match: model.Leaf(model.Host, name+".example")}
	}
	var first, again model.Snapshot
	for n := range 10_000 {
		first.Routes, again.Routes = append(first.Routes, read(n)), append(again.Routes, read(n))
	}
	ctx, cancel := context.WithCancel(b.Context())
	p := &script{runs: []run{func(_ context.Context, publish func(model.Snapshot)) error {
		publish(first)
		publish(again.WithOwnLists())
		for n := 0; b.Loop(); n++ {
			s := again.WithOwnLists()
			changed := *s.Routes[n%len(s.Routes)]
			changed.Priority = n
			s.Routes[n%len(s.Routes)] = &changed
			publish(s)
		}
		cancel()
		return ended
	}}}
	if err := provider.Run(ctx, source, p, forgetful{}, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
}

type forgetful struct{}

func (forgetful) Set(model.Snapshot)       {}
func (forgetful) Fail(model.Source, error) {}
