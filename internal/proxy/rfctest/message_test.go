package rfctest

import (
	"fmt"
	"slices"
	"strings"
)

// message is a request or an answer, however it travels.
type message struct {
	line     string   // "GET /path", "GET /path HTTP/1.0", or "200"
	fields   []string // "name: value", in this order
	body     string
	chunked  bool     // the length of the body is not said beforehand
	trailers []string // "name: value"
	interim  []message
	raw      string // HTTP/1.1, HTTP/3: these bytes, and nothing else
	cut      bool   // of a service: the connection is cut after it
}

// method returns that of a request.
func (m message) method() string {
	text := m.line
	if m.raw != "" {
		text = m.raw
	}
	method, _, _ := strings.Cut(text, " ")
	return method
}

// received is a message as it was on the wire. Names of fields are in small letters.
type received struct {
	line     string
	fields   []string
	body     string
	trailers []string
	interim  []received
	head     string // HTTP/1.1: the head's bytes
	whole    bool
	bare     bool   // HTTP/2, HTTP/3: the head ended the stream
	wrong    string // what must not be on a wire
}

// values returns the values of a field, joined with "|".
func (r received) values(name string) string {
	var values []string
	for _, f := range r.fields {
		if n, v, _ := strings.Cut(f, ": "); n == name {
			values = append(values, v)
		}
	}
	return strings.Join(values, "|")
}

func (r received) has(name string) bool {
	return slices.ContainsFunc(r.fields, func(f string) bool { return strings.HasPrefix(f, name+":") })
}

// field makes "name: value" with the name in small letters.
func field(name, value string) string {
	return strings.ToLower(name) + ": " + strings.Trim(value, " \t")
}

// cutField is its reverse.
func cutField(f string) (name, value string) {
	name, value, _ = strings.Cut(f, ":")
	return name, strings.TrimPrefix(value, " ")
}

// String is for messages of tests.
func (r received) String() string {
	return fmt.Sprintf("[%s %q body %q trailers %q whole %v wrong %q]", r.line, r.fields, r.body, r.trailers, r.whole,
		r.wrong)
}
