package route

import (
	"slices"
	"strings"
)

// node is a place in a radix tree of paths, and the tree below it. Nodes are immutable once their table is.
type node struct {
	// text is what the path goes on with, after the byte by which the parent chose this child.
	text     string
	labels   string // the bytes by which the children are chosen
	children []*node
	under    []*candidate // the path starts so
	exact    []*candidate // the path ends here
	// born is the generation of the table that made the node: it alone may change it.
	born     uint64
	unsorted bool // candidates were added out of order; see edit.settle
}

// edit makes changes to an index, for one generation. It copies what it changes, once, and leaves the rest shared.
// All removals come before the first addition, since they rely on sorted lists.
type edit struct {
	born      uint64
	piles     *piles
	unsettled []*node
}

// own returns n, or a copy of it that may be changed.
func (e *edit) own(n *node) *node {
	if n.born == e.born {
		return n
	}
	c := *n
	c.born = e.born
	c.exact = slices.Clone(n.exact)
	c.under = slices.Clone(n.under)
	c.children = slices.Clone(n.children)
	return &c
}

// add returns the tree n, which may be nil, with c at the path.
func (e *edit) add(n *node, path string, exact bool, c *candidate) *node {
	if n == nil {
		n = e.node(node{text: path, born: e.born})
		e.put(n, exact, c)
		return n
	}
	n = e.own(n)
	common := commonPrefix(n.text, path)
	if common < len(n.text) {
		label := n.text[common : common+1]
		parent := e.node(node{text: n.text[:common], labels: label, children: []*node{n}, born: e.born})
		n.text = n.text[common+1:]
		n = parent
	}
	rest := path[common:]
	if rest == "" {
		e.put(n, exact, c)
		return n
	}
	if i := strings.IndexByte(n.labels, rest[0]); i >= 0 {
		n.children[i] = e.add(n.children[i], rest[1:], exact, c)
		return n
	}
	n.labels += rest[:1]
	n.children = append(n.children, e.add(nil, rest[1:], exact, c))
	return n
}

func (e *edit) node(n node) *node {
	made := e.piles.nodes.one(e.piles.size)
	*made = n
	return made
}

func (e *edit) put(n *node, exact bool, c *candidate) {
	list := &n.under
	if exact {
		list = &n.exact
	}
	if last := len(*list) - 1; last >= 0 && !n.unsorted && order(c, (*list)[last]) < 0 {
		n.unsorted = true
		e.unsettled = append(e.unsettled, n)
	}
	if *list == nil {
		*list = e.piles.lists.take(1, e.piles.size)[:0]
	}
	*list = append(*list, c)
}

// settle sorts the lists that additions left unsorted.
func (e *edit) settle() {
	for _, n := range e.unsettled {
		n.unsorted = false
		slices.SortFunc(n.exact, order)
		slices.SortFunc(n.under, order)
	}
	e.unsettled = nil
}

// remove returns the tree n, which may be nil, without c at the path; nil: nothing is left.
func (e *edit) remove(n *node, path string, exact bool, c *candidate) *node {
	if n == nil {
		return nil
	}
	rest, ok := strings.CutPrefix(path, n.text)
	if !ok {
		return n
	}
	n = e.own(n)
	if rest == "" {
		if exact {
			n.exact = without(n.exact, c)
		} else {
			n.under = without(n.under, c)
		}
		return e.shrink(n)
	}
	i := strings.IndexByte(n.labels, rest[0])
	if i < 0 {
		return n
	}
	if child := e.remove(n.children[i], rest[1:], exact, c); child != nil {
		n.children[i] = child
		return n
	}
	n.labels = n.labels[:i] + n.labels[i+1:]
	n.children = slices.Delete(n.children, i, i+1)
	return e.shrink(n)
}

// shrink returns what is to be in n's place: nothing if n is empty, its only child if it has no candidates itself.
func (e *edit) shrink(n *node) *node {
	if len(n.exact) > 0 || len(n.under) > 0 || len(n.children) > 1 {
		return n
	}
	if len(n.children) == 0 {
		return nil
	}
	child := e.own(n.children[0])
	child.text = n.text + n.labels + child.text
	return child
}

// without removes c from a sorted list of its own.
func without(list []*candidate, c *candidate) []*candidate {
	i, _ := slices.BinarySearchFunc(list, c, order)
	if i < len(list) && list[i] == c {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// walk calls f for every candidate in the tree, once for each place where it is.
func (n *node) walk(f func(*candidate)) {
	if n == nil {
		return
	}
	for _, c := range n.exact {
		f(c)
	}
	for _, c := range n.under {
		f(c)
	}
	for _, child := range n.children {
		child.walk(f)
	}
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
