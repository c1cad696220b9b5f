package config

import (
	"strings"

	"github.com/fairlead/fairlead/internal/document"
)

// providers reads the providers of every kind; letter case does not count in a kind.
func (l *loader) providers(p part) []File {
	var files []File
	known := append([]string{"file"}, traefikProviders...)
	names, parts := l.entries(p)
	for i, name := range names {
		switch {
		case strings.EqualFold(name, "file"):
			files = append(files, l.files(parts[i])...)
		case contains(traefikProviders, name):
			l.wrong(parts[i], "%q is not supported yet; remove it", name)
		default:
			l.wrong(parts[i], "%s", document.UnknownField(name, known))
		}
	}
	return files
}

// files reads the file providers: one, or a list of them.
func (l *loader) files(p part) []File {
	if !p.given() {
		return nil
	}
	parts := []part{p}
	if p.node.Kind == document.List {
		parts = l.list(p)
	}
	var files []File
	seen := map[string]string{}
	for _, p := range parts {
		f := File{Name: "main", Watch: true}
		l.decode(p, &f)
		if !clusterName.MatchString(f.Name) {
			l.wrong(p.key("name"), "%q is no name of a provider; use a-z, 0-9 and -", shorten(f.Name))
		}
		l.unique(p.key("name"), f.Name, seen)
		switch {
		case f.Filename != "" && f.Directory != "":
			l.wrong(p.key("directory"), "filename and directory are both given; remove one")
		case f.Filename == "" && f.Directory == "":
			l.wrong(p, "names nothing to read; write filename or directory")
		}
		l.absolute(&f.Filename)
		l.absolute(&f.Directory)
		files = append(files, f)
	}
	return files
}

// unique reports a name that was seen before. Seen holds where.
func (l *loader) unique(p part, name string, seen map[string]string) {
	if first, ok := seen[name]; ok {
		l.wrong(p, "the name %q is already taken by %s", name, first)
		return
	}
	seen[name] = p.path
}
