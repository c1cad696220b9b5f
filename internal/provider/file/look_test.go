package file

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	routeA = "http: {routers: {a: {rule: 'Host(`a`)', service: s}}}\n"
	routeB = "http: {routers: {b: {rule: 'Host(`b`)', service: s}}}\n"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func names(s model.Snapshot) string {
	var names []string
	for _, r := range s.Routes {
		names = append(names, r.Name.Name)
	}
	return strings.Join(names, " ")
}

func noEvents() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }

// lookAt returns a provider that has seen routeA in a file.
func lookAt(t *testing.T) (p *Provider, w *watch, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "routes.yml")
	write(t, path, routeA)
	p = New(Config{Source: "file/main", Path: path}, slog.New(slog.DiscardHandler))
	p.root = path
	w = newWatch(noEvents, p.log)
	t.Cleanup(w.close)
	p.pause = func(context.Context) { t.Error("the first look is not believed") }
	if changed, err := p.refresh(t.Context(), w, true); !changed || err != nil {
		t.Fatalf("first refresh = %v, %v", changed, err)
	}
	return p, w, path
}

// What got worse is looked at twice, for it may be half of a write.
func TestDoubts(t *testing.T) {
	for _, test := range []struct {
		name    string
		first   func(t *testing.T, path string) // what the first look sees
		then    func(t *testing.T, path string) // what happens before the second
		pauses  int
		changed bool
		routes  string
		problem bool
		err     bool
	}{
		{name: "the same bytes", first: func(t *testing.T, path string) { write(t, path, routeA) }, routes: "a"},
		{
			name:  "other bytes",
			first: func(t *testing.T, path string) { write(t, path, routeB) }, changed: true, routes: "b",
		},
		{
			name:  "truncated, then written",
			first: func(t *testing.T, path string) { write(t, path, "") },
			then:  func(t *testing.T, path string) { write(t, path, routeB) }, pauses: 1, changed: true, routes: "b",
		},
		{
			name:  "truncated",
			first: func(t *testing.T, path string) { write(t, path, "") }, pauses: 1, changed: true, routes: "",
		},
		{
			name:  "half written",
			first: func(t *testing.T, path string) { write(t, path, routeB[:20]) },
			then:  func(t *testing.T, path string) { write(t, path, routeB) }, pauses: 1, changed: true, routes: "b",
		},
		{
			name:  "broken",
			first: func(t *testing.T, path string) { write(t, path, "{") }, pauses: 1, changed: true, routes: "a",
			problem: true,
		},
		{
			name: "removed, then made anew", first: remove,
			then: func(t *testing.T, path string) { write(t, path, routeB) }, pauses: 1, changed: true, routes: "b",
		},
		{name: "removed", first: remove, pauses: 1, err: true, routes: "a"},
		{
			name:   "too large",
			first:  func(t *testing.T, path string) { write(t, path, strings.Repeat("#", maxSize+1)) },
			pauses: 1, changed: true, routes: "a", problem: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, w, path := lookAt(t)
			pauses := 0
			p.pause = func(context.Context) {
				pauses++
				if test.then != nil {
					test.then(t, path)
				}
			}
			test.first(t, path)
			changed, err := p.refresh(t.Context(), w, false)
			if changed != test.changed || (err != nil) != test.err || pauses != test.pauses {
				t.Errorf("refresh = %v, %v after %d pauses, want %v, %v after %d",
					changed, err, pauses, test.changed, test.err, test.pauses)
			}
			s := p.snapshot()
			if got := names(s); got != test.routes {
				t.Errorf("routes %q, want %q", got, test.routes)
			}
			if got := invalid(s); got != test.problem {
				t.Errorf("a problem with the file: %v, want %v", got, test.problem)
			}
			if changed, err := p.refresh(t.Context(), w, true); changed || (err != nil) != test.err {
				t.Errorf("the next refresh = %v, %v, want no change", changed, err)
			}
		})
	}
}

func invalid(s model.Snapshot) bool {
	for _, p := range s.Problems {
		if p.Code == model.InvalidFile {
			return true
		}
	}
	return false
}

// Where there are no events, and not even the time of the file tells, the content does.
func TestResync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.yml")
	old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // long before the clock of the test begins
	write(t, path, routeA)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p := New(Config{Source: "file/main", Path: path}, slog.New(slog.DiscardHandler))
		p.open = noEvents
		published := make(chan string)
		go func() { _ = p.Run(ctx, func(s model.Snapshot) { published <- names(s) }) }()
		if got := <-published; got != "a" {
			t.Fatalf("first %q", got)
		}
		write(t, path, routeB)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if got := <-published; got != "b" {
			t.Errorf("then %q, want b", got)
		}
		if took := time.Since(start); took != resync {
			t.Errorf("seen after %v, want %v", took, resync)
		}
	})
}

// A file is read once the file system cannot have missed a write, and no sooner trusted.
func TestSettled(t *testing.T) {
	_, _, path := lookAt(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	young := &content{info: info, read: info.ModTime().Add(racy)}
	old := &content{info: info, read: info.ModTime().Add(racy + 1)}
	if young.settled(info) || !old.settled(info) || (*content)(nil).settled(info) {
		t.Error("only what was read long after it was written is settled")
	}
	write(t, path, routeA+routeB)
	if info, err = os.Stat(path); err != nil || old.settled(info) {
		t.Errorf("a file that grew is settled (%v)", err)
	}
}
