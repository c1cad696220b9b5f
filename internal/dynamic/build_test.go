package dynamic

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

var update = flag.Bool("update", false, "write what the code gives into testdata")

// Every testdata/*.txtar holds files of one source, and what becomes of them: the sections "snapshot" and "problems".
// Files in the folder "other" are not configuration; middlewares may name them.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, a, path, buildArchive(t, a))
		})
	}
}

// golden compares a snapshot with what the archive at path says of it; or writes that, with -update.
func golden(t *testing.T, a *txtar.Archive, path string, built model.Snapshot) {
	t.Helper()
	snapshot, problems := render(t, built)
	if *update {
		set(a, "snapshot", snapshot)
		set(a, "problems", problems)
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(sectionOf(a, "snapshot"), snapshot); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sectionOf(a, "problems"), problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func sectionOf(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func set(a *txtar.Archive, name, data string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(data)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(data)})
}

func buildArchive(t *testing.T, a *txtar.Archive) model.Snapshot {
	t.Helper()
	var docs []*Document
	files := map[string][]byte{}
	for _, f := range a.Files {
		switch {
		case f.Name == "snapshot" || f.Name == "problems":
		case strings.HasPrefix(f.Name, "other/"):
			files[f.Name] = f.Data
		default:
			docs = append(docs, decodeFile(t, f.Name, string(f.Data)))
		}
	}
	return Build("file/test", docs, WithFiles(func(name string) ([]byte, error) {
		data, ok := files[name]
		if !ok {
			return nil, errors.New("no such file")
		}
		return data, nil
	}))
}

func decodeFile(t *testing.T, name, text string) *Document {
	t.Helper()
	d, err := Decode("file/test", name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// render shows a snapshot as people read it: problems apart, a line each.
func render(t *testing.T, s model.Snapshot) (snapshot, problems string) {
	t.Helper()
	for _, p := range s.Problems {
		problems += p.String() + "\n"
	}
	s.Problems = nil
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n", problems
}

func TestFormatsGiveTheSameSnapshot(t *testing.T) {
	a, err := txtar.ParseFile("testdata/formats.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var first model.Snapshot
	for i, f := range slices.DeleteFunc(a.Files, func(f txtar.File) bool { return filepath.Ext(f.Name) == "" }) {
		s := Build("file/test", []*Document{decodeFile(t, f.Name, string(f.Data))})
		if len(s.Problems) > 0 || len(s.Routes) == 0 {
			t.Errorf("%s: %v", f.Name, s.Problems)
		}
		if i == 0 {
			first = s
		} else if !reflect.DeepEqual(first, s) {
			_, diff := render(t, s)
			t.Errorf("%s differs: %s", f.Name, diff)
		}
	}
}

func TestBuildIsPure(t *testing.T) {
	docs := []*Document{
		decodeFile(t, "b.yaml", "http: {services: {s: {loadBalancer: {servers: [{url: http://b}]}}}}"),
		decodeFile(t, "a.yaml", "http: {services: {s: {loadBalancer: {servers: [{url: http://a}]}}}}"),
	}
	one := Build("file/test", docs)
	if docs[0].file != "b.yaml" {
		t.Error("the caller's list was sorted")
	}
	slices.Reverse(docs)
	two := Build("file/test", docs)
	if !reflect.DeepEqual(one, two) {
		t.Errorf("the order of the documents counts: %v, %v", one, two)
	}
	if got := one.Services[0].Endpoints[0].Addr; got != "a:80" {
		t.Errorf("%s is served, not that of the first file", got)
	}
	if one.Services[0] != two.Services[0] {
		t.Error("the document did not change, but its object did")
	}
}

func TestSecretsStaySecret(t *testing.T) {
	const secret = "hunter2"
	s := Build("file/test", []*Document{decodeFile(t, "a.yaml", `
http:
  middlewares:
    a: {basicAuth: {users: ["joe:`+secret+`", "`+secret+`"]}}
    b: {basicAuth: {users: {x: `+secret+`}}}
    c: {apiKey: {header: X-Key, hashes: [`+secret+`]}}
    d: {basicAuth: {users: ["joe:$2y$05$`+secret+`"]}}
  services:
    s: {loadBalancer: {servers: [{url: "http://joe:`+secret+`@h"}, {url: "http://h:`+secret+`"}]}}
`)})
	if len(s.Problems) < 6 || len(s.Middlewares) != 1 {
		t.Errorf("%d problems, %d middlewares", len(s.Problems), len(s.Middlewares))
	}
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if shown := string(data) + fmt.Sprintf("%+v", s.Middlewares[0].BasicAuth); strings.Contains(shown, secret) {
		t.Errorf("the secret is shown: %s", shown)
	}
	if got := s.Middlewares[0].BasicAuth.Users[0].Reveal(); !strings.HasSuffix(got, secret) {
		t.Errorf("the secret is lost: %q", got)
	}
}

func TestFiles(t *testing.T) {
	d := decodeFile(t, "a.yaml", `
http:
  middlewares:
    a: {basicAuth: {usersFile: /b}}
    b: {apiKey: {header: X, hashesFile: /a}}
    c: {basicAuth: {usersFile: /b}}
    d: {retry: {attempts: 2}}
`)
	if diff := cmp.Diff([]string{"/a", "/b"}, d.Files()); diff != "" {
		t.Error(diff)
	}
	if s := Build("file/test", []*Document{d}); len(s.Middlewares) != 1 || len(s.Problems) < 3 {
		t.Errorf("without a way to read files: %v", s.Problems)
	}
}

func TestDecodeSyntaxError(t *testing.T) {
	_, err := Decode("file/test", "a.yaml", []byte("http: [\n"))
	var syntax *document.SyntaxError
	if !errors.As(err, &syntax) {
		t.Errorf("got %v", err)
	}
}

// Every kind of middleware that is known and not served must be left out, however little is written of it.
func TestOtherMiddlewaresAreLeftOut(t *testing.T) {
	for _, kind := range otherMiddlewares {
		for _, value := range []string{"{}", "", "{a: b}", "true"} {
			s := Build("file/test", []*Document{decodeFile(t, "a.yaml",
				"http:\n  middlewares:\n    m:\n      "+kind+": "+value+"\n")})
			if len(s.Middlewares) != 0 || len(s.Problems) != 1 || s.Problems[0].Code != model.Unsupported {
				t.Errorf("%s: %q: %v, %v", kind, value, s.Middlewares, s.Problems)
			}
		}
	}
}

func FuzzConfig(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if i := slices.Index(fuzzFormats, filepath.Ext(file.Name)); i >= 0 {
				f.Add(byte(i), string(file.Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, format byte, text string) {
		d, err := Decode("file/test", "a"+fuzzFormats[int(format)%len(fuzzFormats)], []byte(text))
		if err != nil {
			return
		}
		s := Build("file/test", []*Document{d, d})
		for _, p := range s.Problems {
			if p.Code == "" || p.Message == "" || !strings.HasPrefix(p.At, "a"+filepath.Ext(p.At[:5])) {
				t.Errorf("%+v", p)
			}
		}
		again := Build("file/test", []*Document{d, d})
		if !reflect.DeepEqual(s, again) {
			t.Error("two builds differ")
		}
		sorted := Build("file/test", []*Document{d, d})
		sorted.Sort()
		if !reflect.DeepEqual(s, sorted) {
			t.Error("the snapshot is not sorted")
		}
	})
}

var fuzzFormats = []string{".yaml", ".toml", ".json"}

func FuzzCondition(f *testing.F) {
	f.Add("ResponseCodeRatio(500, 600, 0, 600) > 0.25 || !(NetworkErrorRatio() >= 1) && LatencyAtQuantileMS(50.0) != 1e3")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCondition(text, breakerMetrics())
		if err != nil {
			return
		}
		c.Holds(func(metric string, args []float64) float64 {
			if m, ok := breakerMetrics()[metric]; !ok || len(args) != m.args {
				t.Errorf("%q: %s of %v", text, metric, args)
			}
			return 1
		})
	})
}

// What a router does not say of the detail of its traces, its entry point does.
func TestTraceVerbosity(t *testing.T) {
	for text, want := range map[string]model.Switch{"minimal": model.Off, "detailed": model.On, "": "", "much": ""} {
		d, err := Decode("file/test", "a.yaml", []byte(
			"http: {routers: {r: {rule: Path(`/`), service: s, observability: {traceVerbosity: '"+text+"'}}}}"))
		if err != nil {
			t.Fatal(err)
		}
		s := Build("file/test", []*Document{d})
		if got := s.Routes[0].Observability.Detailed; got != want || (len(s.Problems) > 0) != (text == "much") {
			t.Errorf("%q: %q, %v", text, got, s.Problems)
		}
	}
}
