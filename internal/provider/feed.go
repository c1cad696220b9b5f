package provider

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// feed is what one source said last, on its way to the sink. It outlives the runs of the provider.
type feed struct {
	source model.Source
	sink   Sink
	log    *slog.Logger

	mu        sync.Mutex
	run       int  // which run is on; 0: none
	runs      int  // how many there were
	published bool // this run published
	last      model.Snapshot
	// said is what last was made of. An object that the provider says again is told by its pointer, also where another
	// one was published for it, which was there before and is equal.
	said    model.Snapshot
	failure string // why the source cannot be read; "" when it can
}

// begin opens the feed for one run, which publishes with the function that is returned. What a goroutine that the
// provider left behind says after the run is not heard.
func (f *feed) begin() (publish func(model.Snapshot)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs++
	run := f.runs
	f.run, f.published = run, false
	return func(s model.Snapshot) { f.publish(run, s) }
}

// end closes the feed and reports whether the run published.
func (f *feed) end() (published bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run = 0
	return f.published
}

func (f *feed) publish(run int, next model.Snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.run != run {
		return
	}
	f.published = true
	next.Source = f.source
	next.SortAfter(&f.said)
	said := next
	next = said.WithOwnLists()
	model.Recall(&f.said, &f.last, &next)
	f.said = said
	changed := model.Reuse(&f.last, &next)
	if !changed && f.failure == "" && f.last.Version > 0 {
		return
	}
	if f.failure != "" {
		f.log.Info("source is read again")
		f.failure = ""
	}
	next.Version = f.last.Version + 1
	f.last = next
	f.sink.Set(next)
}

// fail reports the end of a run. A failure that repeats is told loudly once.
func (f *feed) fail(ctx context.Context, err error, again time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	level := slog.LevelWarn
	if f.failure == err.Error() {
		level = slog.LevelDebug
	}
	f.failure = err.Error()
	attrs := []any{"error", err, "retry", again.Round(time.Millisecond)}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, "stack", string(p.stack))
	}
	f.log.Log(ctx, level, "source cannot be read; its last state is kept", attrs...)
	f.sink.Fail(f.source, err)
}
