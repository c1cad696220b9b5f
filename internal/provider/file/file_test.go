package file_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider/file"
	"github.com/fairlead/fairlead/internal/provider/providertest"
)

const source = model.Source("file/main")

// config writes routes, rule by name, in the dynamic-configuration format. No routes are an empty file.
func config(rules map[string]string) string {
	if len(rules) == 0 {
		return ""
	}
	return providertest.Document(rules)
}

func routes(names ...string) string {
	rules := map[string]string{}
	for _, name := range names {
		rules[name] = "Host(`" + name + ".example`)"
	}
	return config(rules)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// replace writes a file as editors and most tools do: beside it, then renamed over it.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".tmp", text)
	must(t, os.Rename(path+".tmp", path))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	for _, kind := range []string{"file", "folder"} {
		t.Run(kind, func(t *testing.T) {
			providertest.Run(t, providertest.Harness{Start: func(t *testing.T) providertest.Place {
				return place(t, kind == "folder")
			}})
		})
	}
}

func place(t *testing.T, folder bool) providertest.Place {
	dir := filepath.Join(t.TempDir(), "conf")
	must(t, os.Mkdir(dir, 0o700))
	routes := filepath.Join(dir, "routes.yml")
	path := routes
	if folder {
		path = dir
	} else {
		write(t, routes, "")
	}
	return providertest.Place{
		Source:   source,
		Provider: file.New(file.Config{Source: source, Path: path}, slog.New(slog.DiscardHandler)),
		Set:      func(rules map[string]string) { replace(t, routes, config(rules)) },
		Spoil: func(rules map[string]string) {
			replace(t, routes, config(providertest.Spoilt(rules)))
		},
		Break: func() { must(t, os.Rename(path, path+".away")) },
		Heal:  func() { must(t, os.Rename(path+".away", path)) },
	}
}

// running is a provider at work on a folder or file.
type running struct {
	t         *testing.T
	published chan model.Snapshot
	ended     chan error
}

func runAt(t *testing.T, path string) *running {
	t.Helper()
	return run(t, file.New(file.Config{Source: source, Path: path}, slog.New(slog.DiscardHandler)))
}

func run(t *testing.T, p *file.Provider) *running {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	r := &running{t, make(chan model.Snapshot, 1000), make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ended <- p.Run(ctx, func(s model.Snapshot) { r.published <- s })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		goleak.VerifyNone(t, ignore)
	})
	return r
}

// take returns the next snapshot. It gives up before all files are read again: what is waited for is an event.
func (r *running) take() model.Snapshot {
	r.t.Helper()
	select {
	case s := <-r.published:
		return s
	case err := <-r.ended:
		r.t.Fatalf("ended: %v", err)
	case <-time.After(20 * time.Second):
		r.t.Fatal("nothing is published")
	}
	return model.Snapshot{}
}

// next returns the next snapshot as text: its routes, then its problems.
func (r *running) next() string {
	r.t.Helper()
	return text(r.take())
}

func text(s model.Snapshot) string {
	var parts []string
	for _, route := range s.Routes {
		parts = append(parts, route.Name.Name)
	}
	for _, p := range s.Problems {
		parts = append(parts, fmt.Sprintf("[%s %s: %s]", p.Code, p.At, p.Message))
	}
	return strings.Join(parts, " ")
}

// until waits for a snapshot. Those before it must be among the allowed ones: steps that the file system may show.
func (r *running) until(want string, allowed ...string) {
	r.t.Helper()
	for {
		got := r.next()
		if got == want {
			return
		}
		if !slices.Contains(allowed, got) {
			r.t.Fatalf("published %q, want %q", got, want)
		}
	}
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	sub := filepath.Join(dir, "team-a")
	must(t, os.MkdirAll(sub, 0o700))
	write(t, filepath.Join(dir, "b.yml"), routes("b"))
	write(t, filepath.Join(dir, "note.txt"), "no configuration")
	write(t, filepath.Join(dir, ".b.yml.swp"), routes("hidden"))
	write(t, filepath.Join(sub, "a.yaml"), routes("a"))
	r := runAt(t, dir)
	r.until("a b")

	write(t, filepath.Join(dir, "c.json"), `{"http":{"routers":{"c":{"rule":"Host(`+"`c`"+`)","service":"b"}}}}`)
	r.until("a b c", "a b")
	replace(t, filepath.Join(sub, "a.yaml"), routes("a", "d"))
	r.until("a b c d")
	must(t, os.Remove(filepath.Join(dir, "b.yml")))
	r.until("a c d", "a c d") // c's service is gone with the file: how that is told is not ours
}

