package dynamic

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenText
	tokenAnd
	tokenOr
	tokenNot
	tokenOpen
	tokenClose
	tokenComma
)

type ruleToken struct {
	kind   tokenKind
	offset int
	text   string // of a name; of a text without its quotes
}

// String says for people what the token is.
func (t ruleToken) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the rule"
	case tokenName:
		return strconv.Quote(t.text)
	case tokenText:
		return "a value"
	}
	return [...]string{tokenAnd: `"&&"`, tokenOr: `"||"`, tokenNot: `"!"`,
		tokenOpen: `"("`, tokenClose: `")"`, tokenComma: `","`}[t.kind]
}

var signs = []struct {
	sign string
	kind tokenKind
}{{"&&", tokenAnd}, {"||", tokenOr}, {"!", tokenNot}, {"(", tokenOpen}, {")", tokenClose}, {",", tokenComma}}

// advance reads the next token.
func (p *ruleParser) advance() *RuleError {
	rest := strings.TrimLeft(p.rule[p.next:], " \t\r\n")
	start := len(p.rule) - len(rest)
	if rest == "" {
		p.token, p.next = ruleToken{kind: tokenEnd, offset: start}, start
		return nil
	}
	for _, s := range signs {
		if strings.HasPrefix(rest, s.sign) {
			p.token, p.next = ruleToken{kind: s.kind, offset: start}, start+len(s.sign)
			return nil
		}
	}
	switch c := rest[0]; {
	case c == '`' || c == '"':
		return p.quoted(start, rest)
	case c == '\'':
		return p.fail(start, "values stand in back quotes or double quotes, not in single ones")
	case c == '&' || c == '|':
		return p.fail(start, `write "%c%c"`, c, c)
	}
	name := rest
	if end := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); end >= 0 {
		name = rest[:end]
	}
	if name == "" {
		r, _ := utf8.DecodeRuneInString(rest)
		return p.fail(start, "unexpected %q", r)
	}
	p.token, p.next = ruleToken{tokenName, start, name}, start+len(name)
	return nil
}

func (p *ruleParser) quoted(start int, rest string) *RuleError {
	literal, err := strconv.QuotedPrefix(rest)
	if err != nil && strings.IndexByte(rest[1:], rest[0]) < 0 {
		return p.fail(start, "the value has no closing %c", rest[0])
	}
	text, bad := strconv.Unquote(literal)
	if err != nil || bad != nil {
		return p.fail(start, `the value is no Go string; write \\ for \, and \" for ", or use back quotes`)
	}
	p.token, p.next = ruleToken{tokenText, start, text}, start+len(literal)
	return nil
}
