package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path that our own imports begin with.
const module = "github.com/fairlead/fairlead/"

// tree is the source of the project.
type tree struct {
	positions *token.FileSet
	folders   []*folder
	texts     []text // what is not Go: documents, scripts, settings
}

// folder is the Go files of one directory, by name.
type folder struct {
	path  string // from the root, with slashes
	files []*file
}

// file is one Go file.
type file struct {
	text
	test      bool // its name ends in _test.go
	generated bool
	syntax    *ast.File
	imports   map[string]string // the name that the file uses, to the path
}

type text struct {
	path    string
	content string
}

// load reads the Go files and the texts of a tree.
func load(t *testing.T, root fs.FS) *tree {
	t.Helper()
	loaded := &tree{positions: token.NewFileSet()}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(name):
			return fs.SkipDir
		case entry.IsDir() || !isText(name):
			return nil
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		loaded.add(t, text{name, string(content)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// skipped reports whether a directory holds nothing that we write by hand.
func skipped(dir string) bool {
	base := path.Base(dir)
	hidden := strings.HasPrefix(base, ".") && base != "." && base != ".ci"
	return hidden || slices.Contains([]string{"testdata", "node_modules", "vendor", "dist"}, base)
}

func isText(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".yml", ".yaml", ".toml", ".json", ".sh", ".txt", ".service":
		return true
	}
	return path.Base(name) == "Makefile" || path.Base(name) == "Dockerfile" || path.Base(name) == "run"
}

// add parses a file. Files come folder by folder.
func (tr *tree) add(t *testing.T, content text) {
	t.Helper()
	if path.Ext(content.path) != ".go" {
		tr.texts = append(tr.texts, content)
		return
	}
	syntax, err := parser.ParseFile(tr.positions, content.path, content.content, parser.ParseComments)
	if err != nil {
		t.Errorf("a file that cannot be parsed: %v", err)
		return
	}
	f := &file{
		text:      content,
		test:      strings.HasSuffix(content.path, "_test.go"),
		generated: ast.IsGenerated(syntax),
		syntax:    syntax,
		imports:   make(map[string]string),
	}
	for _, spec := range syntax.Imports {
		target, _ := strconv.Unquote(spec.Path.Value)
		f.imports[importName(spec, target)] = target
	}
	dir := path.Dir(content.path)
	i := slices.IndexFunc(tr.folders, func(fo *folder) bool { return fo.path == dir })
	if i < 0 {
		tr.folders, i = append(tr.folders, &folder{path: dir}), len(tr.folders)
	}
	tr.folders[i].files = append(tr.folders[i].files, f)
}

// importName guesses what a file calls an import: good enough for the packages that the rules name.
func importName(spec *ast.ImportSpec, target string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return path.Base(target)
}

// is reports whether n is name of the imported package target: "time", "Sleep".
func (f *file) is(n ast.Node, target, name string) bool {
	from, found, ok := f.selector(n)
	return ok && from == target && found == name
}

// selector returns the package and the name that n selects from an import.
func (f *file) selector(n ast.Node) (from, name string, ok bool) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", "", false
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok || x.Obj != nil { // Obj: declared in this file, so not an import
		return "", "", false
	}
	from, ok = f.imports[x.Name]
	return from, sel.Sel.Name, ok
}
