package folder

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
)

const (
	textA = "this is A\n"
	textB = "this is B, and it is longer\n"
)

// decode takes files of whole lines.
func decode(name string, data []byte) (*string, error) {
	text := string(data)
	if text != "" && !strings.HasSuffix(text, "\n") {
		return nil, errors.New(name + ":1: the line has no end")
	}
	return &text, nil
}

func reader(path string) *Reader[string] {
	return New(Config[string]{Source: "file/main", Path: path, Decode: decode}, slog.New(slog.DiscardHandler))
}

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

// texts returns the good content of all files.
func texts(v View[string]) string {
	var all string
	for _, text := range v.Documents() {
		all += *text
	}
	return all
}

func noEvents() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }

// lookAt returns a provider that has seen textA in a file.
func lookAt(t *testing.T) (r *Reader[string], w *watch, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "some.txt")
	write(t, path, textA)
	r = reader(path)
	r.root = path
	w = newWatch(noEvents, r.log)
	t.Cleanup(w.close)
	r.pause = func(context.Context) { t.Error("the first look is not believed") }
	if changed, err := r.refresh(t.Context(), w, true); !changed || err != nil {
		t.Fatalf("first refresh = %v, %v", changed, err)
	}
	return r, w, path
}

// What got worse is looked at twice, for it may be half of a write.
func TestDoubts(t *testing.T) {
	for _, test := range []struct {
		name    string
		first   func(t *testing.T, path string) // what the first look sees
		then    func(t *testing.T, path string) // what happens before the second
		pauses  int
		changed bool
		holds   string
		problem bool
		err     bool
	}{
		{name: "the same bytes", first: func(t *testing.T, path string) { write(t, path, textA) }, holds: textA},
		{
			name:  "other bytes",
			first: func(t *testing.T, path string) { write(t, path, textB) }, changed: true, holds: textB,
		},
		{
			name:  "truncated, then written",
			first: func(t *testing.T, path string) { write(t, path, "") },
			then:  func(t *testing.T, path string) { write(t, path, textB) }, pauses: 1, changed: true, holds: textB,
		},
		{
			name:  "truncated",
			first: func(t *testing.T, path string) { write(t, path, "") }, pauses: 1, changed: true, holds: "",
		},
		{
			name:  "half written",
			first: func(t *testing.T, path string) { write(t, path, textB[:20]) },
			then:  func(t *testing.T, path string) { write(t, path, textB) }, pauses: 1, changed: true, holds: textB,
		},
		{
			name:  "broken",
			first: func(t *testing.T, path string) { write(t, path, "{") }, pauses: 1, changed: true, holds: textA,
			problem: true,
		},
		{
			name: "removed, then made anew", first: remove,
			then: func(t *testing.T, path string) { write(t, path, textB) }, pauses: 1, changed: true, holds: textB,
		},
		{name: "removed", first: remove, pauses: 1, err: true, holds: textA},
		{
			name:   "too large",
			first:  func(t *testing.T, path string) { write(t, path, strings.Repeat("#", maxSize+1)) },
			pauses: 1, changed: true, holds: textA, problem: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, w, path := lookAt(t)
			pauses := 0
			r.pause = func(context.Context) {
				pauses++
				if test.then != nil {
					test.then(t, path)
				}
			}
			test.first(t, path)
			changed, err := r.refresh(t.Context(), w, false)
			if changed != test.changed || (err != nil) != test.err || pauses != test.pauses {
				t.Errorf("refresh = %v, %v after %d pauses, want %v, %v after %d",
					changed, err, pauses, test.changed, test.err, test.pauses)
			}
			if got := texts(r.View()); got != test.holds {
				t.Errorf("it holds %q, want %q", got, test.holds)
			}
			if got := len(r.View().Problems()) > 0; got != test.problem {
				t.Errorf("a problem with the file: %v, want %v", got, test.problem)
			}
			if changed, err := r.refresh(t.Context(), w, true); changed || (err != nil) != test.err {
				t.Errorf("the next refresh = %v, %v, want no change", changed, err)
			}
		})
	}
}

// Where there are no events, and not even the time of the file tells, the content does.
func TestResync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.txt")
	old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // long before the clock of the test begins
	write(t, path, textA)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := reader(path)
		r.open = noEvents
		published := make(chan string)
		go func() { _ = r.Run(ctx, func(v View[string]) { published <- texts(v) }) }()
		if got := <-published; got != textA {
			t.Fatalf("first %q", got)
		}
		write(t, path, textB)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if got := <-published; got != textB {
			t.Errorf("then %q, want B", got)
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
	young := &content[string]{info: info, read: info.ModTime().Add(racy)}
	old := &content[string]{info: info, read: info.ModTime().Add(racy + 1)}
	if young.settled(info) || !old.settled(info) || (*content[string])(nil).settled(info) {
		t.Error("only what was read long after it was written is settled")
	}
	write(t, path, textA+textB)
	if info, err = os.Stat(path); err != nil || old.settled(info) {
		t.Errorf("a file that grew is settled (%v)", err)
	}
}
