package document

import (
	"errors"

	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlParser makes our nodes of the library's. The library's own decoder knows the rules about what is given twice, but
// it has no positions and takes time that is quadratic in the number of keys. So they are kept here (TOML 1.0, "Keys",
// "Table", "Inline Table", "Array of Tables").
type tomlParser struct {
	*text
	unstable.Parser
	index map[*Node]map[string]int // where each name is among a map's fields
	made  map[*Node]tomlOrigin     // of the maps and lists that something may still be added to
}

// tomlOrigin says how a table came to be, and so what may still add to it.
type tomlOrigin int

const (
	closed    tomlOrigin = iota // a value: nothing
	implied                     // by [a.b], for a: one header [a], and any header below
	headed                      // by [a]: any header below
	dotted                      // by a.b = 1, for a: more dotted keys, and any header below
	tableRow                    // a table of [[a]]: any header below
	tableRows                   // the list of [[a]]: another [[a]]
)

func parseTOML(t *text) (*Node, *SyntaxError) {
	p := &tomlParser{text: t, index: map[*Node]map[string]int{}, made: map[*Node]tomlOrigin{}}
	p.Reset(t.data)
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
		return nil, p.failure(err)
	}
	return root, nil
}

func (p *tomlParser) failure(err error) *SyntaxError {
	var bad *unstable.ParserError
	if !errors.As(err, &bad) {
		return p.fail(0, "%s", err)
	}
	return p.fail(int(p.Range(bad.Highlight).Offset), "%s", bad.Message)
}

// table reads a header and returns the table that the keys below it belong to.
func (p *tomlParser) table(root *Node, e *unstable.Node) (*Node, int, *SyntaxError) {
	n, depth := root, 0
	for keys := e.Key(); keys.Next(); {
		key := keys.Node()
		depth++
		f, found, err := p.child(n, key, depth)
		if err != nil {
			return nil, 0, err
		}
		if n = f.Value; !keys.IsLast() {
			switch {
			case !found:
				n.Kind, p.made[n] = Map, implied
			case p.made[n] == tableRows: // [[a]] then [a.b]: b belongs to the last a
				n = n.Items[len(n.Items)-1]
				depth++
			case p.made[n] == closed:
				return nil, 0, p.taken(key, f)
			}
			continue
		}
		switch {
		case e.Kind == unstable.Table && (!found || p.made[n] == implied):
			n.Kind, p.made[n] = Map, headed
		case e.Kind == unstable.ArrayTable && (!found || p.made[n] == tableRows):
			n.Kind, p.made[n] = List, tableRows
			depth++
			item, err := p.add(&Node{Kind: Map, At: p.at(int(key.Raw.Offset))}, depth)
			if err != nil {
				return nil, 0, err
			}
			n.Items, p.made[item] = append(n.Items, item), tableRow
			n = item
		default:
			return nil, 0, p.taken(key, f)
		}
	}
	return n, depth, nil
}

func (p *tomlParser) taken(key *unstable.Node, f *Field) *SyntaxError {
	return duplicate(f.Name, p.at(int(key.Raw.Offset)), f.At)
}

// child returns the entry of a map that a key names, and makes it where it is not there yet. The pointer is good until
// the map gets its next entry.
func (p *tomlParser) child(n *Node, key *unstable.Node, depth int) (f *Field, found bool, err *SyntaxError) {
	name := string(key.Data)
	if i, ok := p.index[n][name]; ok {
		return &n.Fields[i], true, nil
	}
	at := p.at(int(key.Raw.Offset))
	value, err := p.add(&Node{At: at}, depth)
	if err != nil {
		return nil, false, err
	}
	if p.index[n] == nil {
		p.index[n] = map[string]int{}
	}
	p.index[n][name] = len(n.Fields)
	n.Fields = append(n.Fields, Field{name, at, value})
	return &n.Fields[len(n.Fields)-1], false, nil
}

func (p *tomlParser) keyValue(n *Node, e *unstable.Node, depth int) *SyntaxError {
	var f *Field
	for keys := e.Key(); keys.Next(); {
		key := keys.Node()
		depth++
		found := false
		var err *SyntaxError
		if f, found, err = p.child(n, key, depth); err != nil {
			return err
		}
		n = f.Value
		switch {
		case found && (keys.IsLast() || p.made[n] != dotted):
			return p.taken(key, f)
		case !keys.IsLast():
			n.Kind, p.made[n] = Map, dotted
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
