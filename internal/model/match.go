package model

import (
	"strconv"
	"strings"
)

// Match is what a request must look like: a tree whose leaves are single tests. The zero Match accepts every request.
type Match struct {
	Op Op      `json:"op,omitempty"`
	Of []Match `json:"of,omitempty"` // operands of All and Any; the one operand of Not

	Test  Test   `json:"test,omitempty"`  // Is only
	Key   string `json:"key,omitempty"`   // Header, HeaderRegexp (canonical field name), Query, QueryRegexp
	Value string `json:"value,omitempty"` // see Test
}

// Op says how a node of a Match combines its operands.
type Op string

// The operations.
const (
	All Op = ""    // every operand; with none, always true
	Any Op = "any" // at least one operand; with none, always false
	Not Op = "not" // the one operand is not; with none, always false
	Is  Op = "is"  // a leaf: Test
)

// Test is what a leaf looks at. Values are compared exactly unless said otherwise; regular expressions are RE2 and
// match anywhere in the text unless anchored.
type Test string

// The tests, named as the rule language names them.
const (
	Host         Test = "Host"         // lower case, no port; "*.a.example" is exactly one more label
	HostRegexp   Test = "HostRegexp"   // against the lower-case host
	Path         Test = "Path"         // the whole path
	PathPrefix   Test = "PathPrefix"   // a prefix of the path, by characters
	PathRegexp   Test = "PathRegexp"   //
	Method       Test = "Method"       // upper case
	Header       Test = "Header"       // one of the field's values equals Value
	HeaderRegexp Test = "HeaderRegexp" //
	Query        Test = "Query"        // one of the parameter's values equals Value
	QueryRegexp  Test = "QueryRegexp"  //
	ClientIP     Test = "ClientIP"     // an address or a CIDR
)

// Leaf returns a Match that makes one test.
func Leaf(test Test, value string) Match { return Match{Op: Is, Test: test, Value: value} }

// String renders m in the rule language, in one canonical way: equal trees render equally. The zero Match renders as
// "".
func (m Match) String() string {
	if m.Op == All && len(m.Of) == 0 {
		return ""
	}
	var b strings.Builder
	m.render(&b, bindsAny)
	return b.String()
}

// How tightly the operators bind; an operand that binds less tightly than its place asks for stands in parentheses.
const (
	bindsAny = iota
	bindsAll
	bindsNot
)

func (m Match) render(b *strings.Builder, place int) {
	switch {
	case m.Op == Is:
		m.renderTest(b)
	case len(m.Of) == 0:
		m.renderEmpty(b)
	case m.Op == Not:
		b.WriteByte('!')
		m.Of[0].render(b, bindsNot)
	case len(m.Of) == 1:
		m.Of[0].render(b, place)
	case m.Op == Any:
		m.renderList(b, " || ", bindsAny, place)
	default:
		m.renderList(b, " && ", bindsAll, place)
	}
}

// renderEmpty renders a node without operands. The rule language has no words for everything and for nothing, so no
// rule yields such nodes; what a stranger sends may. They render apart from each other, and without a panic.
func (m Match) renderEmpty(b *strings.Builder) {
	if m.Op != All {
		b.WriteByte('!')
	}
	b.WriteString("()")
}

func (m Match) renderList(b *strings.Builder, separator string, binds, place int) {
	if binds < place {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	for i, o := range m.Of {
		if i > 0 {
			b.WriteString(separator)
		}
		o.render(b, binds+1) // +1: a list inside a list of its own kind keeps its shape
	}
}

func (m Match) renderTest(b *strings.Builder) {
	b.WriteString(string(m.Test))
	b.WriteByte('(')
	if m.Key != "" {
		b.WriteString(quote(m.Key))
		b.WriteString(", ")
	}
	b.WriteString(quote(m.Value))
	b.WriteByte(')')
}

// quote prefers the back quotes that rules are written with. What they cannot hold is quoted as a Go string.
func quote(s string) string {
	if strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}
