package tidy

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// row says which of our own packages the packages of a folder may import, by their paths under internal. They may
// always import what is below their own folder.
type row struct {
	folder string
	may    []string
}

// table is the plan of the house. Data moves from the top to the bottom; siblings do not know each other.
var table = []row{
	{"model", nil},
	{"document", nil},
	{"dynamic", []string{"document", "model"}},
	{"config", []string{"document", "model"}},
	{"provider", []string{"model"}},
	// One folder an orchestrator or source; what several of them read from is provider/engine, provider/folder.
	{"provider/*", []string{"breath", "document", "dynamic", "model", "provider", "provider/engine", "provider/folder"}},
	{"provider/engine", nil},
	{"provider/folder", []string{"model"}},
	{"provider/kv", []string{"document", "dynamic", "model"}}, // with one folder a store
	{"provider/providertest", []string{"model", "provider"}},
	{"catalog", []string{"model"}},
	{"route", []string{"model"}},
	{"upstream", []string{"model"}},
	{"middleware", []string{"model"}},
	{"link", []string{"model"}},
	{"store", []string{"model"}},
	{"access", []string{"model"}},
	{"cert", []string{"model"}},
	{"telemetry", []string{"model"}},
	{"wire", []string{"model", "wrapped"}},
	{"migrate", []string{"model"}},
	{"stream", []string{"wrapped"}},
	{"proxy", []string{
		"breath", "cert", "link", "middleware", "model", "route", "stream", "telemetry", "upstream", "wire", "wire/h2",
	}},
	{"api", []string{
		"access", "catalog", "link", "model", "provider/machines", "proxy", "route", "store", "telemetry", "upstream",
	}},
	{"wrapped", nil},
	{"breath", nil},
	{"tidy", nil},
	{"sim", []string{everything}},
}

const everything = "*"

// orchestrators are the beginnings of import paths that belong into one folder under provider each: the data plane
// builds without any of them.
var orchestrators = []string{
	"github.com/docker/", "github.com/moby/", "github.com/hashicorp/", "github.com/aws/", "k8s.io/", "sigs.k8s.io/",
}

func importRules() []rule {
	return []rule{
		{
			"imports", "siblings that know each other cannot be understood, tested or replaced alone; " +
				"the table is in internal/tidy/imports_test.go",
			checkImports,
		},
		{
			"orchestrator", "an orchestrator's SDK stays in its own internal/provider/<name>, so that nothing else waits for it",
			checkOrchestrators,
		},
		{
			"model imports", "everything imports the model; what the model imports, everything would depend on",
			checkModelImports,
		},
	}
}

// rowOf finds the row for a folder of the tree. Outside internal, everything may be imported: commands and tests
// compose.
func rowOf(dir string) (row, bool) {
	name, internal := strings.CutPrefix(dir, "internal/")
	if !internal {
		return row{may: []string{everything}}, true
	}
	home := homeOf(name)
	for _, r := range table {
		if r.folder == home {
			return r, true
		}
	}
	if strings.HasPrefix(home, "provider/") {
		return rowOf("internal/provider/*")
	}
	return row{}, false
}

// homeOf returns the part of the house that a folder under internal belongs to: the first part of its path, or two for
// the providers.
func homeOf(name string) string {
	parts := strings.Split(name, "/")
	most := 1
	if parts[0] == "provider" {
		most = 2
	}
	return strings.Join(parts[:min(most, len(parts))], "/")
}

func checkImports(tr *tree, report report) {
	for _, fo := range tr.folders {
		if _, known := rowOf(fo.path); !known {
			report(tr.at(fo.files[0].syntax.Package), "%s is not in the table of imports", fo.path)
		}
	}
	eachImport(tr, func(fo *folder, f *file, at place, target string) {
		ours, own := strings.CutPrefix(target, module)
		if !own || ours == fo.path {
			return
		}
		r, known := rowOf(fo.path)
		if known && !r.allows(fo.path, ours) && !(f.test && strings.HasSuffix(ours, "test")) {
			report(at, "%s may not import %s", fo.path, ours)
		}
	})
}

