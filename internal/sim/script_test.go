package sim

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what scenarios show into testdata")

// parse reads steps, one on a line. Lines that begin with # and empty ones are for people.
func parse(text string) (steps []step) {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && words[0][0] != '#' {
			steps = append(steps, step{words: words})
		}
	}
	return steps
}

// TestScenarios plays the texts in testdata. Each says in its comment what it is about; "steps" is what happens, and
// "shown" what the step show wrote down. All invariants are checked as well.
func TestScenarios(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil || len(archive.Files) != 2 || archive.Files[0].Name != "steps" || archive.Files[1].Name != "shown" {
				t.Fatalf("%v; there must be the files steps and shown", err)
			}
			steps, shown := parse(string(archive.Files[0].Data)), ""
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(1, hooks{})
				if found := w.play(steps); len(found) > 0 {
					t.Error(story(steps, found))
				}
				shown = strings.Join(append(w.shown, ""), "\n")
			})
			if *update {
				archive.Files[1].Data = []byte(shown)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), shown); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
