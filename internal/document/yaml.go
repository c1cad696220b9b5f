package document

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

func parseYAML(t *text) (*Node, *SyntaxError) {
	p := &yamlParser{text: t, open: map[*yaml.Node]bool{}}
	var first, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(t.data))
	switch err := d.Decode(&first); {
	case errors.Is(err, io.EOF):
		return &Node{Kind: Map, At: t.at(0)}, nil // nothing but comments
	case err != nil:
		return nil, p.failure(err)
	}
	root, err := p.value(&first, 0)
	if err != nil {
		return nil, err
	}
	switch err := d.Decode(&second); {
	case err == nil:
		return nil, p.refuse(&second, "the file holds a second document; put it in a file of its own")
	case !errors.Is(err, io.EOF):
		return nil, p.failure(err)
	}
	if root.Kind == Null {
		root.Kind = Map
	}
	return root, nil
}

// yamlParser makes our nodes of the library's. It reads an alias's anchor again each time that it is used, so that its
// nodes and its depth count.
type yamlParser struct {
	*text
	open map[*yaml.Node]bool // anchors that are being read
}

var (
	yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	// What the library's parser says, in distinction from its scanner, it places one line too high.
	yamlHigh = regexp.MustCompile(`^did not find expected (key|node content|',' or|'-' indicator|<)`)
)

func (p *yamlParser) failure(err error) *SyntaxError {
	prefix := yamlLine.FindStringSubmatch(err.Error())
	if prefix == nil {
		return &SyntaxError{Position{p.file, 1, 1}, err.Error()}
	}
	message := strings.TrimPrefix(err.Error(), prefix[0])
	line, _ := strconv.Atoi(prefix[1])
	if prefix[1] != "" && yamlHigh.MatchString(message) {
		line++
	}
	return &SyntaxError{Position{p.file, max(1, min(line, len(p.lines))), 1}, message}
}

func (p *yamlParser) refuse(v *yaml.Node, message string) *SyntaxError {
	return &SyntaxError{p.position(v), message}
}

func (p *yamlParser) position(v *yaml.Node) Position {
	return Position{p.file, max(1, v.Line), max(1, v.Column)}
}

func (p *yamlParser) value(v *yaml.Node, depth int) (*Node, *SyntaxError) {
	if v.Kind == yaml.DocumentNode {
		return p.value(v.Content[0], depth)
	}
	if v.Kind == yaml.AliasNode {
		return p.alias(v, depth)
	}
	n, err := p.add(&Node{Kind: Scalar, At: p.position(v)}, depth)
	if err != nil {
		return nil, err
	}
	if v.Anchor != "" {
		p.open[v] = true
		defer delete(p.open, v)
	}
	tag := v.ShortTag()
	if v.Style&yaml.TaggedStyle != 0 && !knownTag(tag) {
		return nil, p.refuse(v, "the tag "+strconv.Quote(shorten(tag))+" is not supported")
	}
	switch {
	case v.Kind == yaml.MappingNode:
		n.Kind = Map
		err = p.fields(n, v.Content, depth+1)
	case v.Kind == yaml.SequenceNode:
		n.Kind = List
		err = p.items(n, v.Content, depth+1)
	case tag == "!!null":
		n.Kind = Null
	default:
		n.Text = v.Value
		n.Quoted = tag == "!!str" && v.Style != 0
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// knownTag reports whether a tag says no more than what kind of value follows.
func knownTag(tag string) bool {
	switch tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!":
		return true
	}
	return false
}

func (p *yamlParser) alias(v *yaml.Node, depth int) (*Node, *SyntaxError) {
	if p.open[v.Alias] {
		return nil, p.refuse(v, "the anchor "+strconv.Quote(shorten(v.Value))+" holds itself")
	}
	return p.value(v.Alias, depth)
}

func (p *yamlParser) items(n *Node, values []*yaml.Node, depth int) *SyntaxError {
	for _, v := range values {
		item, err := p.value(v, depth)
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
	}
	return nil
}

// fields reads keys and values, which take turns.
func (p *yamlParser) fields(n *Node, content []*yaml.Node, depth int) *SyntaxError {
	seen := map[string]Position{}
	var merged []*Node
	for i := 0; i+1 < len(content); i += 2 {
		key, v := content[i], content[i+1]
		if key.ShortTag() == "!!merge" {
			m, err := p.merge(v, depth)
			if err != nil {
				return err
			}
			merged = append(merged, m...)
			continue
		}
		name, err := p.value(key, depth)
		if err != nil {
			return err
		}
		if name.Kind != Scalar {
			return p.refuse(key, "a key must be text, found "+name.Kind.String())
		}
		at := p.position(key)
		if first, ok := seen[name.Text]; ok {
			return duplicate(name.Text, at, first)
		}
		seen[name.Text] = at
		value, err := p.value(v, depth)
		if err != nil {
			return err
		}
		n.Fields = append(n.Fields, Field{name.Text, at, value})
	}
	// What is written in the map itself wins over what is merged into it, and an earlier merge over a later one.
	for _, m := range merged {
		for _, f := range m.Fields {
			if _, ok := seen[f.Name]; !ok {
				seen[f.Name] = f.At
				n.Fields = append(n.Fields, f)
			}
		}
	}
	return nil
}

// merge returns the maps that a merge key ("<<") names.
func (p *yamlParser) merge(v *yaml.Node, depth int) ([]*Node, *SyntaxError) {
	n, err := p.value(v, depth)
	if err != nil {
		return nil, err
	}
	list := []*Node{n}
	if n.Kind == List {
		list = n.Items
	}
	for _, m := range list {
		if m.Kind != Map {
			return nil, p.refuse(v, "only maps can be merged, found "+m.Kind.String())
		}
	}
	return list, nil
}
