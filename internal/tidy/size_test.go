package tidy

import (
	"go/ast"
	"strings"
	"unicode/utf8"
)

const (
	maxFunction     = 60 // lines between the braces
	maxTestFunction = 90 // tables of cases are long and easy to read
	maxFile         = 500
	maxColumns      = 120 // a tab counts as one
)

func sizeRules() []rule {
	return []rule{
		{"function length", "what does not fit on a screen is not understood at once", checkFunctions},
		{"file length", "small files whose names are a table of contents are found and read", checkFiles},
		{"line length", "two files fit side by side", checkLines},
	}
}

func checkFunctions(tr *tree, report report) {
	eachFile(tr, func(_ *folder, f *file) {
		most := maxFunction
		if f.test {
			most = maxTestFunction
		}
		if f.generated {
			return
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			name, body := functionOf(n)
			if body == nil {
				return true
			}
			lines := tr.at(body.Rbrace).line - tr.at(body.Lbrace).line - 1
			if lines > most {
				report(tr.at(n.Pos()), "%s has %d lines, more than %d", name, lines, most)
			}
			return false // what is inside is shorter
		})
	})
}

func functionOf(n ast.Node) (name string, body *ast.BlockStmt) {
	switch fn := n.(type) {
	case *ast.FuncDecl:
		return fn.Name.Name, fn.Body
	case *ast.FuncLit:
		return "a function", fn.Body
	}
	return "", nil
}

func checkFiles(tr *tree, report report) {
	eachFile(tr, func(_ *folder, f *file) {
		if lines := strings.Count(f.content, "\n"); lines > maxFile && !f.generated {
			report(place{f.path, lines}, "%d lines, more than %d", lines, maxFile)
		}
	})
}

func checkLines(tr *tree, report report) {
	eachFile(tr, func(_ *folder, f *file) {
		if f.generated {
			return
		}
		number := 0
		for line := range strings.Lines(f.content) {
			number++
			if columns := utf8.RuneCountInString(strings.TrimRight(line, "\r\n")); columns > maxColumns {
				report(place{f.path, number}, "%d columns, more than %d", columns, maxColumns)
			}
		}
	})
}
