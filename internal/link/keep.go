package link

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	saveInterval = time.Second      // at most one save in it
	retrySave    = 30 * time.Second // after a save that failed
)

// restore publishes what the cache knows, once. A cache that cannot be used is said to be so, and gone without.
func (f *Follower) restore(publish func(model.Snapshot)) {
	f.publishing.Lock()
	defer f.publishing.Unlock()
	f.mu.Lock()
	done := f.restored || f.o.Cache == nil
	f.restored = true
	f.mu.Unlock()
	if done {
		return
	}
	data, err := f.o.Cache.Load()
	if err == nil && data == nil {
		return
	}
	f.mu.Lock()
	if err == nil {
		f.state.Epoch, f.state.Revision, err = f.known.restore(data, time.Now())
	}
	if err != nil {
		f.blame(err)
		f.mu.Unlock()
		return // nothing is known, which is not the same as knowing that there is nothing
	}
	snapshot := f.snapshot()
	f.o.Log.Info("the last known state of the cluster was read", "cluster", f.o.Cluster,
		"routes", len(snapshot.Routes), "revision", f.state.Revision)
	f.mu.Unlock()
	publish(snapshot)
}

func (f *Follower) blame(err error) {
	f.o.Log.Error("the last known state of the cluster cannot be used", "cluster", f.o.Cluster, "error", err)
	f.fault = &model.Problem{
		Object: model.Object{Kind: model.KindCluster, Ref: model.Ref{
			Name: model.Name{Name: f.o.Cluster}, Source: model.LinkSource(f.o.Cluster),
		}},
		Code: model.InvalidFile,
		Message: "the last known state on disk cannot be used, so nothing was served until the cluster answered: " +
			printable(err.Error(), maxReportMsg),
	}
}

// keepSaved writes the cache when it is behind, and once more at the end.
func (f *Follower) keepSaved(ctx context.Context, publish func(model.Snapshot)) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-f.unsaved:
			pause(ctx, f.save(publish))
		}
	}
	select {
	case <-f.unsaved:
		f.save(publish)
	default:
	}
}

// save writes the cache and returns how long to wait until the next time.
func (f *Follower) save(publish func(model.Snapshot)) time.Duration {
	if f.o.Cache == nil {
		return saveInterval
	}
	f.mu.Lock()
	state := f.known.save(f.state.Epoch, f.state.Revision)
	f.mu.Unlock()
	if err := f.o.Cache.Save(encode(state)); err != nil {
		f.o.Log.Warn("the last known state of the cluster cannot be saved", "cluster", f.o.Cluster, "error", err)
		signal(f.unsaved)
		return retrySave
	}
	f.mended(publish)
	return saveInterval
}

// mended takes back what was said of the cache, once it has been replaced by a good one.
func (f *Follower) mended(publish func(model.Snapshot)) {
	f.publishing.Lock()
	defer f.publishing.Unlock()
	f.mu.Lock()
	if f.fault == nil {
		f.mu.Unlock()
		return
	}
	f.fault = nil
	snapshot := f.snapshot()
	f.mu.Unlock()
	publish(snapshot)
}

// pause waits, but not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
