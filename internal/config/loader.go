package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// loader makes a Config of a tree and gathers what is wrong with it.
type loader struct {
	root     *document.Node
	folder   string
	mistakes Errors
	problems []model.Problem
}

// part is a piece of the file: what stands there, and the way to it.
type part struct {
	node *document.Node // nil: nothing stands there
	at   document.Position
	path string // "clusters[0].grant"
}

// key returns what stands under a key.
func (p part) key(name string) part {
	next := part{at: p.at, path: name}
	if p.path != "" {
		next.path = p.path + "." + name
	}
	if f := p.node.Field(name); f != nil {
		next.at = f.At
		if f.Value.Kind != document.Null {
			next.node = f.Value
		}
	}
	return next
}

// item returns an item of a list. A list of plain values may be written as one text with commas.
func (p part) item(i int) part {
	next := part{at: p.at, path: p.path + "[" + strconv.Itoa(i) + "]"}
	if p.node != nil && i < len(p.node.Items) {
		next.node, next.at = p.node.Items[i], p.node.Items[i].At
	}
	return next
}

func (p part) given() bool { return p.node != nil }

func (l *loader) wrong(p part, format string, args ...any) {
	l.mistakes = append(l.mistakes, document.Mistake{At: p.at, Field: p.path, Message: fmt.Sprintf(format, args...)})
}

// decode fills into, which holds the defaults, from a part.
func (l *loader) decode(p part, into any) {
	if !p.given() {
		return
	}
	for _, mistake := range document.Decode(p.node, into) {
		switch {
		case mistake.Field == "":
			mistake.Field = p.path
		case p.path != "":
			mistake.Field = p.path + "." + mistake.Field
		}
		if mistake.Unknown {
			l.unknown(mistake)
			continue
		}
		l.mistakes = append(l.mistakes, mistake)
	}
}

// list returns the items of a part that must be a list.
func (l *loader) list(p part) []part {
	switch {
	case !p.given():
		return nil
	case p.node.Kind != document.List:
		l.wrong(p, "expected a list, found %s", p.node.Kind)
		return nil
	}
	items := make([]part, len(p.node.Items))
	for i := range items {
		items[i] = p.item(i)
	}
	return items
}

// entries returns the entries of a part that must be a map, by name in the order of the file.
func (l *loader) entries(p part) (names []string, parts []part) {
	if !p.given() {
		return nil, nil
	}
	if p.node.Kind != document.Map {
		l.wrong(p, "expected a map, found %s", p.node.Kind)
		return nil, nil
	}
	for _, f := range p.node.Fields {
		names, parts = append(names, f.Name), append(parts, p.key(f.Name))
	}
	return names, parts
}

// required reports a key that is missing in a map that is there. One that is there and wrong was reported when it was
// decoded.
func (l *loader) required(p part, name, example string) {
	if p.node.Kind == document.Map && !p.key(name).given() {
		l.wrong(p.key(name), "is missing; write for example %s: %s", name, example)
	}
}

// notNegative reports a duration below zero.
func (l *loader) notNegative(p part, d time.Duration) {
	if d < 0 {
		l.wrong(p, "%v is negative", d)
	}
}

// atLeast reports a number that is too small.
func (l *loader) atLeast(p part, least, n int) {
	if n < least {
		l.wrong(p, "%d is too small; it must be at least %d", n, least)
	}
}

// oneOf reports a text that is none of those known.
func (l *loader) oneOf(p part, text string, known ...string) {
	if !slices.Contains(known, text) {
		l.wrong(p, "%q is unknown; write %s", shorten(text), strings.Join(known, ", "))
	}
}

// absolute makes a path from the file absolute.
func (l *loader) absolute(path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(l.folder, *path)
	}
}

// keyPair checks a certificate and its key. Nil: none is given.
func (l *loader) keyPair(p part, pair *KeyPair) {
	if pair == nil {
		return
	}
	l.required(p, "certFile", `"server.pem"`)
	l.required(p, "keyFile", `"server-key.pem"`)
	l.absolute(&pair.CertFile)
	l.absolute(&pair.KeyFile)
}
