package folder

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	holdOff     = 5 * time.Millisecond  // without events, until a burst is over
	longestHold = 50 * time.Millisecond // however long a burst lasts
	resync      = 30 * time.Second      // where events are lost: network file systems, too many watches
)

// watch tells when something may have changed in a set of folders.
type watch struct {
	log     *slog.Logger
	open    func() (*fsnotify.Watcher, error)
	tick    *time.Ticker
	fs      *fsnotify.Watcher // nil: no events
	folders []folder          // that fs watches, or should
	alive   int               // how many watches fs had once it was armed
	warned  bool
}

// folder is a path and what was there: a folder that takes another's place needs a watch of its own.
type folder struct {
	path string
	info fs.FileInfo // nil: there was nothing
}

func (f folder) same(o folder) bool {
	return f.path == o.path && (f.info == nil) == (o.info == nil) && (f.info == nil || os.SameFile(f.info, o.info))
}

func newWatch(open func() (*fsnotify.Watcher, error), log *slog.Logger) *watch {
	return &watch{log: log, open: open, tick: time.NewTicker(resync)}
}

func (w *watch) close() {
	w.tick.Stop()
	w.disarm()
}

func (w *watch) disarm() {
	if w.fs != nil {
		_ = w.fs.Close() // it cannot fail in a way that matters: there is nothing to write
		w.fs = nil
	}
}

// arm watches these folders and no others. It reports whether that changed anything: what was read before may then be
// out of date without an event to say so. All watches are made anew, since a watch ends unseen when its folder is
// moved.
func (w *watch) arm(paths []string) (changed bool) {
	folders := make([]folder, len(paths))
	for i, path := range paths {
		folders[i].path = path
		folders[i].info, _ = os.Stat(path)
	}
	if slices.EqualFunc(folders, w.folders, folder.same) && (w.fs == nil || len(w.fs.WatchList()) == w.alive) {
		return false
	}
	w.disarm()
	w.folders, w.alive = folders, 0
	watcher, err := w.open()
	if err != nil {
		w.warn(err)
		return true
	}
	for _, f := range folders {
		if err := watcher.Add(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.warn(err)
		}
	}
	w.fs, w.alive = watcher, len(watcher.WatchList())
	return true
}

func (w *watch) warn(err error) {
	if !w.warned {
		w.warned = true
		w.log.Warn("not every folder can be watched; changes are seen with delay", "delay", resync, "error", err)
	}
}

// wait blocks until something may have changed and the burst of events is over, or ctx is done. It reports whether
// events may have been missed, so that all files must be read.
func (w *watch) wait(ctx context.Context) (all bool) {
	var (
		events chan fsnotify.Event
		failed chan error
	)
	if w.fs != nil {
		events, failed = w.fs.Events, w.fs.Errors
	}
	select {
	case <-ctx.Done():
		return false
	case <-w.tick.C:
		return true
	case err := <-failed:
		all = w.lost(err)
	case <-events:
	}
	longest := time.After(longestHold)
	for {
		select {
		case <-ctx.Done():
			return all
		case <-longest:
			return all
		case <-time.After(holdOff):
			return all
		case err := <-failed:
			all = w.lost(err)
		case <-events:
		}
	}
}

// pause waits for one hold-off.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(holdOff):
	}
}

// lost says that events were lost, so that all files are to be read.
func (w *watch) lost(err error) (all bool) {
	w.log.Debug("events were lost; reading all files", "error", err)
	return true
}
