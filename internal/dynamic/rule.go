package dynamic

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// What a rule may cost.
const (
	maxRuleLength  = 16 << 10 // bytes
	maxRuleNesting = 100
	maxRuleTests   = 1000
)

// RuleError says what is wrong with a rule and where.
type RuleError struct {
	Rule    string
	Column  int // of the byte where the mistake is, from 1
	Message string
}

// Error returns one line.
func (e *RuleError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Message) }

// Picture shows the mistake to people: the part of the rule around it, and below a caret under it.
func (e *RuleError) Picture() string {
	const before, after = 50, 30
	start, end := max(0, e.Column-1-before), min(len(e.Rule), e.Column-1+after)
	line := []byte(strings.ToValidUTF8(e.Rule[start:min(e.Column-1, end)], ""))
	indent := len([]rune(string(line)))
	line = append(line, strings.ToValidUTF8(e.Rule[min(e.Column-1, end):end], "")...)
	shown := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, string(line))
	return shown + "\n" + strings.Repeat(" ", indent) + "^"
}

// ParseRule reads a rule as Traefik v3 documents it: tests such as Host(`a.example`), joined by && and ||, inverted by
// !, grouped by parentheses; ! binds more tightly than &&, and && more tightly than ||. Values are Go strings, in back
// quotes or double quotes. Tests may be written in any letter case.
//
// The result is normal: a list of tests has at least two and holds no list of its own kind, values are as [model.Test]
// describes them. So ParseRule(m.String()) gives m again. The error, if there is one, is a *RuleError.
func ParseRule(rule string) (model.Match, error) { return parseRule(rule, testSpecs) }

// ParseTCPRule is ParseRule for the tests of connections: HostSNI, HostSNIRegexp, ALPN and ClientIP.
func ParseTCPRule(rule string) (model.Match, error) { return parseRule(rule, tcpTestSpecs) }

func parseRule(rule string, specs []testSpec) (model.Match, error) {
	p := &ruleParser{rule: rule, specs: specs}
	if len(rule) > maxRuleLength {
		return model.Match{}, p.fail(0, "the rule has %d bytes; at most %d are allowed", len(rule), maxRuleLength)
	}
	m, err := p.parse()
	if err != nil {
		return model.Match{}, err
	}
	return m, nil
}

// ruleParser is a parser by recursive descent with one token of look-ahead.
type ruleParser struct {
	rule  string
	specs []testSpec // the tests that there are
	token ruleToken
	next  int // offset after the token
	depth int
	tests int
}

func (p *ruleParser) parse() (model.Match, *RuleError) {
	if err := p.advance(); err != nil {
		return model.Match{}, err
	}
	m, err := p.any()
	if err != nil {
		return model.Match{}, err
	}
	switch p.token.kind {
	case tokenEnd:
		return m, nil
	case tokenClose:
		return model.Match{}, p.fail(p.token.offset, `there is no "(" for this ")"`)
	}
	return model.Match{}, p.fail(p.token.offset, `expected "&&" or "||", found %s`, p.token)
}

func (p *ruleParser) fail(offset int, format string, args ...any) *RuleError {
	return &RuleError{p.rule, offset + 1, fmt.Sprintf(format, args...)}
}

func (p *ruleParser) any() (model.Match, *RuleError) { return p.list(model.Any, tokenOr, p.all) }
func (p *ruleParser) all() (model.Match, *RuleError) { return p.list(model.All, tokenAnd, p.operand) }

func (p *ruleParser) list(
	op model.Op, separator tokenKind, operand func() (model.Match, *RuleError),
) (model.Match, *RuleError) {
	first, err := operand()
	if err != nil || p.token.kind != separator {
		return first, err
	}
	m := model.Match{Op: op}
	for {
		if first.Op == op {
			m.Of = append(m.Of, first.Of...)
		} else {
			m.Of = append(m.Of, first)
		}
		if p.token.kind != separator {
			return m, nil
		}
		if err := p.advance(); err != nil {
			return m, err
		}
		if first, err = operand(); err != nil {
			return m, err
		}
	}
}

func (p *ruleParser) operand() (model.Match, *RuleError) {
	t := p.token
	if p.depth++; p.depth > maxRuleNesting {
		return model.Match{}, p.fail(t.offset, "the rule is nested more than %d deep", maxRuleNesting)
	}
	defer func() { p.depth-- }()
	switch t.kind {
	case tokenNot:
		if err := p.advance(); err != nil {
			return model.Match{}, err
		}
		m, err := p.operand()
		return model.Match{Op: model.Not, Of: []model.Match{m}}, err
	case tokenOpen:
		if err := p.advance(); err != nil {
			return model.Match{}, err
		}
		m, err := p.any()
		if err != nil {
			return m, err
		}
		if p.token.kind != tokenClose {
			return m, p.fail(p.token.offset, `expected ")" for the "(" in column %d, found %s`, t.offset+1, p.token)
		}
		return m, p.advance()
	case tokenName:
		return p.test()
	}
	return model.Match{}, p.fail(t.offset, "expected a test such as Host(`a.example`), found %s", t)
}

// test reads Name(value, …).
func (p *ruleParser) test() (model.Match, *RuleError) {
	name := p.token
	if p.tests++; p.tests > maxRuleTests {
		return model.Match{}, p.fail(name.offset, "the rule has more than %d tests", maxRuleTests)
	}
	spec, err := p.spec(name)
	if err != nil {
		return model.Match{}, err
	}
	if err := p.advance(); err != nil {
		return model.Match{}, err
	}
	if p.token.kind != tokenOpen {
		return model.Match{}, p.fail(p.token.offset, `expected "(" after %s, found %s`, spec.test, p.token)
	}
	values, err := p.values(spec)
	if err != nil {
		return model.Match{}, err
	}
	if len(values) < spec.least || len(values) > spec.most {
		return model.Match{}, p.fail(name.offset, "%s takes %s, found %d", spec.test, spec.arity(), len(values))
	}
	return p.leaf(spec, values)
}

// values reads the list in parentheses.
func (p *ruleParser) values(spec *testSpec) ([]ruleToken, *RuleError) {
	var values []ruleToken
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.token.kind == tokenClose && len(values) == 0 {
			return nil, p.advance()
		}
		if p.token.kind != tokenText {
			return nil, p.fail(p.token.offset, "%s takes values in back quotes, found %s", spec.test, p.token)
		}
		values = append(values, p.token)
		if err := p.advance(); err != nil {
			return nil, err
		}
		switch p.token.kind {
		case tokenComma:
		case tokenClose:
			return values, p.advance()
		default:
			return nil, p.fail(p.token.offset, `expected "," or ")", found %s`, p.token)
		}
	}
}
