package cert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/fairlead/fairlead/internal/model"
)

// settle is how long Run waits after a change for what belongs to it (the key is written after the certificate), and
// pollEvery how often it looks without being told: network file systems tell nothing.
const (
	settle    = 100 * time.Millisecond
	pollEvery = 30 * time.Second
)

// Files serves certificates from files, and reads them again when they change.
type Files struct {
	log       *slog.Logger
	pollEvery time.Duration
	reloaded  func() // called after each look at the files; for tests

	pairs   atomic.Pointer[[]*loaded] // in the order given; only Run replaces it
	current atomic.Pointer[index]
}

// NewFiles reads the pairs. It fails, naming every mistake, when one of them cannot be used: at the start there is no
// last good one. Without pairs, every handshake fails.
func NewFiles(pairs []Pair, log *slog.Logger) (*Files, error) {
	f := &Files{log: log, pollEvery: pollEvery, reloaded: func() {}}
	var list []*loaded
	var mistakes []error
	for _, pair := range pairs {
		l := (&loaded{Pair: pair}).load(time.Now())
		if l.problem != "" {
			mistakes = append(mistakes, errors.New(l.problem))
		}
		list = append(list, l)
	}
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("reading certificates: %w", errors.Join(mistakes...))
	}
	f.publish(list)
	return f, nil
}

// errNoCertificate ends a handshake that nothing can be served to.
var errNoCertificate = errors.New("no certificate is configured")

// GetCertificate returns the certificate for the name that the client asks for: the one for exactly that name, else a
// wildcard's, else the first pair's. Where several pairs have a name, the first of them has it.
func (f *Files) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := f.current.Load().find(hello.ServerName); c != nil {
		return c, nil
	}
	return nil, errNoCertificate
}

// Problems returns what is wrong with the files at the moment, sorted: a pair that cannot be read (its last good
// content is served) or that has expired.
func (f *Files) Problems() []model.Problem {
	var list []model.Problem
	for _, l := range *f.pairs.Load() {
		list = append(list, l.problems(time.Now())...)
	}
	slices.SortFunc(list, model.Problem.Compare)
	return list
}

// Run reads the files again whenever they change, until ctx is done; then it returns nil. Where the system cannot tell
// of changes, Run still looks every half minute.
func (f *Files) Run(ctx context.Context) error {
	var events <-chan fsnotify.Event
	var failures <-chan error
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		f.log.Warn("changes of certificate files are noticed late", "error", err)
	} else {
		defer func() { _ = watcher.Close() }()
		events, failures = watcher.Events, watcher.Errors
	}
	var settled <-chan time.Time
	poll := time.NewTicker(f.pollEvery)
	defer poll.Stop()
	f.watch(watcher)
	f.reload() // what changed since NewFiles
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-events:
			if settled == nil { // not put off by further events: a busy folder must not starve it
				settled = time.After(settle)
			}
			continue
		case err := <-failures: // most often events were lost, so look at once
			f.log.Warn("watching certificate files", "error", err)
		case <-poll.C:
		case <-settled:
		}
		settled = nil
		f.watch(watcher) // before reading, so that no change is missed between them
		f.reload()
	}
}

// watch watches the folders of the files, and those that symbolic links lead to now. Folders and not files: editors,
// certbot and Kubernetes replace files, they do not write into them.
func (f *Files) watch(watcher *fsnotify.Watcher) {
	if watcher == nil {
		return
	}
	for _, l := range *f.pairs.Load() {
		for _, path := range []string{l.CertFile, l.KeyFile} {
			folders := []string{filepath.Dir(path)}
			if target, err := filepath.EvalSymlinks(path); err == nil {
				folders = append(folders, filepath.Dir(target))
			}
			for _, folder := range folders {
				if err := watcher.Add(folder); err != nil {
					f.log.Debug("changes in a folder are noticed late", "folder", folder, "error", err)
				}
			}
		}
	}
}

// reload reads all pairs, and publishes them if anything changed.
func (f *Files) reload() {
	defer f.reloaded()
	changed := false
	var list []*loaded
	for _, before := range *f.pairs.Load() {
		l := before.load(time.Now())
		list = append(list, l)
		switch {
		case l == before:
			continue
		case l.problem == "":
			f.log.Info("certificate read", "file", l.CertFile, "expires", l.good.Leaf.NotAfter)
		case l.problem != before.problem:
			f.log.Error("certificate cannot be read; its last good content is served", "error", l.problem)
		}
		changed = true
	}
	if changed {
		f.publish(list)
	}
}

// publish makes the pairs the ones that are served.
func (f *Files) publish(list []*loaded) {
	var certificates []*tls.Certificate
	for _, l := range list {
		certificates = append(certificates, l.good)
	}
	f.pairs.Store(&list)
	f.current.Store(newIndex(certificates))
}
