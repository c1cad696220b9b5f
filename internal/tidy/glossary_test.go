package tidy

import (
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The glossary says where a word lives in the code; there must be such a place.
func TestGlossaryNamesWhatExists(t *testing.T) {
	glossary, err := os.ReadFile("../../docs/GLOSSARY.md")
	if err != nil {
		t.Fatal(err)
	}
	tr := load(t, os.DirFS("../.."))
	for _, quoted := range regexp.MustCompile("`(internal|cmd)/[a-z/]+`").FindAllString(string(glossary), -1) {
		if !slices.ContainsFunc(tr.folders, func(fo *folder) bool { return fo.path == strings.Trim(quoted, "`") }) {
			t.Errorf("no folder %s", quoted)
		}
	}
	for _, quoted := range regexp.MustCompile("`[a-z]+\\.[A-Z]\\w+(\\.[A-Z]\\w+)?`").FindAllString(string(glossary), -1) {
		folder, name, _ := strings.Cut(strings.Trim(quoted, "`"), ".")
		if !tr.declares("internal/"+folder, name) {
			t.Errorf("nothing declares %s", quoted)
		}
	}
}

// declares reports whether a package has a declaration of the name, or the type and its field or method of "Type.Name".
func (tr *tree) declares(dir, name string) bool {
	name, member, _ := strings.Cut(name, ".")
	foundName, foundMember := false, member == ""
	eachFile(tr, func(fo *folder, f *file) {
		if fo.path != dir {
			return
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			foundName = foundName || ok && id.Name == name && id.Obj != nil
			foundMember = foundMember || ok && id.Name == member
			return true
		})
	})
	return foundName && foundMember
}
