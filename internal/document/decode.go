package document

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Decode fills a struct from a map and returns every mistake, in the order of the document. What is not mistaken is
// filled in all the same. Into must be a pointer to a struct.
//
// A field of the struct takes the key that its tag `doc:"name"` gives, letter case ignored; a field without the tag
// takes none, and an embedded struct's fields count as the struct's own. A key that no field takes is a mistake. Null
// leaves a field as it is.
//
// Fields may be string, bool, integers, floats, [time.Duration] ("10s", or whole seconds as a number), structs,
// pointers (nil until something is written), slices, maps with string keys, *Node (takes the value as it is), and types
// that implement [encoding.TextUnmarshaler]. Text is converted ("true", "5"), since labels have nothing but text; for
// the same reason a list of plain values may be written as one text with commas, and an empty struct, among flat keys,
// as true.
func Decode(n *Node, into any) []Mistake {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return []Mistake{{At: n.At, Message: fmt.Sprintf("cannot be decoded into %T", into)}}
	}
	var d decoder
	d.value("", n.At, n, v.Elem())
	return d.mistakes
}

type decoder struct{ mistakes []Mistake }

// maxMistakes bounds what a hostile or mistaken file can make us say.
const maxMistakes = 1000

func (d *decoder) report(m Mistake) {
	if len(d.mistakes) == maxMistakes {
		m = Mistake{At: m.At, Message: "there are more mistakes; correct these first"}
	}
	if len(d.mistakes) <= maxMistakes {
		d.mistakes = append(d.mistakes, m)
	}
}

func (d *decoder) fail(path string, at Position, format string, args ...any) {
	d.report(Mistake{At: at, Field: path, Message: fmt.Sprintf(format, args...)})
}

func (d *decoder) unknown(path string, f Field, names []string) {
	if len(d.mistakes) <= maxMistakes { // to look for what was meant takes time
		d.report(Mistake{f.At, path, true, UnknownField(f.Name, names), f.Value})
	}
}

func (d *decoder) expected(what, path string, at Position, n *Node) {
	d.fail(path, at, "expected %s, found %s", what, n.describe())
}

var (
	nodeType     = reflect.TypeFor[*Node]()
	durationType = reflect.TypeFor[time.Duration]()
)

// value decodes n into v; at is where its key stands.
func (d *decoder) value(path string, at Position, n *Node, v reflect.Value) {
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(n))
		return
	}
	if n.Kind == Null {
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.unmarshal(path, at, n, text)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if on, ok := n.flag(); ok && !on && v.Type().Elem().Kind() == reflect.Struct {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(path, at, n, v.Elem())
	case reflect.Struct:
		d.fields(path, at, n, v)
	case reflect.Slice:
		d.list(path, at, n, v)
	case reflect.Map:
		d.entries(path, at, n, v)
	default:
		d.scalar(path, at, n, v)
	}
}

func (d *decoder) unmarshal(path string, at Position, n *Node, into encoding.TextUnmarshaler) {
	if n.Kind != Scalar {
		d.expected("text", path, at, n)
		return
	}
	if err := into.UnmarshalText([]byte(n.Text)); err != nil {
		d.fail(path, at, "%s", err)
	}
}

// flag reads the text of a flat key as true or false.
func (n *Node) flag() (on, ok bool) {
	if n.Kind != Scalar || !n.Flat {
		return false, false
	}
	on = isTrue(n.Text)
	return on, on || strings.EqualFold(n.Text, "false")
}

func (d *decoder) fields(path string, at Position, n *Node, v reflect.Value) {
	if _, ok := n.flag(); ok {
		return
	}
	if n.Kind != Map {
		d.expected("a map", path, at, n)
		return
	}
	known := map[string]reflect.Value{}
	var names []string
	collect(v, func(name string, field reflect.Value) {
		known[strings.ToLower(name)] = field
		names = append(names, name)
	})
	seen := map[string]Position{}
	for _, f := range n.Fields {
		lower, fieldPath := strings.ToLower(f.Name), join(path, f.Name)
		field, ok := known[lower]
		if !ok {
			d.unknown(fieldPath, f, names)
			continue
		}
		if first, ok := seen[lower]; ok {
			d.fail(fieldPath, f.At, "the key is already in line %d; remove one of them", first.Line)
			continue
		}
		seen[lower] = f.At
		d.value(fieldPath, f.At, f.Value, field)
	}
}

// collect calls found for every field that takes a key.
func collect(v reflect.Value, found func(name string, field reflect.Value)) {
	for i := range v.NumField() {
		t := v.Type().Field(i)
		if t.Anonymous && t.Type.Kind() == reflect.Struct {
			collect(v.Field(i), found)
		} else if name := t.Tag.Get("doc"); name != "" {
			found(name, v.Field(i))
		}
	}
}

func (d *decoder) list(path string, at Position, n *Node, v reflect.Value) {
	items := n.Items
	switch {
	case n.Kind == Scalar && isPlain(v.Type().Elem()):
		items = split(n)
	case n.Kind != List:
		d.expected("a list", path, at, n)
		return
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		itemPath := path + "[" + strconv.Itoa(i) + "]"
		if item.Kind == Null && v.Type().Elem() != nodeType {
			d.expected(expects(v.Type().Elem()), itemPath, item.At, item)
			continue
		}
		d.value(itemPath, item.At, item, list.Index(i))
	}
	v.Set(list)
}

// split reads a list that is written as one text with commas.
func split(n *Node) []*Node {
	var items []*Node
	for part := range strings.SplitSeq(n.Text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			items = append(items, &Node{Kind: Scalar, At: n.At, Text: part, Quoted: n.Quoted})
		}
	}
	return items
}

func (d *decoder) entries(path string, at Position, n *Node, v reflect.Value) {
	if n.Kind != Map {
		d.expected("a map", path, at, n)
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Fields))
	for _, f := range n.Fields {
		value := reflect.New(v.Type().Elem()).Elem()
		if f.Value.Kind == Null && value.Type() != nodeType {
			continue
		}
		d.value(join(path, f.Name), f.At, f.Value, value)
		m.SetMapIndex(reflect.ValueOf(f.Name).Convert(v.Type().Key()), value)
	}
	v.Set(m)
}
