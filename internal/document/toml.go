package document

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

func parseTOML(t *text) (*Node, *SyntaxError) {
	// The decoder knows all of the format's rules (keys given twice, tables that are closed); its tree has no positions.
	var whole map[string]any
	if err := toml.Unmarshal(t.data, &whole); err != nil {
		var bad *toml.DecodeError
		if !errors.As(err, &bad) {
			return nil, t.fail(0, "%s", err)
		}
		line, column := bad.Position()
		return nil, &SyntaxError{Position{t.file, line, column}, strings.TrimPrefix(bad.Error(), "toml: ")}
	}
	p := &tomlParser{text: t, index: map[*Node]map[string]int{}}
	p.Reset(t.data)
	return p.document()
}

type tomlParser struct {
	*text
	unstable.Parser
	index map[*Node]map[string]int // where each name is among a map's fields
}

func (p *tomlParser) document() (*Node, *SyntaxError) {
	root := &Node{Kind: Map, At: p.at(0)}
	table, depth := root, 0
	for p.NextExpression() {
		e := p.Expression()
		var err *SyntaxError
		switch e.Kind {
		case unstable.KeyValue:
			err = p.keyValue(table, e, depth)
		case unstable.Table, unstable.ArrayTable:
			table, depth, err = p.table(root, e)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := p.Error(); err != nil {
		return nil, p.fail(0, "%s", err)
	}
	return root, nil
}

func (p *tomlParser) table(root *Node, e *unstable.Node) (*Node, int, *SyntaxError) {
	n, depth := root, 0
	for keys := e.Key(); keys.Next(); {
		key := keys.Node()
		depth++
		f, err := p.child(n, key, depth)
		if err != nil {
			return nil, 0, err
		}
		if keys.IsLast() && e.Kind == unstable.ArrayTable {
			depth++
			item, err := p.add(&Node{Kind: Map, At: f.At}, depth)
			if err != nil {
				return nil, 0, err
			}
			f.Value.Kind = List
			f.Value.Items = append(f.Value.Items, item)
			return item, depth, nil
		}
		n = f.Value
		if n.Kind == List && len(n.Items) > 0 {
			n = n.Items[len(n.Items)-1] // [[a]] then [a.b]: b belongs to the last a
			depth++
		}
		n.Kind = Map
	}
	return n, depth, nil
}

// child returns the entry of a map that a key names, and makes it where it is not there yet. The pointer is good until
// the map gets its next entry.
func (p *tomlParser) child(n *Node, key *unstable.Node, depth int) (*Field, *SyntaxError) {
	name := string(key.Data)
	if i, ok := p.index[n][name]; ok {
		return &n.Fields[i], nil
	}
	at := p.at(int(key.Raw.Offset))
	value, err := p.add(&Node{At: at}, depth)
	if err != nil {
		return nil, err
	}
	if p.index[n] == nil {
		p.index[n] = map[string]int{}
	}
	p.index[n][name] = len(n.Fields)
	n.Fields = append(n.Fields, Field{name, at, value})
	return &n.Fields[len(n.Fields)-1], nil
}

func (p *tomlParser) keyValue(n *Node, e *unstable.Node, depth int) *SyntaxError {
	var f *Field
	for keys := e.Key(); keys.Next(); {
		depth++
		var err *SyntaxError
		if f, err = p.child(n, keys.Node(), depth); err != nil {
			return err
		}
		n = f.Value
		if !keys.IsLast() {
			n.Kind = Map // a.b = 1
		}
	}
	value, err := p.value(e.Value(), f.At, depth)
	if err != nil {
		return err
	}
	*f.Value = *value
	return nil
}

// value reads a value; at is where it stands if the parser does not say.
func (p *tomlParser) value(v *unstable.Node, at Position, depth int) (*Node, *SyntaxError) {
	if v.Raw.Length > 0 {
		at = p.at(int(v.Raw.Offset))
	}
	n, err := p.add(&Node{At: at}, depth)
	if err != nil {
		return nil, err
	}
	switch v.Kind {
	case unstable.Array:
		n.Kind = List
		for items := v.Children(); items.Next(); {
			item, err := p.value(items.Node(), at, depth+1)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	case unstable.InlineTable:
		n.Kind = Map
		for entries := v.Children(); entries.Next(); {
			if err := p.keyValue(n, entries.Node(), depth); err != nil {
				return nil, err
			}
		}
	default:
		n.Kind, n.Text, n.Quoted = Scalar, string(v.Data), v.Kind == unstable.String
	}
	return n, nil
}