// allows reports whether a file in dir may import the package in the folder ours.
func (r row) allows(dir, ours string) bool {
	name, internal := strings.CutPrefix(ours, "internal/")
	if slices.Contains(r.may, everything) {
		return true
	}
	if !internal {
		return false
	}
	return slices.Contains(r.may, name) || homeOf(name) == homeOf(strings.TrimPrefix(dir, "internal/"))
}

func checkOrchestrators(tr *tree, report report) {
	eachImport(tr, func(fo *folder, _ *file, at place, target string) {
		if strings.HasPrefix(fo.path, "internal/provider/") {
			return
		}
		for _, prefix := range orchestrators {
			if strings.HasPrefix(target, prefix) {
				report(at, "%s imports %s", fo.path, target)
			}
		}
	})
}

func checkModelImports(tr *tree, report report) {
	eachImport(tr, func(fo *folder, f *file, at place, target string) {
		first, _, _ := strings.Cut(target, "/")
		foreign := strings.Contains(first, ".") && !strings.HasPrefix(target, module)
		if fo.path == "internal/model" && !f.test && foreign {
			report(at, "the model imports %s", target)
		}
	})
}

func eachImport(tr *tree, visit func(fo *folder, f *file, at place, target string)) {
	eachFile(tr, func(fo *folder, f *file) {
		for _, spec := range f.syntax.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			visit(fo, f, tr.at(spec.Pos()), target)
		}
	})
}

func eachFile(tr *tree, visit func(*folder, *file)) {
	for _, fo := range tr.folders {
		for _, f := range fo.files {
			visit(fo, f)
		}
	}
}

// The linter is told the same table, for editors that ask it.
func TestLinterKnowsTheTable(t *testing.T) {
	const name, begin, end = "../../.golangci.yml", "# The table of imports", "# End of the table.\n"
	settings, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(settings), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("no part between %q and %q in .golangci.yml", begin, end)
	}
	want := before + begin + depguard() + "        " + end + after
	if *update {
		write(t, name, []byte(want))
		return
	}
	if string(settings) != want {
		t.Error("depguard's part of .golangci.yml is not the table: run go test ./internal/tidy -update")
	}
}

func depguard() string {
	var b strings.Builder
	b.WriteString(" (written by go test ./internal/tidy -update).\n")
	for _, r := range table {
		if slices.Contains(r.may, everything) {
			continue
		}
		key := strings.NewReplacer("/*", "-any", "/", "-").Replace(r.folder)
		fmt.Fprintf(&b, "        %s:\n          list-mode: lax\n          files: [%s]\n", key, filesOf(r.folder))
		fmt.Fprintf(&b, "          deny: [{pkg: %sinternal, desc: see internal/tidy/imports_test.go}]\n", module)
		fmt.Fprintf(&b, "          allow:\n")
		for _, may := range r.may {
			fmt.Fprintf(&b, "            - %sinternal/%s$\n", module, may)
		}
		if homeOf(r.folder) == r.folder && r.folder != "provider" {
			fmt.Fprintf(&b, "            - %sinternal/%s$\n            - %sinternal/%s/\n", module, r.folder, module, r.folder)
		}
	}
	b.WriteString("        orchestrators:\n          list-mode: lax\n")
	b.WriteString("          files: [$all, \"!**/internal/provider/*/**\"]\n          deny:\n")
	for _, prefix := range orchestrators {
		fmt.Fprintf(&b, "            - {pkg: %s, desc: an orchestrator's SDK stays in its own provider}\n", prefix)
	}
	return b.String()
}

// filesOf returns the patterns of the product's files that a row is about.
func filesOf(folder string) string {
	switch folder {
	case "provider":
		return `"!$test", "**/internal/provider/*.go"`
	case "provider/*":
		return `"!$test", "!**/internal/provider/*test/**", "!**/internal/provider/kv/**", "**/internal/provider/*/**"`
	}
	return fmt.Sprintf(`"!$test", "**/internal/%s/**"`, folder)
}
