package document

import (
	"strconv"
	"strings"
)

// Position is a place in a file. Lines and columns count from 1; a zero line means that the place is not known.
type Position struct {
	File         string
	Line, Column int
}

// String returns "file:line", or the file alone where the line is not known.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// Kind says what a node is.
type Kind int

// The kinds of nodes.
const (
	Null   Kind = iota // nothing was written, or null; decodes as if the key were absent
	Scalar             // text; numbers and booleans are text as well, until they are decoded
	List
	Map
)

// String names the kind for people.
func (k Kind) String() string {
	return [...]string{"nothing", "a value", "a list", "a map"}[k]
}

// Node is one value of a document. Nodes that come from a YAML alias are at the place where their anchor stands.
// A document is read-only once it is parsed: an alias and its anchor may share nodes.
type Node struct {
	Kind   Kind
	At     Position
	Text   string  // of a Scalar, as written, without quotes
	Quoted bool    // the Scalar was written in quotes (or as a block), so it is text and nothing else
	Flat   bool    // the Scalar is the text of a flat key: where a map is expected, true is one that says nothing more
	Items  []*Node // of a List
	Fields []Field // of a Map, in the order of the file, each name once
}

// Field is one entry of a map.
type Field struct {
	Name  string
	At    Position // of the name
	Value *Node    // never nil
}

// Field returns the entry of a map that has the name, letter case ignored, the exact one first. Nil: there is none, or
// n is no map.
func (n *Node) Field(name string) *Field {
	if n == nil {
		return nil
	}
	var found *Field
	for i := range n.Fields {
		f := &n.Fields[i]
		if f.Name == name {
			return f
		}
		if found == nil && strings.EqualFold(f.Name, name) {
			found = f
		}
	}
	return found
}

// Locate returns the place of the entry that a path of names leads to, or of the deepest one that exists on the way. An
// item of a list is named by its index: "0".
func (n *Node) Locate(path ...string) Position {
	if n == nil {
		return Position{}
	}
	at := n.At
	for _, name := range path {
		if n.Kind == List {
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(n.Items) {
				return at
			}
			n, at = n.Items[i], n.Items[i].At
			continue
		}
		f := n.Field(name)
		if f == nil {
			return at
		}
		n, at = f.Value, f.At
	}
	return at
}

// describe says for people what was found instead of what was expected.
func (n *Node) describe() string {
	if n.Kind != Scalar {
		return n.Kind.String()
	}
	return strconv.Quote(shorten(n.Text))
}

// shorten keeps messages readable whatever a file holds.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
