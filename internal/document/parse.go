package document

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf8"
)

// What a document may cost.
const (
	MaxSize  = 4 << 20   // bytes
	MaxDepth = 64        // of maps and lists in each other
	maxNodes = 1_000_000 // with every YAML alias counted as often as it is used
)

// SyntaxError says why a file cannot be read at all.
type SyntaxError struct {
	At      Position
	Message string
}

// Error returns "file:line: message".
func (e *SyntaxError) Error() string { return e.At.String() + ": " + e.Message }

// Parse reads a file's content; the extension of its name says the format: .yml, .yaml, .json or .toml. An empty file
// is an empty map. The error, if there is one, is a *SyntaxError.
func Parse(file string, data []byte) (root *Node, err error) {
	// The formats' parsers are other people's; a defect in one of them must stay a mistake in a file.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, &SyntaxError{Position{File: file}, fmt.Sprintf("cannot be read: %v", r)}
		}
	}()
	root, bad := parse(newText(file, data))
	if bad != nil {
		return nil, bad
	}
	return root, nil
}

func parse(t *text) (*Node, *SyntaxError) {
	if len(t.data) > MaxSize {
		return nil, t.fail(0, "the file has %d bytes; at most %d can be read", len(t.data), MaxSize)
	}
	if !utf8.Valid(t.data) {
		return nil, t.fail(invalidAt(t.data), "the file is not UTF-8 text")
	}
	if len(bytes.TrimSpace(t.data)) == 0 {
		return &Node{Kind: Map, At: Position{t.file, 1, 1}}, nil
	}
	switch ext := strings.ToLower(filepath.Ext(t.file)); ext {
	case ".yml", ".yaml":
		return parseYAML(t)
	case ".toml":
		return parseTOML(t)
	case ".json":
		return parseJSON(t)
	default:
		return nil, t.fail(0, "cannot tell the format from the extension %q; use .yaml, .toml or .json", ext)
	}
}

func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// text is a file's content with an index of its lines, and the count of the nodes made from it.
type text struct {
	file  string
	data  []byte
	lines []int // offset of the first byte of each line
	nodes int
}

func newText(file string, data []byte) *text {
	t := &text{file: file, data: bytes.TrimPrefix(data, []byte("\ufeff")), lines: []int{0}}
	if len(data) > MaxSize {
		return t // it will be refused
	}
	for i, b := range t.data {
		if b == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// at returns the position of a byte. Columns count bytes.
func (t *text) at(offset int) Position {
	line := sort.SearchInts(t.lines, offset+1)
	return Position{t.file, line, offset - t.lines[line-1] + 1}
}

func (t *text) fail(offset int, format string, args ...any) *SyntaxError {
	return &SyntaxError{t.at(offset), fmt.Sprintf(format, args...)}
}

// add counts a node and bounds how many there are and how deep they lie.
func (t *text) add(n *Node, depth int) (*Node, *SyntaxError) {
	t.nodes++
	switch {
	case t.nodes > maxNodes:
		return nil, &SyntaxError{n.At, "the document is too large once its aliases are expanded"}
	case depth > MaxDepth:
		return nil, &SyntaxError{n.At, fmt.Sprintf("maps and lists are nested more than %d deep", MaxDepth)}
	}
	return n, nil
}

// duplicate is the error for a key that stands twice in one map.
func duplicate(name string, at, first Position) *SyntaxError {
	message := fmt.Sprintf("the key %q is already in line %d; remove one of them", shorten(name), first.Line)
	return &SyntaxError{at, message}
}
