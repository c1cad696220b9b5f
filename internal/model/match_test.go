package model_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

func all(of ...model.Match) model.Match    { return model.Match{Op: model.All, Of: of} }
func either(of ...model.Match) model.Match { return model.Match{Op: model.Any, Of: of} }
func not(of ...model.Match) model.Match    { return model.Match{Op: model.Not, Of: of} }

func TestMatchString(t *testing.T) {
	a, b, c := model.Leaf(model.Host, "a"), model.Leaf(model.Path, "/b"), model.Leaf(model.Method, "GET")
	cases := []struct {
		name string
		in   model.Match
		want string
	}{
		{"everything", model.Match{}, ""},
		{"leaf", a, "Host(`a`)"},
		{"leaf with a key", model.Match{Op: model.Is, Test: model.Header, Key: "X", Value: "1"}, "Header(`X`, `1`)"},
		{"leaf with an empty value", model.Leaf(model.Host, ""), "Host(``)"},
		{"and", all(a, b), "Host(`a`) && Path(`/b`)"},
		{"or", either(a, b), "Host(`a`) || Path(`/b`)"},
		{"not", not(a), "!Host(`a`)"},
		{"not not", not(not(a)), "!!Host(`a`)"},
		{"or in and", all(either(a, b), c), "(Host(`a`) || Path(`/b`)) && Method(`GET`)"},
		{"and in or needs no parentheses", either(all(a, b), c), "Host(`a`) && Path(`/b`) || Method(`GET`)"},
		{"a list in a list of its kind keeps its shape", all(all(a, b), c), "(Host(`a`) && Path(`/b`)) && Method(`GET`)"},
		{"not a list", not(all(a, b)), "!(Host(`a`) && Path(`/b`))"},
		{"not in a list", all(not(a), b), "!Host(`a`) && Path(`/b`)"},
		{"one operand is the operand", all(either(a)), "Host(`a`)"},
		{"one operand in its place", not(all(either(a, b))), "!(Host(`a`) || Path(`/b`))"},
		{"back quote", model.Leaf(model.Path, "/`x"), "Path(\"/`x\")"},
		{"back quote and quote", model.Leaf(model.Path, "`\"\\"), "Path(\"`\\\"\\\\\")"},
		{"control characters", model.Leaf(model.Path, "/\r\n`"), `Path("/\r\n` + "`" + `")`},
		{"nothing", either(), "!()"},
		{"not without operand", not(), "!()"},
		{"not everything", not(all()), "!()"},
		{"everything among others", all(all(), a), "() && Host(`a`)"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.in.String(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Two trees render equally when they are equal, and only then; a list of one is its operand. Whoever compares rules by
// their text relies on it.
func TestMatchStringTellsTreesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawMatch(t, 3), drawMatch(t, 3)
		equal := cmp.Equal(unwrap(a), unwrap(b))
		if (a.String() == b.String()) != equal {
			t.Fatalf("equal: %v, but rendered as\n%s\n%s", equal, a, b)
		}
	})
}

func drawMatch(t *rapid.T, depth int) model.Match {
	op := rapid.SampledFrom([]model.Op{model.Is, model.All, model.Any, model.Not}).Draw(t, "op")
	switch {
	case op == model.Is || depth == 0:
		return model.Leaf(model.Host, rapid.SampledFrom([]string{"a", "`", "\r"}).Draw(t, "value"))
	case op == model.Not:
		return not(drawMatch(t, depth-1))
	}
	of := make([]model.Match, rapid.IntRange(1, 3).Draw(t, "operands"))
	for i := range of {
		of[i] = drawMatch(t, depth-1)
	}
	return model.Match{Op: op, Of: of}
}

func unwrap(m model.Match) model.Match {
	if m.Op != model.Is && m.Op != model.Not && len(m.Of) == 1 {
		return unwrap(m.Of[0])
	}
	of := make([]model.Match, len(m.Of))
	for i, o := range m.Of {
		of[i] = unwrap(o)
	}
	m.Of = of
	return m
}
