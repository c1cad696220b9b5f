package dynamic

import (
	"regexp"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// requestPath checks a path that a request is to have. As in Traefik, the slash that it begins with may be left out.
func (p place) requestPath(s string) string {
	s = strings.TrimSpace(s)
	switch err := plain(s); {
	case s == "":
		p.invalid("the path is empty")
	case err != nil:
		p.invalid("%s", err)
	case s[0] != '/':
		return "/" + s
	}
	return s
}

// regex checks a regular expression of Go's syntax.
func (p place) regex(s string) string {
	s = strings.TrimSpace(s)
	if _, err := regexp.Compile(s); err != nil {
		p.invalid("this is no regular expression: %s", err)
	} else if s == "" {
		p.invalid("the regular expression is empty")
	}
	return s
}

// fieldValue checks the value of a header field.
func (p place) fieldValue(s string) string {
	if !httpguts.ValidHeaderFieldValue(s) {
		p.invalid("the value holds a character that a header field cannot have")
	}
	return s
}

func (p place) fieldValues(list []string) []string {
	for i, s := range list {
		p.in(i).fieldValue(s)
	}
	return list
}
