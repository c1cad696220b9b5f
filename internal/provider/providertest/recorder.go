package providertest

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
)

// deadline is when a test is given up: before a provider that misses events looks again by itself.
const deadline = 20 * time.Second

// event is one call of the sink: a snapshot, or a failure.
type event struct {
	snapshot model.Snapshot
	failure  error
}

// recorder is a sink that hands every call on, in order.
type recorder struct {
	t      *testing.T
	apart  bool // see Place
	events chan event
}

func (r *recorder) Set(s model.Snapshot)                { r.events <- event{snapshot: s} }
func (r *recorder) Fail(source model.Source, err error) { r.events <- event{failure: err} }

// record runs the place's provider until the test ends, or until stop is called. It fails the test when that takes
// long.
func record(t *testing.T, p Place) (r *recorder, stop func()) {
	t.Helper()
	r = &recorder{t: t, apart: p.Apart, events: make(chan event, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- provider.Run(ctx, p.Source, p.Provider, r, slog.New(slog.DiscardHandler)) }()
	stopped := false
	stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		case <-time.After(deadline):
			t.Error("the provider does not stop when its context is done")
		}
	}
	t.Cleanup(stop)
	return r, stop
}

// take returns the next call.
func (r *recorder) take() event {
	r.t.Helper()
	select {
	case e := <-r.events:
		if e.failure == nil {
			r.wellFormed(e.snapshot)
		}
		return e
	case <-time.After(deadline):
		r.t.Fatal("the provider says nothing")
		return event{}
	}
}

// next returns the next snapshot. Failures on the way are errors unless the caller allows them.
func (r *recorder) next(allowFailure bool) model.Snapshot {
	r.t.Helper()
	for {
		e := r.take()
		if e.failure == nil {
			return e.snapshot
		}
		if !allowFailure {
			r.t.Fatalf("the source failed: %v", e.failure)
		}
	}
}

// failure waits until the source is reported as unreadable. What is published before that must hold these routes.
func (r *recorder) failure(rules map[string]string) {
	r.t.Helper()
	for {
		e := r.take()
		if e.failure != nil {
			return
		}
		if got := names(e.snapshot); !slices.Equal(got, sorted(rules)) {
			r.t.Fatalf("a source that cannot be read published %v", got)
		}
	}
}

// until returns the first snapshot that holds exactly the routes of want. Those before it must hold the routes of have:
// anything else is a part of something.
func (r *recorder) until(have, want map[string]string, allowFailure bool) model.Snapshot {
	r.t.Helper()
	for {
		s := r.next(allowFailure)
		switch got := names(s); {
		case slices.Equal(got, sorted(want)):
			return s
		case !slices.Equal(got, sorted(have)) && !(r.apart && isBetween(got, have, want)):
			r.t.Fatalf("published %v, which is neither %v nor %v", got, sorted(have), sorted(want))
		}
	}
}

// isBetween reports whether each of the names is in have or in want, and all that are in both are among them.
func isBetween(names []string, have, want map[string]string) bool {
	for _, name := range names {
		if have[name] == "" && want[name] == "" {
			return false
		}
	}
	for name := range have {
		if want[name] != "" && !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

func sorted(rules map[string]string) []string { return slices.Sorted(maps.Keys(rules)) }

func names(s model.Snapshot) []string {
	var names []string
	for _, route := range s.Routes {
		names = append(names, route.Name.Name)
	}
	slices.Sort(names)
	return names
}

// wellFormed checks what must hold for every snapshot.
func (r *recorder) wellFormed(s model.Snapshot) {
	r.t.Helper()
	refs := map[string][]model.Ref{}
	for _, o := range s.Routes {
		refs["route"] = append(refs["route"], o.Ref())
		if o.Match.Op == model.All && len(o.Match.Of) == 0 {
			r.t.Errorf("route %s accepts every request", o.Ref())
		}
	}
	for _, o := range s.Services {
		refs["service"] = append(refs["service"], o.Ref())
		if !slices.IsSortedFunc(o.Endpoints, func(a, b model.Endpoint) int { return order(a.Addr, b.Addr) }) {
			r.t.Errorf("the endpoints of %s are not sorted, each once", o.Ref())
		}
	}
	for _, o := range s.Middlewares {
		refs["middleware"] = append(refs["middleware"], o.Ref())
	}
	for kind, list := range refs {
		for i, ref := range list {
			if ref.Source != s.Source {
				r.t.Errorf("%s %s does not carry its source, %s", kind, ref, s.Source)
			}
			if i > 0 && list[i-1].Compare(ref) >= 0 {
				r.t.Errorf("%s %s comes after %s: not sorted, or twice", kind, ref, list[i-1])
			}
		}
	}
	for _, p := range s.Problems {
		if p.Code == "" || p.Message == "" || p.Object.Kind == "" {
			r.t.Errorf("problem %+v lacks a code, a message or an object", p)
		}
	}
}

// order compares like cmp.Compare, but equal is out of order too.
func order(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}
