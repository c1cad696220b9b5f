package catalog

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Options configure a Catalog.
type Options struct {
	// Order is the precedence of the sources, first wins; sources that it does not name come after, as equals.
	Order []model.Source
	// Expect are the sources to wait for before the catalog is ready.
	Expect []model.Source
	// StartDeadline bounds that wait. Zero: 10 s.
	StartDeadline time.Duration
	// StaleAfter says how long the last snapshot of a failing source is served. Absent or zero: for ever.
	StaleAfter map[model.Source]time.Duration
}

// Catalog is the latest snapshot of every source, and all of them merged. Its methods may be called from any goroutine.
type Catalog struct {
	options Options

	mu      sync.Mutex
	from    map[model.Source]model.Snapshot
	failing map[model.Source]failure
	waiting map[model.Source]bool // expected sources that said nothing yet
	history map[model.Source]History
	merged  *model.Snapshot
	changed chan struct{} // closed when merged is replaced
	ready   chan struct{} // closed when waiting is empty
	whole   uint64        // version of merged when ready was closed

	silent map[model.Source]bool // expected sources, links aside, that have never published
	heard  uint64                // version of merged when the last of them did
}

// History is what became of a source so far.
type History struct {
	Changed time.Time // when its objects changed last; zero: never, nothing was heard of it
	Again   int       // how often it could be read again after it could not
	Failure string    // why it cannot be read now; "": it can
}

// failure is why and since when a source cannot be read.
type failure struct {
	since   time.Time
	err     error
	meaning string      // what is served meanwhile
	expiry  *time.Timer // nil where the last snapshot is kept for ever
}

// What is served of a source that cannot be read.
const (
	lastState = "its last known state is served"
	nothing   = "nothing is known of it yet"
	tooOld    = "its last known state is too old to be served"
)

// New returns an empty catalog.
func New(o Options) *Catalog {
	if o.StartDeadline == 0 {
		o.StartDeadline = 10 * time.Second
	}
	c := &Catalog{
		options: o,
		from:    make(map[model.Source]model.Snapshot),
		failing: make(map[model.Source]failure),
		history: make(map[model.Source]History),
		waiting: make(map[model.Source]bool),
		silent:  make(map[model.Source]bool),
		merged:  &model.Snapshot{Order: slices.Clone(o.Order)},
		changed: make(chan struct{}),
		ready:   make(chan struct{}),
	}
	for _, source := range o.Expect {
		c.waiting[source] = true
		if source.Kind() != model.LinkKind {
			c.silent[source] = true
		}
	}
	c.settle("")
	return c
}

// Run reports the expected sources that said nothing within the start deadline, and is then ready without them. It
// blocks until ctx is done.
func (c *Catalog) Run(ctx context.Context) error {
	deadline := time.NewTimer(c.options.StartDeadline)
	defer deadline.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-c.ready:
	case <-deadline.C:
		c.startWithout()
	}
	<-ctx.Done()
	return nil
}

func (c *Catalog) startWithout() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for source := range c.waiting {
		if _, failing := c.failing[source]; !failing {
			c.replace(model.Snapshot{Source: source, Problems: []model.Problem{{
				Object:  model.Object{Kind: model.KindSource, Ref: model.Ref{Source: source}},
				Code:    model.Late,
				Message: fmt.Sprintf("said nothing within %v of the start; serving without it", c.options.StartDeadline),
			}}})
		}
		c.settle(source)
	}
}

// Set replaces what s.Source said before. The snapshot must be sorted and is never changed again.
func (c *Catalog) Set(s model.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.history[s.Source]
	if _, failing := c.failing[s.Source]; failing && !h.Changed.IsZero() {
		h.Again++
	}
	if h.Changed.IsZero() || !sameObjects(c.from[s.Source], s) {
		h.Changed = time.Now()
	}
	c.history[s.Source] = h
	c.recovered(s.Source)
	c.replace(s)
	if c.silent[s.Source] {
		delete(c.silent, s.Source)
		c.heard = c.merged.Version
	}
	c.settle(s.Source)
}

// sameObjects reports whether two snapshots of a source hold the same objects.
func sameObjects(a, b model.Snapshot) bool {
	return slices.Equal(a.Services, b.Services) && slices.Equal(a.Routes, b.Routes) &&
		slices.Equal(a.Middlewares, b.Middlewares) && slices.Equal(a.Transports, b.Transports) &&
		slices.Equal(a.Certificates, b.Certificates) && slices.Equal(a.TLSOptions, b.TLSOptions)
}

// History returns what became of a source so far.
func (c *Catalog) History(source model.Source) History {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.history[source]
	if f, failing := c.failing[source]; failing {
		h.Failure = f.err.Error()
	}
	return h
}

