package dynamic

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// testSpec is how one of the tests is written.
type testSpec struct {
	test        model.Test
	least, most int                          // values
	key         func(string) (string, error) // checks the first of two; nil: there is no key
	value       func(string) (string, error) // checks and normalises
}

func (s *testSpec) arity() string {
	switch {
	case s.least != s.most:
		return fmt.Sprintf("%d or %d values", s.least, s.most)
	case s.most == 1:
		return "one value"
	}
	return fmt.Sprintf("%d values", s.most)
}

var testSpecs = []testSpec{
	{model.Host, 1, 1, nil, host},
	{model.HostRegexp, 1, 1, nil, hostExpression},
	{model.Path, 1, 1, nil, path},
	{model.PathPrefix, 1, 1, nil, path},
	{model.PathRegexp, 1, 1, nil, expression},
	{model.Method, 1, 1, nil, method},
	{model.Header, 2, 2, headerName, filled},
	{model.HeaderRegexp, 2, 2, headerName, expression},
	{model.Query, 1, 2, filled, verbatim},
	{model.QueryRegexp, 1, 2, filled, expression},
	{model.ClientIP, 1, 1, nil, address},
}

// tcpTestSpecs are the tests of connections.
var tcpTestSpecs = []testSpec{
	{model.HostSNI, 1, 1, nil, host},
	{model.HostSNIRegexp, 1, 1, nil, hostExpression},
	{model.ALPN, 1, 1, nil, filled},
	{model.ClientIP, 1, 1, nil, address},
}

func (p *ruleParser) spec(name ruleToken) (*testSpec, *RuleError) {
	var known []string
	for i := range p.specs {
		if strings.EqualFold(string(p.specs[i].test), name.text) {
			return &p.specs[i], nil
		}
		known = append(known, string(p.specs[i].test))
	}
	message := fmt.Sprintf("there is no test %q", name.text)
	if nearest := document.Nearest(name.text, known); nearest != "" {
		message += fmt.Sprintf("; did you mean %s?", nearest)
	}
	return nil, p.fail(name.offset, "%s", message)
}

func (p *ruleParser) leaf(spec *testSpec, values []ruleToken) (model.Match, *RuleError) {
	for _, v := range values {
		if err := plain(v.text); err != nil {
			return model.Match{}, p.fail(v.offset, "%s: %s", spec.test, err)
		}
	}
	m := model.Match{Op: model.Is, Test: spec.test}
	if spec.key != nil {
		key, err := spec.key(values[0].text)
		if err != nil {
			return m, p.fail(values[0].offset, "%s: %s", spec.test, err)
		}
		m.Key, values = key, values[1:]
	}
	if len(values) == 0 { // Query(`k`) and QueryRegexp(`k`) alike: the parameter is there and has no value
		m.Test = model.Query
		return m, nil
	}
	value, err := spec.value(values[0].text)
	if err != nil {
		return m, p.fail(values[0].offset, "%s: %s", spec.test, err)
	}
	m.Value = value
	if spec.test == model.Host && value == "*" { // as documented: every request, whatever its host
		m.Test, m.Value = model.PathPrefix, "/"
	}
	return m, nil
}

// plain refuses what no part of a request can hold, and what a rule written back would not show.
func plain(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("the value is not UTF-8 text")
	}
	for _, r := range s {
		if r < ' ' && r != '\t' || r == 0x7f {
			return fmt.Errorf("the value holds the control character %q", r)
		}
	}
	return nil
}

func verbatim(s string) (string, error) { return s, nil }

func filled(s string) (string, error) {
	if s == "" {
		return "", errors.New("the value is empty")
	}
	return s, nil
}

func path(s string) (string, error) {
	if !strings.HasPrefix(s, "/") {
		return "", fmt.Errorf(`the path %q does not begin with "/"`, s)
	}
	return s, nil
}

func method(s string) (string, error) {
	if !httpguts.ValidHeaderFieldName(s) { // both are tokens, RFC 9110 §5.6.2
		return "", fmt.Errorf("%q is not a method", s)
	}
	return strings.ToUpper(s), nil
}

func headerName(s string) (string, error) {
	if !httpguts.ValidHeaderFieldName(s) {
		return "", fmt.Errorf("%q is not the name of a header field", s)
	}
	return http.CanonicalHeaderKey(s), nil
}

func expression(s string) (string, error) {
	if _, err := regexp.Compile(s); err != nil {
		return "", err
	}
	return filled(s)
}

func hostExpression(s string) (string, error) {
	if !ascii(s) {
		return "", errNotASCII
	}
	return expression(s)
}

// address accepts an address or a CIDR and brings it into its one shortest form.
func address(s string) (string, error) {
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return prefix.Masked().String(), nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return "", fmt.Errorf(`%q is no IP address or range; write "10.0.0.7" or "10.0.0.0/8"`, s)
	}
	return addr.Unmap().String(), nil
}

var errNotASCII = errors.New("only ASCII is possible; write an international name in its xn-- form")

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}

// host accepts a name, a name with a wildcard as its first label, an address, or "*".
func host(s string) (string, error) {
	if !ascii(s) {
		return "", errNotASCII
	}
	s = strings.ToLower(s)
	if s == "*" {
		return s, nil
	}
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return addr.String(), nil
	}
	name := strings.TrimSuffix(s, ".")
	for i, label := range strings.Split(name, ".") {
		switch {
		case label == "*" && i == 0:
		case strings.ContainsAny(label, `{}()[]|^$+?\`):
			return "", fmt.Errorf("%q is not the name of a host; for a pattern use HostRegexp", s)
		case strings.Contains(label, "*"):
			return "", fmt.Errorf("%q: a wildcard can only be the whole first label, as in *.a.example", s)
		case strings.Contains(label, ":"):
			return "", fmt.Errorf("%q: a host has no port or scheme here", s)
		case label == "" || strings.ContainsFunc(label, notInHost):
			return "", fmt.Errorf("%q is not the name of a host", s)
		}
	}
	return name, nil
}

func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
