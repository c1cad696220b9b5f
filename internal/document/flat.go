package document

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what flat keys can make.
const (
	maxDepth = 32
	maxItems = 1000 // of one list
)

// Flat makes a tree of texts that have whole paths for keys, as labels and key-value stores do. Steps of a path are
// divided by the separator; letter case does not count in them, and how a step is written is decided by the first of
// the sorted keys. An item of a list is named by its index: as in "servers[0]", or, where the separator is a slash, by
// a step of its own, "servers/0". Keys have no lines, so every position is the place alone.
//
// A key that leads nowhere is left out and told: it has an empty step or more than 32, there is a text on its way, or
// it differs from another in letter case alone. A text that is true yields to keys below it: "tls=true" says no more
// than "tls.options=x" does.
func Flat(place string, separator byte, texts map[string]string) (*Node, []Mistake) {
	at := Position{File: place}
	root := &flat{}
	var mistakes []Mistake
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if err := root.put(steps(key, separator), texts[key]); err != nil {
			mistakes = append(mistakes, Mistake{At: at, Field: key, Message: err.Error()})
		}
	}
	return root.node(at), mistakes
}

// flat is a node that is being put together.
type flat struct {
	text     string
	isText   bool
	names    []string // of below, in the order in which they came
	children map[string]*flat
}

// steps divides a key. "a[0].b" has the steps a, [0], b.
func steps(key string, separator byte) []string {
	var all []string
	for step := range strings.SplitSeq(key, string(separator)) {
		name, index, bracket := strings.Cut(step, "[")
		switch {
		case separator == '/' && indexOf("["+step+"]") >= 0:
			all = append(all, "["+step+"]")
		case bracket && name != "" && indexOf("["+index) >= 0:
			all = append(all, name, "["+index)
		default:
			all = append(all, step)
		}
	}
	return all
}

// indexOf returns the index that a step names; -1: it is no index.
func indexOf(step string) int {
	text, open := strings.CutPrefix(step, "[")
	text, closed := strings.CutSuffix(text, "]")
	i, err := strconv.Atoi(text)
	if !open || !closed || err != nil || i < 0 || i >= maxItems || strconv.Itoa(i) != text {
		return -1
	}
	return i
}

func (f *flat) put(path []string, text string) error {
	if len(path) > maxDepth {
		return fmt.Errorf("the key has more than %d steps", maxDepth)
	}
	for _, step := range path {
		if step == "" {
			return fmt.Errorf("a step of the key is empty")
		}
	}
	for i, step := range path {
		if f.isText && isTrue(f.text) {
			f.text, f.isText = "", false
		}
		if f.isText {
			return fmt.Errorf("%q is a text already, and this key is below it", strings.Join(path[:i], " "))
		}
		f = f.child(step)
	}
	if f.isText {
		return fmt.Errorf("another key differs from this one in letter case alone; remove one of them")
	}
	if len(f.names) > 0 && isTrue(text) {
		return nil
	}
	if len(f.names) > 0 {
		return fmt.Errorf("other keys are below this one, so it cannot be a text")
	}
	f.text, f.isText = text, true
	return nil
}

func isTrue(text string) bool { return strings.EqualFold(text, "true") }

func (f *flat) child(step string) *flat {
	lower := strings.ToLower(step)
	if c, ok := f.children[lower]; ok {
		return c
	}
	if f.children == nil {
		f.children = make(map[string]*flat)
	}
	c := &flat{}
	f.children[lower], f.names = c, append(f.names, step)
	return c
}

func (f *flat) node(at Position) *Node {
	switch {
	case f.isText:
		return &Node{Kind: Scalar, At: at, Text: f.text, Flat: true}
	case len(f.names) > 0 && !slices.ContainsFunc(f.names, func(name string) bool { return indexOf(name) < 0 }):
		return f.list(at)
	}
	n := &Node{Kind: Map, At: at}
	for _, name := range f.names {
		value := f.children[strings.ToLower(name)].node(at)
		if i := indexOf(name); i >= 0 { // a name like others
			name = strconv.Itoa(i)
		}
		n.Fields = append(n.Fields, Field{name, at, value})
	}
	return n
}

// list orders items by index. One that is missing is not there: the others move up, as in a store from which it was
// deleted.
func (f *flat) list(at Position) *Node {
	n := &Node{Kind: List, At: at}
	slices.SortFunc(f.names, func(a, b string) int { return indexOf(a) - indexOf(b) })
	for _, name := range f.names {
		n.Items = append(n.Items, f.children[name].node(at))
	}
	return n
}
