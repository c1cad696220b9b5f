package document

import (
	"bytes"
	"encoding/json"
	"errors"
)

func parseJSON(t *text) (*Node, *SyntaxError) {
	// The whole is checked first: these messages are the ones that people know, and afterwards only our own limits can
	// be in the way.
	var whole json.RawMessage
	if err := json.Unmarshal(t.data, &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, t.fail(max(int(syntax.Offset)-1, 0), "%s", syntax.Error())
		}
		return nil, t.fail(0, "%s", err)
	}
	d := json.NewDecoder(bytes.NewReader(t.data))
	d.UseNumber()
	return (&jsonParser{t, d}).value(0)
}

type jsonParser struct {
	*text
	decoder *json.Decoder
}

// next returns the next token and where it begins.
func (p *jsonParser) next() (json.Token, Position, *SyntaxError) {
	offset := int(p.decoder.InputOffset())
	for offset < len(p.data) && bytes.IndexByte([]byte(" \t\r\n,:"), p.data[offset]) >= 0 {
		offset++
	}
	token, err := p.decoder.Token()
	if err != nil {
		return nil, p.at(offset), p.fail(offset, "%s", err)
	}
	return token, p.at(offset), nil
}

func (p *jsonParser) value(depth int) (*Node, *SyntaxError) {
	token, at, err := p.next()
	if err != nil {
		return nil, err
	}
	n, err := p.add(&Node{At: at}, depth)
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		n.Kind = List
		read := p.items
		if v == '{' {
			n.Kind = Map
			read = p.fields
		}
		if err := read(n, depth+1); err != nil {
			return nil, err
		}
	case string:
		n.Kind, n.Text, n.Quoted = Scalar, v, true
	case json.Number:
		n.Kind, n.Text = Scalar, v.String()
	case bool:
		n.Kind, n.Text = Scalar, "false"
		if v {
			n.Text = "true"
		}
	}
	return n, nil
}

func (p *jsonParser) items(n *Node, depth int) *SyntaxError {
	for p.decoder.More() {
		item, err := p.value(depth)
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
	}
	_, _, err := p.next()
	return err
}

func (p *jsonParser) fields(n *Node, depth int) *SyntaxError {
	seen := map[string]Position{}
	for p.decoder.More() {
		token, at, err := p.next()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if first, ok := seen[name]; ok {
			return duplicate(name, at, first)
		}
		seen[name] = at
		value, err := p.value(depth)
		if err != nil {
			return err
		}
		n.Fields = append(n.Fields, Field{name, at, value})
	}
	_, _, err := p.next()
	return err
}