// Fail says that a source cannot be read now. Its last snapshot is kept, with a Problem that says since when.
func (c *Catalog) Fail(source model.Source, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, failing := c.failing[source]
	if failing && was.err.Error() == err.Error() {
		return
	}
	last := c.from[source]
	f := was
	f.err = err
	if !failing {
		f = c.failed(source, err, last.Version > 0)
	}
	c.failing[source] = f
	last.Source = source
	last.Problems = append(withoutState(last.Problems), f.problem(source))
	slices.SortFunc(last.Problems, model.Problem.Compare)
	c.replace(last)
}

// failed makes the failure of a source that could be read until now. The lock is held.
func (c *Catalog) failed(source model.Source, err error, known bool) failure {
	f := failure{since: time.Now(), err: err, meaning: nothing}
	if !known {
		return f
	}
	f.meaning = lastState
	if after := c.options.StaleAfter[source]; after > 0 {
		f.expiry = time.AfterFunc(after, func() { c.expire(source, f.since) })
	}
	return f
}

// withoutState returns the problems that the source itself published: those that the catalog added are left out.
func withoutState(problems []model.Problem) []model.Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p model.Problem) bool {
		return p.Object.Kind == model.KindSource && (p.Code == model.Stale || p.Code == model.Late)
	})
}

func (f failure) problem(source model.Source) model.Problem {
	return model.Problem{
		Object:  model.Object{Kind: model.KindSource, Ref: model.Ref{Source: source}},
		Code:    model.Stale,
		Message: fmt.Sprintf("cannot be read; %s: %v", f.meaning, f.err),
		Since:   f.since,
	}
}

// expire drops the objects of a source that has been failing since then, which is longer than it may. A timer that
// comes too late to be stopped finds no failure, or a younger one, and does nothing.
func (c *Catalog) expire(source model.Source, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, failing := c.failing[source]
	if !failing || !f.since.Equal(since) {
		return
	}
	f.meaning = tooOld
	c.failing[source] = f
	c.replace(model.Snapshot{Source: source, Problems: []model.Problem{f.problem(source)}})
}

// Forget drops a source that is no longer configured. Call it when the source's provider has ended: what is said of a
// source after it was forgotten makes it known again.
func (c *Catalog) Forget(source model.Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recovered(source)
	c.replace(model.Snapshot{Source: source})
	delete(c.from, source)
	delete(c.history, source)
	c.settle(source)
}

// recovered forgets a source's failure. The lock is held.
func (c *Catalog) recovered(source model.Source) {
	if f, failing := c.failing[source]; failing {
		if f.expiry != nil {
			f.expiry.Stop()
		}
		delete(c.failing, source)
	}
}

// replace merges a source's new snapshot and wakes the watchers. The lock is held.
func (c *Catalog) replace(s model.Snapshot) {
	prev := c.from[s.Source]
	c.from[s.Source] = s
	merged := update(c.merged, prev, s, c.options.Order, c.from)
	merged.Version = c.merged.Version + 1
	c.merged = merged
	c.wake()
}

// settle says that a source need not be waited for any longer. The lock is held (or the catalog is not shared yet).
func (c *Catalog) settle(source model.Source) {
	delete(c.waiting, source)
	if len(c.waiting) > 0 {
		return
	}
	select {
	case <-c.ready:
	default:
		c.whole = c.merged.Version
		close(c.ready)
		c.wake() // who watches may have waited for this, not for a change
	}
}

// wake lets every Watch yield again. The lock is held (or the catalog is not shared yet).
func (c *Catalog) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Ready is closed once every expected source has published, or the start deadline has passed.
func (c *Catalog) Ready() <-chan struct{} { return c.ready }

// Whole reports whether a merged snapshot has what every expected source said: one that was taken before the catalog
// was ready has not, although the catalog may be ready by now.
func (c *Catalog) Whole(s *model.Snapshot) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) == 0 && s.Version >= c.whole
}

// Heard reports whether a merged snapshot has what each of the instance's own sources said. It differs from Whole where
// the start deadline passed without them: then what is missing in the snapshot is not known to be gone.
func (c *Catalog) Heard(s *model.Snapshot) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.silent) == 0 && s.Version >= c.heard
}

// Current returns the merged snapshot as it is now.
func (c *Catalog) Current() *model.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.merged
}

// Watch yields the merged snapshot as it is, then each newer one, until ctx is done. The newest wins: a slow reader
// skips what came between; it never sees an older one after a newer.
func (c *Catalog) Watch(ctx context.Context) iter.Seq[*model.Snapshot] {
	return func(yield func(*model.Snapshot) bool) {
		for ctx.Err() == nil {
			c.mu.Lock()
			merged, changed := c.merged, c.changed
			c.mu.Unlock()
			if !yield(merged) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}
