package tidy

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

func docRules() []rule {
	return []rule{
		{
			"package comment", "a package says what it is for, how data goes through it and what must hold; " +
				"in doc.go where there are more than three files, so that it is found",
			checkPackageComments,
		},
		{"exported", "who uses a name must not have to read the code below it", checkExported},
	}
}

func checkPackageComments(tr *tree, report report) {
	for _, fo := range tr.folders {
		product := slices.DeleteFunc(slices.Clone(fo.files), func(f *file) bool { return f.test })
		if len(product) == 0 {
			product = fo.files
		}
		i := slices.IndexFunc(product, func(f *file) bool { return f.syntax.Doc != nil })
		if i < 0 {
			report(place{product[0].path, 1}, "package %s has no comment", product[0].syntax.Name.Name)
			continue
		}
		f := product[i]
		command := f.syntax.Name.Name == "main" // its comment is what people read first, and main.go where they look
		if len(product) > 3 && path.Base(f.path) != "doc.go" && !command {
			report(tr.at(f.syntax.Package), "the package's comment belongs into doc.go")
		}
		if first := firstWords(f.syntax.Name.Name); !strings.HasPrefix(f.syntax.Doc.Text(), first) {
			report(tr.at(f.syntax.Package), "the package's comment does not begin with %q", first)
		}
	}
}

// firstWords is how a package's comment begins. A command's is its own affair.
func firstWords(name string) string {
	if name == "main" {
		return ""
	}
	return "Package " + strings.TrimSuffix(name, "_test") + " "
}

func checkExported(tr *tree, report report) {
	eachFile(tr, func(_ *folder, f *file) {
		if f.test || f.generated {
			return
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && receiverExported(d) {
					report(tr.at(d.Pos()), "%s has no comment", d.Name.Name)
				}
			case *ast.GenDecl:
				for _, name := range undocumented(d) {
					report(tr.at(name.Pos()), "%s has no comment", name.Name)
				}
			}
		}
	})
}

func receiverExported(fn *ast.FuncDecl) bool {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return true
	}
	exported := false
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		name, ok := n.(*ast.Ident)
		exported = exported || ok && name.IsExported()
		return !ok
	})
	return exported
}

// undocumented returns the exported names of a declaration that no comment covers: its own, the one at the end of its
// line, or (for constants and variables) the group's.
func undocumented(d *ast.GenDecl) []*ast.Ident {
	var names []*ast.Ident
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
				names = append(names, s.Name)
			}
		case *ast.ValueSpec:
			if d.Doc != nil || s.Doc != nil || s.Comment != nil {
				continue
			}
			for _, name := range s.Names {
				if name.IsExported() {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
