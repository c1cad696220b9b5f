package document

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show writes a tree on one line.
func show(n *Node) string {
	var parts []string
	switch n.Kind {
	case Scalar:
		return n.Text
	case List:
		for _, item := range n.Items {
			parts = append(parts, show(item))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case Map:
		for _, f := range n.Fields {
			parts = append(parts, f.Name+":"+show(f.Value))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return "-"
}

// A text that is true or false stands for a struct that says nothing more, or for none.
func TestFlatFlags(t *testing.T) {
	n, _ := Flat("box", '.', map[string]string{"a": "true", "b": "false", "c.x": "y", "d": "yes"})
	type empty struct {
		X string `doc:"x"`
	}
	var into struct {
		A *empty `doc:"a"`
		B *empty `doc:"b"`
		C *empty `doc:"c"`
		D *empty `doc:"d"`
	}
	mistakes := Decode(n, &into)
	if into.A == nil || into.B != nil || into.C == nil || into.C.X != "y" {
		t.Errorf("decoded %+v", into)
	}
	if len(mistakes) != 1 || mistakes[0].Error() != `box: d: expected a map, found "yes"` {
		t.Errorf("mistakes %v", mistakes)
	}
}

func TestFlat(t *testing.T) {
	for _, test := range []struct {
		separator byte
		texts     map[string]string
		want      string
		mistakes  []string
	}{
		{'.', nil, "{}", nil},
		{'.', map[string]string{"a.b": "1", "a.c.d": "2"}, "{a:{b:1 c:{d:2}}}", nil},
		{'.', map[string]string{"A.b": "1", "a.c": "2"}, "{A:{b:1 c:2}}", nil},
		{'.', map[string]string{"a[10]": "z", "a[2]": "y", "a[0]": "x"}, "{a:[x y z]}", nil},
		{'.', map[string]string{"a[0].b": "x", "a[1].b": "y"}, "{a:[{b:x} {b:y}]}", nil},
		{'/', map[string]string{"a/0/b": "x", "a/1/b": "y"}, "{a:[{b:x} {b:y}]}", nil},
		{'/', map[string]string{"a/0": "x", "a/b": "y"}, "{a:{0:x b:y}}", nil},
		{'.', map[string]string{"a.0": "x", "a.1": "y"}, "{a:{0:x 1:y}}", nil},
		{'.', map[string]string{"a[1000]": "x", "a[01]": "y"}, "{a[01]:y a[1000]:x}", nil},
		{'.', map[string]string{"a": "true", "a.b": "2"}, "{a:{b:2}}", nil},
		{'.', map[string]string{"b": "True", "B.b": "2"}, "{B:{b:2}}", nil},
		{'.', map[string]string{"a": "x", "a.b": "2"}, "{a:x}", []string{
			`box: a.b: "a" is a text already, and this key is below it`,
		}},
		{'.', map[string]string{"A": "x", "A.b": "2", "a": "3"}, "{A:x}", []string{
			`box: A.b: "A" is a text already, and this key is below it`,
			"box: a: another key differs from this one in letter case alone; remove one of them",
		}},
		{'.', map[string]string{"A.b": "1", "a": "2"}, "{A:{b:1}}", []string{
			"box: a: other keys are below this one, so it cannot be a text",
		}},
		{'.', map[string]string{"a..b": "1", "": "2"}, "{}", []string{
			"box: a step of the key is empty", "box: a..b: a step of the key is empty",
		}},
		{'.', map[string]string{strings.Repeat("a.", 32) + "a": "1"}, "{}", []string{
			"box: " + strings.Repeat("a.", 32) + "a: the key has more than 32 steps",
		}},
	} {
		t.Run(fmt.Sprint(test.texts), func(t *testing.T) {
			n, mistakes := Flat("box", test.separator, test.texts)
			if got := show(n); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			var got []string
			for _, m := range mistakes {
				got = append(got, m.Error())
			}
			if d := cmp.Diff(test.mistakes, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// FuzzFlat: whatever the keys, each text is in the tree once, or is told as a mistake.
func FuzzFlat(f *testing.F) {
	f.Add("a.b a[0] a..c A.B", byte('.'))
	f.Add("a/b/0 a/b/1 a", byte('/'))
	f.Fuzz(func(t *testing.T, keys string, separator byte) {
		texts := map[string]string{}
		for i, key := range strings.Fields(keys) {
			texts[key] = fmt.Sprintf("text%d", i)
		}
		root, mistakes := Flat("box", separator, texts)
		found := strings.Count(show(root), "text")
		own := strings.Count(strings.Join(names(root), " "), "text")
		if want := len(texts) - len(mistakes); found-own != want {
			t.Errorf("%d texts of %q (%d mistakes) are in %s", found-own, texts, len(mistakes), show(root))
		}
	})
}

func names(n *Node) (all []string) {
	for _, f := range n.Fields {
		all = append(append(all, f.Name), names(f.Value)...)
	}
	for _, item := range n.Items {
		all = append(all, names(item)...)
	}
	return all
}
