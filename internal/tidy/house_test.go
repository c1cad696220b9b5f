package tidy

import (
	"flag"
	"fmt"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is expected: testdata, and depguard's part of .golangci.yml")

// rule is one thing that holds for the whole tree.
type rule struct {
	name  string
	why   string
	check func(*tree, report)
}

// report says that a rule is broken at a place.
type report func(at place, format string, args ...any)

type place struct {
	path string
	line int
}

type finding struct {
	place
	rule rule
	what string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s\n\twhy: %s", f.path, f.line, f.rule.name, f.what, f.rule.why)
}

// rules returns them all.
func rules() []rule {
	return slices.Concat(importRules(), sizeRules(), stateRules(), wordRules(), docRules())
}

// check returns what breaks the rules, in the order of the files.
func check(tr *tree) []finding {
	var found []finding
	for _, r := range rules() {
		r.check(tr, func(at place, format string, args ...any) {
			found = append(found, finding{at, r, fmt.Sprintf(format, args...)})
		})
	}
	slices.SortStableFunc(found, func(a, b finding) int {
		if a.path != b.path {
			return strings.Compare(a.path, b.path)
		}
		return a.line - b.line
	})
	return found
}

// at returns where a node of a Go file begins.
func (tr *tree) at(pos token.Pos) place {
	p := tr.positions.Position(pos)
	return place{p.Filename, p.Line}
}

func TestHouse(t *testing.T) {
	broken := make(map[string][]string)
	for _, f := range check(load(t, os.DirFS("../.."))) {
		broken[f.rule.name] = append(broken[f.rule.name], f.String())
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, line := range broken[r.name] {
				t.Error(line)
			}
		})
	}
}

// Each text file in testdata is a small tree. Before its first file stands what the rules must find in it, and they
// must find nothing else.
func TestRulesFindWhatIsWrong(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	caught := make(map[string]bool)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			root := make(fstest.MapFS)
			for _, f := range archive.Files {
				root[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			var got strings.Builder
			for _, f := range check(load(t, root)) {
				caught[f.rule.name] = true
				fmt.Fprintf(&got, "%s:%d: %s: %s\n", f.path, f.line, f.rule.name, f.what)
			}
			if *update {
				archive.Comment = []byte(got.String())
				write(t, name, txtar.Format(archive))
			}
			if diff := cmp.Diff(string(archive.Comment), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, r := range rules() {
		if !caught[r.name] {
			t.Errorf("no file in testdata breaks the rule %q; those that are broken: %v",
				r.name, slices.Sorted(maps.Keys(caught)))
		}
	}
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
