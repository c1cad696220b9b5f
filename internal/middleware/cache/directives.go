package cache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// directives are those of Cache-Control fields (RFC 9111 §5.2), by name in lower case. The first of several of the same
// name counts, as §4.2.1 advises.
type directives map[string]string

// maxDelta is what larger times are taken for (RFC 9111 §1.2.2).
const maxDelta = 1<<31 - 1

func parseDirectives(lines []string) directives {
	if len(lines) == 0 {
		return nil
	}
	d := directives{}
	for _, line := range lines {
		for line != "" {
			var name, value string
			name, value, line = nextDirective(line)
			if _, known := d[name]; name != "" && !known {
				d[name] = value
			}
		}
	}
	return d
}

// nextDirective cuts the first directive off. A value may be a token or quoted, whatever the directive (§5.2).
func nextDirective(s string) (name, value, rest string) {
	end := strings.IndexAny(s, "=,")
	if end < 0 {
		return strings.ToLower(strings.TrimSpace(s)), "", ""
	}
	name, rest = strings.ToLower(strings.TrimSpace(s[:end])), s[end+1:]
	if s[end] == ',' {
		return name, "", rest
	}
	if !strings.HasPrefix(strings.TrimLeft(rest, " \t"), `"`) {
		value, rest, _ = strings.Cut(rest, ",")
		return name, strings.TrimSpace(value), rest
	}
	value, rest = unquote(rest[strings.IndexByte(rest, '"')+1:])
	_, rest, _ = strings.Cut(rest, ",")
	return name, value, rest
}

// unquote reads the rest of a quoted string, and returns what follows it.
func unquote(s string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

func (d directives) has(name string) bool {
	_, ok := d[name]
	return ok
}

// seconds reads a time. What is none counts as 0: the answer is then stale (§4.2.1).
func (d directives) seconds(name string) (t time.Duration, given bool) {
	text, given := d[name]
	if !given {
		return 0, false
	}
	return deltaSeconds(text), true
}

// deltaSeconds reads a whole number of seconds; what is none is 0.
func deltaSeconds(text string) time.Duration {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text == "":
		return 0
	case err != nil || n > maxDelta: // only digits: it is too large
		n = maxDelta
	}
	return time.Duration(n) * time.Second
}

// lifetime is how long an answer is fresh (§4.2.1), and whether it says so. Several Expires that differ say nothing.
func lifetime(h http.Header, d directives, date time.Time) (t time.Duration, given bool) {
	if t, given = d.seconds("s-maxage"); given {
		return t, true
	}
	if t, given = d.seconds("max-age"); given {
		return t, true
	}
	expires := h["Expires"]
	if len(expires) == 0 {
		return 0, false
	}
	at, err := http.ParseTime(expires[0])
	if err != nil || len(expires) > 1 {
		return 0, true // such as "0": it has expired (§5.3)
	}
	return max(at.Sub(date), 0), true
}