func TestFolderMoves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	must(t, os.Mkdir(dir, 0o700))
	r := runAt(t, dir)
	r.until("")

	must(t, os.MkdirAll(filepath.Join(dir, "x", "y"), 0o700))
	write(t, filepath.Join(dir, "x", "y", "a.yml"), routes("a"))
	r.until("a", "")
	must(t, os.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "z")))
	write(t, filepath.Join(dir, "z", "y", "b.yml"), routes("b"))
	r.until("a b", "a")
	// The watch must have followed: nothing but the file below the moved folder changes here.
	replace(t, filepath.Join(dir, "z", "y", "b.yml"), routes("c"))
	r.until("a c")
	// Away and back at once: the folder is the same, but whoever watched it lost it.
	must(t, os.Rename(filepath.Join(dir, "z", "y"), filepath.Join(dir, "z", "y2")))
	must(t, os.Rename(filepath.Join(dir, "z", "y2"), filepath.Join(dir, "z", "y")))
	replace(t, filepath.Join(dir, "z", "y", "b.yml"), routes("d"))
	r.until("a d", "", "a c")
	replace(t, filepath.Join(dir, "z", "y", "b.yml"), routes("e"))
	r.until("a e")
	must(t, os.Rename(filepath.Join(dir, "z"), filepath.Join(dir, ".z")))
	r.until("")
}

func TestFileWrittenInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.yml")
	write(t, path, routes("a"))
	r := runAt(t, path)
	r.until("a")
	for range 20 {
		write(t, path, routes("b"))
		r.until("b", "") // "" only where the writer slept between truncating and writing
		write(t, path, routes("a"))
		r.until("a", "")
	}
}

func TestBrokenFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	must(t, os.Mkdir(dir, 0o700))
	write(t, filepath.Join(dir, "a.yml"), routes("a"))
	write(t, filepath.Join(dir, "b.yml"), "http: {routers: [\n")
	must(t, os.Symlink("nowhere", filepath.Join(dir, "c.yml")))
	r := runAt(t, dir)
	s := r.next()
	for _, want := range []string{
		"a [invalid_file conf/b.yml:", "; nothing of it is served yet]",
		"[invalid_file conf/c.yml: the file cannot be read: no such file or directory; nothing of it is served yet]",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("published %q, want %q in it", s, want)
		}
	}

	must(t, os.Remove(filepath.Join(dir, "c.yml")))
	must(t, os.Remove(filepath.Join(dir, "b.yml")))
	r.until("a", s, strings.Join(strings.SplitAfter(s, "]")[:1], ""))
	replace(t, filepath.Join(dir, "a.yml"), "http: {}\n\n\nhttp: {}\n")
	s = r.next()
	if !strings.HasPrefix(s, "a [invalid_file conf/a.yml:4: ") || !strings.Contains(s, "last good content is served") {
		t.Errorf("published %q, want the last good content and a problem in line 4", s)
	}
	replace(t, filepath.Join(dir, "a.yml"), routes("z"))
	r.until("z")
}

