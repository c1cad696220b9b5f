package folder

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"github.com/fairlead/fairlead/internal/model"
)

// Config says what to read, and how.
type Config[T any] struct {
	Source model.Source // which the problems are about
	// Path is a file, or a folder whose files and subfolders are read.
	Path string
	// Once reads it when the reader starts, and not again. False: whenever it changes.
	Once       bool
	Extensions []string // of the files that are read in a folder, in lower case, each with its dot
	// Decode understands a file. What it returns is never changed. An error begins with "name:line: ", where it has a
	// line.
	Decode func(name string, data []byte) (*T, error)
	// Names returns the files that a document names. Nil: none.
	Names func(*T) []string
}

// Reader reads a file or a folder. It remembers the last good content of every file from run to run.
type Reader[T any] struct {
	config Config[T]
	log    *slog.Logger
	root   string  // the absolute path
	known  View[T] // what was told last

	open  func() (*fsnotify.Watcher, error) // for tests: where no events can be had
	pause func(context.Context)             // between two looks; for tests: what may happen meanwhile
}

// New returns a reader for one file or folder.
func New[T any](c Config[T], log *slog.Logger) *Reader[T] {
	return &Reader[T]{config: c, log: log, open: fsnotify.NewWatcher, pause: pause}
}

// View returns what was told last. It must not be called while Run does its work, but by what Run calls.
func (r *Reader[T]) View() View[T] { return r.known }

// Run tells what the path holds, now and whenever it changes, until ctx is done. It returns an error when the path, or
// a folder below it, cannot be read.
func (r *Reader[T]) Run(ctx context.Context, tell func(View[T])) error {
	var err error
	if r.root, err = filepath.Abs(r.config.Path); err != nil {
		return fmt.Errorf("finding %s: %w", r.config.Path, err)
	}
	w := newWatch(r.open, r.log)
	defer w.close()
	for all, first := true, true; ; first = false {
		changed, err := r.refresh(ctx, w, all)
		if err != nil {
			return fmt.Errorf("reading %s: %w", r.config.Path, err)
		}
		if changed || first {
			tell(r.known)
		}
		if r.config.Once {
			<-ctx.Done()
		} else {
			all = w.wait(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// refresh brings what is known up to date. What became worse is looked at a second time before it is believed.
func (r *Reader[T]) refresh(ctx context.Context, w *watch, all bool) (changed bool, err error) {
	next, err := r.look(w, all)
	if r.doubts(next, err) {
		r.pause(ctx)
		next, err = r.look(w, all)
	}
	if err != nil {
		return false, err
	}
	changed = next.differs(r.known)
	r.known = next
	return changed, nil
}

// look reads what is there now, until nothing changes between the arming of the watches and the reading.
func (r *Reader[T]) look(w *watch, all bool) (View[T], error) {
	last := r.known.contents
	for {
		found, err := scan(r.root, r.config.Extensions)
		if err != nil {
			return View[T]{}, err
		}
		v := View[T]{files: found.files, contents: make(map[string]*content[T], len(found.files))}
		for _, path := range found.files {
			v.contents[path] = r.load(path, last[path], all)
		}
		v.attached = r.attach(v, &found)
		if r.config.Once || !w.arm(found.folders) {
			return v, nil
		}
		last = v.contents
	}
}

// doubts reports whether a look showed what may be gone again in a moment: an editor or a script is writing.
func (r *Reader[T]) doubts(next View[T], err error) bool {
	if err != nil {
		return len(r.known.files) > 0
	}
	for path, last := range r.known.contents {
		if now, ok := next.contents[path]; !ok || last.worse(now) {
			return true
		}
	}
	for name, last := range r.known.attached {
		if now, ok := next.attached[name]; ok && last.err == nil && len(last.data) > 0 && len(now.data) == 0 {
			return true
		}
	}
	return false
}
