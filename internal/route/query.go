package route

import (
	"net/url"
	"strings"
)

// queryHolds reports whether one of the values of the parameter p.key passes the test of p. It sees the parameters that
// [url.ParseQuery] sees: those with a semicolon or a broken escape are left out. It does not allocate, unless a regular
// expression is to be matched with a value that has escapes.
func (p *predicate) queryHolds(raw string) bool {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" || strings.IndexByte(pair, ';') >= 0 {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if unescapesTo(key, p.key) && p.queryValueHolds(value) {
			return true
		}
	}
	return false
}

func (p *predicate) queryValueHolds(value string) bool {
	if p.re == nil {
		return unescapesTo(value, p.value)
	}
	s, err := url.QueryUnescape(value)
	return err == nil && p.re.MatchString(s)
}

// unescapesTo reports whether raw, a key or a value of a query, unescapes to want.
func unescapesTo(raw, want string) bool {
	for ; raw != ""; raw, want = raw[1:], want[1:] {
		c := raw[0]
		switch {
		case c == '+':
			c = ' '
		case c == '%':
			if len(raw) < 3 || !isHex(raw[1]) || !isHex(raw[2]) {
				return false
			}
			c = fromHex(raw[1])<<4 | fromHex(raw[2])
			raw = raw[2:]
		}
		if want == "" || want[0] != c {
			return false
		}
	}
	return want == ""
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func fromHex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
