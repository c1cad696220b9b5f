package file

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/fairlead/fairlead/internal/dynamic"
	"github.com/fairlead/fairlead/internal/model"
)

// Config says what to read.
type Config struct {
	Source model.Source // who the objects belong to: "file/main"
	// Path is a file (.yml, .yaml, .toml or .json), or a folder whose files and subfolders are read.
	Path string
	// Once reads it when the provider starts, and not again. False: whenever it changes.
	Once bool
}

// Provider reads a file or a folder. It remembers the last good content of every file from run to run.
type Provider struct {
	config Config
	log    *slog.Logger
	root   string // the absolute path
	known  view   // what was published last

	open  func() (*fsnotify.Watcher, error) // for tests: where no events can be had
	pause func(context.Context)             // between two looks; for tests: what may happen meanwhile
}

// view is what the path led to at one moment.
type view struct {
	files    []string // sorted
	contents map[string]*content
	attached map[string]attachment // by the name that documents use
}

// New returns a provider for one file or folder.
func New(c Config, log *slog.Logger) *Provider {
	return &Provider{config: c, log: log, open: fsnotify.NewWatcher, pause: pause}
}

// Run publishes what the path holds, now and whenever it changes. It returns an error when the path, or a folder
// below it, cannot be read.
func (p *Provider) Run(ctx context.Context, publish func(model.Snapshot)) error {
	var err error
	if p.root, err = filepath.Abs(p.config.Path); err != nil {
		return fmt.Errorf("finding %s: %w", p.config.Path, err)
	}
	w := newWatch(p.open, p.log)
	defer w.close()
	for all, first := true, true; ; first = false {
		changed, err := p.refresh(ctx, w, all)
		if err != nil {
			return fmt.Errorf("reading %s: %w", p.config.Path, err)
		}
		if changed || first {
			publish(p.snapshot())
		}
		if p.config.Once {
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
func (p *Provider) refresh(ctx context.Context, w *watch, all bool) (changed bool, err error) {
	next, err := p.look(w, all)
	if p.doubts(next, err) {
		p.pause(ctx)
		next, err = p.look(w, all)
	}
	if err != nil {
		return false, err
	}
	changed = next.differs(p.known)
	p.known = next
	return changed, nil
}

// look reads what is there now, until nothing changes between the arming of the watches and the reading.
func (p *Provider) look(w *watch, all bool) (view, error) {
	last := p.known.contents
	for {
		found, err := scan(p.root)
		if err != nil {
			return view{}, err
		}
		v := view{files: found.files, contents: make(map[string]*content, len(found.files))}
		for _, path := range found.files {
			v.contents[path] = p.load(path, last[path], all)
		}
		v.attached = p.attach(v, &found)
		if p.config.Once || !w.arm(found.folders) {
			return v, nil
		}
		last = v.contents
	}
}

func (v view) differs(last view) bool {
	if len(v.files) != len(last.files) || !maps.EqualFunc(v.attached, last.attached, attachment.same) {
		return true
	}
	for path, c := range v.contents {
		if was, ok := last.contents[path]; !ok || !was.same(c) {
			return true
		}
	}
	return false
}

// doubts reports whether a look showed what may be gone again in a moment: an editor or a script is writing.
func (p *Provider) doubts(next view, err error) bool {
	if err != nil {
		return len(p.known.files) > 0
	}
	for path, last := range p.known.contents {
		if now, ok := next.contents[path]; !ok || last.worse(now) {
			return true
		}
	}
	for name, last := range p.known.attached {
		if now, ok := next.attached[name]; ok && last.err == nil && len(last.data) > 0 && len(now.data) == 0 {
			return true
		}
	}
	return false
}

func (p *Provider) snapshot() model.Snapshot {
	var (
		docs     []*dynamic.Document
		problems []model.Problem
	)
	for _, path := range p.known.files {
		c := p.known.contents[path]
		if c.good != nil {
			docs = append(docs, c.good)
		}
		if c.bad != nil {
			problems = append(problems, *c.bad)
		}
	}
	s := dynamic.Build(p.config.Source, docs, dynamic.WithFiles(p.known.attachment))
	s.Problems = append(s.Problems, problems...)
	s.Sort()
	return s
}

// short returns a file's name as problems tell it: from the folder above the configured path.
func (p *Provider) short(path string) string {
	name, err := filepath.Rel(filepath.Dir(p.root), path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(name)
}

func (p *Provider) problem(at, message string, good bool) *model.Problem {
	effect := "; nothing of it is served yet"
	if good {
		effect = "; its last good content is served"
	}
	return &model.Problem{
		Object: model.Object{Kind: model.KindSource, Ref: model.Ref{Source: p.config.Source}},
		Code:   model.InvalidFile, Message: message + effect, At: at,
	}
}

// place splits what a decoder says of a file, "file:line: message", into the place and the message.
func place(file string, err error) (at, message string) {
	message = err.Error()
	rest, ok := strings.CutPrefix(message, file+":")
	if !ok {
		return file, message
	}
	line, after, ok := strings.Cut(rest, ": ")
	if ok && strings.Trim(line, "0123456789") == "" {
		return file + ":" + line, after
	}
	return file, strings.TrimSpace(rest)
}
