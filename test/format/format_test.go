// Package format gives the same files of routes to a real Traefik and to the program, and compares what both make of
// them.
package format_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

var update = flag.Bool("update", false, "write what both answer into testdata/archives")

const (
	patience = time.Minute

	// ready is what Traefik answers itself when it has read its files.
	ready = "GET / HTTP/1.1\nHost: ready.example\n"
)

// TestFormat gives the same file of routes to a real Traefik and to the program, asks both the same, and compares what
// their clients and services see. Each archive of testdata/archives has
//
//	routes.yaml  the file of routes, in which ${SERVICE} is a service's address
//	requests     requests, between lines of "---", on the entry point web; before them may be written where else:
//	             trusted, secure, client (secure, with a certificate), old (secure, with TLS 1.2 at most)
//	answers      what both said, written by -update; lines that only Traefik says begin with "-", ours with "+"
//	differs      why they do; an archive without it must have no difference
func TestFormat(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Traefik")
	}
	program := instance.Program(t)
	archives, err := filepath.Glob("testdata/archives/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			compareArchive(t, program, name, archive)
		})
	}
}

// differences is the page that tells people what archives have in differs.
const differences = "../../docs/traefik-differences.md"

func TestDifferencesAreDocumented(t *testing.T) {
	archives, err := filepath.Glob("testdata/archives/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	page := `# What differs from Traefik

The same files of routes are given to a real Traefik 3.7 and to Fairlead, and both are asked the same, more than 300
requests: clients and services see the same, but for what is listed here. Every request and answer is in the archives of
` + "`test/format/testdata/archives`" + `, which ` + "`cd test && go test ./format`" + ` compares with both programs.

Besides, requests and answers are signed in ` + "`Via`" + ` (RFC 9110 §7.6.3), what Fairlead answers itself says why in
` + "`Fairlead-Reason`" + `, and ` + "`X-Forwarded-Server`" + ` is not told to services.

`
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if why := text(archive, "differs"); why != "" {
			page += "- " + strings.ReplaceAll(strings.TrimSpace(why), "\n", "\n  ") + "\n"
		}
	}
	if *update {
		if err := os.WriteFile(differences, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(differences); err != nil || string(got) != page {
		t.Errorf("%s is not what the archives say; -update writes it (%v)", differences, err)
	}
}

func compareArchive(t *testing.T, program, name string, archive *txtar.Archive) {
	service := newService(t)
	routes := strings.ReplaceAll(text(archive, "routes.yaml"), "${SERVICE}", service.address)
	fairlead, traefik := ofFairlead(t, program, routes), ofTraefik(t, routes)
	var answers strings.Builder
	differ := false
	for _, request := range strings.Split(text(archive, "requests"), "---\n") {
		line, _, _ := strings.Cut(request, "\n")
		answers.WriteString("# " + line + "\n")
		ours, theirs := service.exchange(t, fairlead, request), service.exchange(t, traefik, request)
		differ = differ || ours != theirs
		answers.WriteString(both(theirs, ours))
	}
	if *update {
		set(archive, "answers", answers.String())
		if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(text(archive, "answers"), answers.String()); diff != "" {
		t.Errorf("answers (-the archive's +theirs now; -update writes them):\n%s", diff)
	}
	if told := text(archive, "differs") != ""; told != differ {
		t.Errorf("a difference is told: %v; there is one: %v\n%s", told, differ, answers.String())
	}
}

// both writes the lines of two answers once, but for the part that differs: there, Traefik's have "-" before them, and
// ours "+".
func both(theirs, ours string) string {
	a, b := strings.SplitAfter(theirs, "\n"), strings.SplitAfter(ours, "\n")
	begin := 0
	for begin < min(len(a), len(b)) && a[begin] == b[begin] {
		begin++
	}
	end := 0
	for end < min(len(a), len(b))-begin && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	text := strings.Join(a[:begin], "")
	for _, line := range a[begin : len(a)-end] {
		text += "-" + line
	}
	for _, line := range b[begin : len(b)-end] {
		text += "+" + line
	}
	return text + strings.Join(a[len(a)-end:], "")
}

func indent(lines string) string {
	return "\t" + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", "\n\t") + "\n"
}

func text(archive *txtar.Archive, name string) string {
	for _, f := range archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func set(archive *txtar.Archive, name, content string) {
	for i := range archive.Files {
		if archive.Files[i].Name == name {
			archive.Files[i].Data = []byte(content)
			return
		}
	}
	archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(content)})
}

// entryPoints returns the address of an entry point.
type entryPoints = func(name string) string

// ofFairlead runs the program with a file of routes, and returns the addresses of its entry points.
func ofFairlead(t *testing.T, program, routes string) entryPoints {
	t.Helper()
	folder := t.TempDir()
	if err := instance.Lay(folder, "testdata/instance", map[string]string{"SERVICE": ""}); err != nil {
		t.Fatal(err)
	}
	if err := instance.Replace(filepath.Join(folder, "routes", "routes.yaml"), routes); err != nil {
		t.Fatal(err)
	}
	i := instance.StartIn(t, program, folder)
	return func(name string) string { return i.Address(t, name) }
}

// ofTraefik is the same for a Traefik.
func ofTraefik(t *testing.T, routes string) entryPoints {
	t.Helper()
	p := lab.NewTraefik(t, "testdata/traefik", nil, "web", "trusted", "secure")
	p.Write("routes/routes.yaml", routes)
	p.Start()
	instance.Await(t, patience, "Traefik has read its files", func() bool {
		return ask(t, p.EntryPoint, ready) == "418 I'm a teapot\n"
	})
	return p.EntryPoint
}
