package tidy

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

func stateRules() []rule {
	return []rule{
		{"init", "what runs on import cannot be ordered, configured or tested", checkInit},
		{
			"global", "state that belongs to nobody is shared by every instance and every test; " +
				"only sentinel errors, compiled expressions, flags of tests and tables that nobody writes are global",
			checkGlobals,
		},
		{"global written", "a table that somebody writes is hidden state", checkGlobalsWritten},
	}
}

func checkInit(tr *tree, report report) {
	eachFile(tr, func(_ *folder, f *file) {
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				report(tr.at(fn.Pos()), "func init")
			}
		}
	})
}

func checkGlobals(tr *tree, report report) {
	eachGlobal(tr, func(f *file, decl *ast.GenDecl, spec *ast.ValueSpec) {
		if isEmbedded(decl, spec) {
			return
		}
		for i, name := range spec.Names {
			switch {
			case name.Name == "_":
			case len(spec.Values) != len(spec.Names):
				report(tr.at(name.Pos()), "var %s has no value of its own", name.Name)
			case !f.mayBeGlobal(spec.Values[i]):
				report(tr.at(name.Pos()), "var %s is not one of what may be global", name.Name)
			}
		}
	})
}

func eachGlobal(tr *tree, visit func(f *file, decl *ast.GenDecl, spec *ast.ValueSpec)) {
	eachFile(tr, func(_ *folder, f *file) {
		for _, decl := range f.syntax.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				visit(f, gen, spec.(*ast.ValueSpec))
			}
		}
	})
}

func isEmbedded(decl *ast.GenDecl, spec *ast.ValueSpec) bool {
	for _, group := range []*ast.CommentGroup{decl.Doc, spec.Doc} {
		if group == nil {
			continue
		}
		for _, comment := range group.List {
			if strings.HasPrefix(comment.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// constructors make values that nobody can change, by package.
var constructors = map[string][]string{
	"errors":        {"New"},
	"fmt":           {"Errorf"},
	"reflect":       {"TypeFor", "TypeOf"},
	"regexp":        {"MustCompile"},
	"strings":       {"NewReplacer"},
	"slices":        {"Concat"},
	"hash/crc32":    {"MakeTable"},
	"net/netip":     {"MustParseAddr", "MustParsePrefix"},
	"html/template": {"Must"},
	"text/template": {"Must"},

	"github.com/prometheus/client_golang/prometheus": {"NewDesc"},
}

// testConstructors are those that tests may use besides. No name: all of the package.
var testConstructors = map[string][]string{
	"flag":     nil,
	"log/slog": {"New", "NewLogLogger"}, // with the handler that discards

	"github.com/google/go-cmp/cmp":         nil,
	"github.com/google/go-cmp/cmp/cmpopts": nil,
}

// mayBeGlobal reports whether a package-level variable may have the value.
func (f *file) mayBeGlobal(value ast.Expr) bool {
	switch v := value.(type) {
	case *ast.BasicLit, *ast.Ident, *ast.SelectorExpr:
		return true
	case *ast.BinaryExpr:
		return f.mayBeGlobal(v.X) && f.mayBeGlobal(v.Y)
	case *ast.ParenExpr:
		return f.mayBeGlobal(v.X)
	case *ast.CompositeLit:
		return !f.holdsState(v.Type)
	case *ast.CallExpr:
		if array, ok := v.Fun.(*ast.ArrayType); ok { // []byte("text")
			return !f.holdsState(array)
		}
		fn := v.Fun
		if typed, generic := fn.(*ast.IndexExpr); generic { // TypeFor[T]()
			fn = typed.X
		}
		from, name, ok := f.selector(fn)
		if slices.Contains(constructors[from], name) {
			return true
		}
		names, known := testConstructors[from]
		return ok && f.test && known && (names == nil || slices.Contains(names, name))
	}
	return false
}

// holdsState reports whether a type is made to be changed: a channel, or anything of the packages for sharing.
func (f *file) holdsState(kind ast.Expr) bool {
	found := false
	ast.Inspect(kind, func(n ast.Node) bool {
		from, _, _ := f.selector(n)
		_, channel := n.(*ast.ChanType)
		found = found || channel || from == "sync" || from == "sync/atomic"
		return !found
	})
	return found
}

// checkGlobalsWritten looks for assignments to package-level variables, through whatever is between: x[i].f = 1.
func checkGlobalsWritten(tr *tree, report report) {
	declared := make(map[string]map[string]*ast.ValueSpec) // by folder and name
	eachFile(tr, func(fo *folder, _ *file) { declared[fo.path] = make(map[string]*ast.ValueSpec) })
	eachGlobal(tr, func(f *file, _ *ast.GenDecl, spec *ast.ValueSpec) {
		for _, name := range spec.Names {
			if name.Name != "_" {
				declared[path.Dir(f.path)][name.Name] = spec
			}
		}
	})
	eachFile(tr, func(fo *folder, f *file) {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			for _, target := range written(n) {
				name := root(target)
				if name == nil || declared[fo.path][name.Name] == nil {
					continue
				}
				if name.Obj == nil || name.Obj.Decl == declared[fo.path][name.Name] { // nil: declared in another file
					report(tr.at(n.Pos()), "%s is written", name.Name)
				}
			}
			return true
		})
	})
}

// written returns what a statement changes, or hands out to be changed.
func written(n ast.Node) []ast.Expr {
	switch s := n.(type) {
	case *ast.AssignStmt:
		if s.Tok != token.DEFINE {
			return s.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{s.X}
	case *ast.UnaryExpr:
		if _, whole := s.X.(*ast.Ident); whole && s.Op == token.AND {
			return []ast.Expr{s.X}
		}
	case *ast.CallExpr:
		fn, ok := s.Fun.(*ast.Ident)
		if ok && len(s.Args) > 0 && slices.Contains([]string{"clear", "copy", "delete"}, fn.Name) {
			return s.Args[:1]
		}
	}
	return nil
}

// root returns the variable at the bottom of x.f[i].
func root(e ast.Expr) *ast.Ident {
	switch x := e.(type) {
	case *ast.Ident:
		return x
	case *ast.IndexExpr:
		return root(x.X)
	case *ast.SelectorExpr:
		return root(x.X)
	case *ast.ParenExpr:
		return root(x.X)
	}
	return nil
}