func TestKubernetesConfigMap(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	must(t, os.Mkdir(dir, 0o700))
	project := func(version string, names ...string) {
		must(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		write(t, filepath.Join(dir, version, "routes.yml"), routes(names...))
		must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	project("..2026_1", "a")
	must(t, os.Symlink(filepath.Join("..data", "routes.yml"), filepath.Join(dir, "routes.yml")))
	for name, path := range map[string]string{"folder": dir, "file": filepath.Join(dir, "routes.yml")} {
		t.Run(name, func(t *testing.T) {
			r := runAt(t, path)
			r.next()
			project("..2026_2"+name, name)
			r.until(name)
			project("..2026_3"+name, "b", name)
			r.until("b " + name)
		})
	}
}

// The configured path leads through links that are outside the folder itself, as release tools lay them out.
func TestReleaseLink(t *testing.T) {
	base := t.TempDir()
	for _, release := range []string{"1", "2"} {
		must(t, os.MkdirAll(filepath.Join(base, "releases", release, "conf"), 0o700))
		write(t, filepath.Join(base, "releases", release, "conf", "routes.yml"), routes("r"+release))
	}
	must(t, os.Symlink("releases/1", filepath.Join(base, "current")))
	r := runAt(t, filepath.Join(base, "current", "conf"))
	r.until("r1")
	must(t, os.Symlink("releases/2", filepath.Join(base, "next")))
	must(t, os.Rename(filepath.Join(base, "next"), filepath.Join(base, "current")))
	r.until("r2")
}

// A file in the folder is a link to a place elsewhere, where another link is swapped.
func TestLinkedFile(t *testing.T) {
	base := t.TempDir()
	for _, version := range []string{"1", "2"} {
		must(t, os.Mkdir(filepath.Join(base, version), 0o700))
		write(t, filepath.Join(base, version, "shared.yml"), routes("r"+version))
	}
	must(t, os.Symlink("1", filepath.Join(base, "current")))
	dir := filepath.Join(base, "etc", "conf")
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.Symlink(filepath.Join(base, "current", "shared.yml"), filepath.Join(dir, "shared.yml")))
	r := runAt(t, dir)
	r.until("r1")
	must(t, os.Symlink("2", filepath.Join(base, "next")))
	must(t, os.Rename(filepath.Join(base, "next"), filepath.Join(base, "current")))
	r.until("r2")
}

func TestLinkLoop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	must(t, os.Mkdir(dir, 0o700))
	write(t, filepath.Join(dir, "a.yml"), routes("a"))
	must(t, os.Symlink(".", filepath.Join(dir, "again")))
	must(t, os.Symlink("self", filepath.Join(dir, "self")))
	runAt(t, dir).until("a")
}

func TestPathIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	must(t, os.Mkdir(dir, 0o700))
	r := runAt(t, dir)
	r.until("")
	must(t, os.Remove(dir))
	if err := <-r.ended; err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("Run = %v, want an error: the folder is gone", err)
	}
	r.ended <- nil
}

// A file that a document names is watched too.
func TestAttachment(t *testing.T) {
	base := t.TempDir()
	users := filepath.Join(base, "secrets", "users")
	must(t, os.Mkdir(filepath.Dir(users), 0o700))
	dir := filepath.Join(base, "conf")
	must(t, os.Mkdir(dir, 0o700))
	write(t, filepath.Join(dir, "a.yml"), "http: {middlewares: {auth: {basicAuth: {usersFile: ../secrets/users}}}}\n")
	p := file.New(file.Config{Source: source, Path: dir}, slog.New(slog.DiscardHandler))
	r := run(t, p)
	if s := r.take(); len(s.Middlewares) != 0 || !strings.Contains(text(s), "no such file") {
		t.Errorf("without the file: %d middlewares, problems %v", len(s.Middlewares), s.Problems)
	}
	for _, line := range []string{
		"anna:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/", "otto:$apr1$d9hr9HBB$4HxwgUir3HP4EsggP/QNo0",
	} {
		replace(t, users, line+"\n")
		s := r.take()
		if len(s.Middlewares) != 1 || len(s.Middlewares[0].BasicAuth.Users) != 1 {
			t.Fatalf("middlewares %+v, problems %v", s.Middlewares, s.Problems)
		}
		if got := s.Middlewares[0].BasicAuth.Users[0].Reveal(); got != line {
			t.Errorf("user %s, want %s", got, line)
		}
	}
	must(t, os.Remove(users))
	if s := r.take(); len(s.Middlewares) != 0 {
		t.Error("the users are gone, and still let in")
	}
}

// How long a change takes until it is published: the hold-off and the work.
func BenchmarkChange(b *testing.B) {
	for _, files := range []int{1, 1000} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			dir := b.TempDir()
			name := func(i int) string { return filepath.Join(dir, fmt.Sprintf("%04d.yml", i)) }
			for i := range files {
				if err := os.WriteFile(name(i), []byte(routes(fmt.Sprintf("r%d", i))), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			published := make(chan model.Snapshot, 1000)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			p := file.New(file.Config{Source: source, Path: dir}, slog.New(slog.DiscardHandler))
			go func() { _ = p.Run(ctx, func(s model.Snapshot) { published <- s }) }()
			<-published
			for n := 0; b.Loop(); n++ {
				want := fmt.Sprintf("x%d", n)
				if err := os.WriteFile(name(0)+".tmp", []byte(routes(want)), 0o600); err != nil {
					b.Fatal(err)
				}
				if err := os.Rename(name(0)+".tmp", name(0)); err != nil {
					b.Fatal(err)
				}
				for s := range published {
					if _, ok := model.Find(s.Routes, model.Ref{Name: model.Name{Name: want}, Source: source}); ok {
						break
					}
				}
			}
		})
	}
}
