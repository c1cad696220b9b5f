package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// The expressions of one route may grow to maxProgram instructions when they are compiled. The length of the text says
// little: four nested repetitions of ten characters stand for a million instructions.
const maxProgram = 10_000

// fault is what is wrong with one object.
type fault struct {
	field string
	code  model.Code
	text  string
}

func (f *fault) Error() string { return f.field + ": " + f.text }

func bad(field, format string, args ...any) *fault {
	return &fault{field, model.InvalidField, fmt.Sprintf(format, args...)}
}

// decodeRoute reads a route of the other side. The error is a *fault; the route then has a name if one could be read.
func decodeRoute(raw []byte) (Route, error) {
	var r Route
	if err := json.Unmarshal(raw, &r); err != nil {
		var named struct{ Name string }
		_ = json.Unmarshal(raw, &named) // the rest may be what cannot be read
		return Route{Name: named.Name}, bad("", "cannot be read: %v", err)
	}
	if f := r.check(); f != nil {
		return r, f
	}
	return r, nil
}

func (r *Route) check() *fault {
	if text := nameFault(r.Name); text != "" {
		return bad("name", "%s", text)
	}
	if text := nameFault(r.Service); text != "" {
		return bad("service", "%s", text)
	}
	if len(r.EntryPoints) > maxPoints {
		return bad("entryPoints", "more than %d", maxPoints)
	}
	for _, p := range r.EntryPoints {
		if p == "" || len(p) > maxName {
			return bad("entryPoints", "a name is empty or longer than %d bytes", maxName)
		}
	}
	if t := r.Timeouts; t != nil && (!timeoutFits(t.HeaderMs) || !timeoutFits(t.TotalMs)) {
		return bad("timeouts", "below 0 or above a day")
	}
	if !slices.Contains(model.Lanes(), r.Lane) {
		return bad("lane", "unknown lane %q: this version cannot serve the route", printable(string(r.Lane), 40))
	}
	if r.Passthrough && (r.Lane != model.LaneTCP || !r.TLS) {
		return bad("passthrough", "is for TLS in the lane tcp only")
	}
	return checkMatch(r.Match, r.Lane)
}

func timeoutFits(ms int64) bool { return ms >= 0 && ms <= (24*time.Hour).Milliseconds() }

// decodeService reads a service of the other side.
func decodeService(raw []byte) (Service, error) {
	var s Service
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, bad("", "cannot be read: %v", err)
	}
	return s, s.check()
}

func (s *Service) check() error {
	if text := nameFault(s.Name); text != "" {
		return bad("name", "%s", text)
	}
	if s.Ready < 0 || s.Total < s.Ready {
		return bad("ready", "%d of %d endpoints", s.Ready, s.Total)
	}
	return nil
}

// nameFault says what is wrong with a name, if anything. Names travel in header fields and stand before "@" in
// references.
func nameFault(s string) string {
	switch {
	case s == "":
		return "a name is missing"
	case len(s) > maxName:
		return fmt.Sprintf("a name is longer than %d bytes", maxName)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '@' }):
		return fmt.Sprintf("the name %q has a character other than visible ASCII without @", s)
	case model.ParseName(s).String() != s || model.ParseName(s).Name == "":
		return fmt.Sprintf("the name %q is not of the form name or namespace/name", s)
	}
	return ""
}

// checkMatch makes sure that everything else may walk m without care.
func checkMatch(m model.Match, lane model.Lane) *fault {
	c := matchCheck{nodes: maxNodes, program: maxProgram, lane: lane}
	if err := c.node(m, maxDepth); err != nil {
		var f *fault
		if errors.As(err, &f) {
			return f
		}
		return &fault{"match", model.InvalidRule, err.Error()}
	}
	return nil
}

type matchCheck struct {
	nodes, program int
	lane           model.Lane
}

func (c *matchCheck) node(m model.Match, depth int) error {
	if c.nodes--; c.nodes < 0 {
		return &fault{"match", model.LimitExceeded, fmt.Sprintf("more than %d tests", maxNodes)}
	}
	if depth == 0 {
		return &fault{"match", model.LimitExceeded, fmt.Sprintf("nested deeper than %d levels", maxDepth)}
	}
	if m.Op == model.Is {
		if len(m.Of) > 0 {
			return errors.New("a test has operands")
		}
		return c.leaf(m)
	}
	switch m.Op {
	case model.All, model.Any:
	case model.Not:
		if len(m.Of) != 1 {
			return errors.New("not has other than one operand")
		}
	default:
		return fmt.Errorf("unknown operation %q", printable(string(m.Op), 40))
	}
	if m.Test != "" || m.Key != "" || m.Value != "" {
		return errors.New("an operation has a value")
	}
	for _, o := range m.Of {
		if err := c.node(o, depth-1); err != nil {
			return err
		}
	}
	return nil
}

func (c *matchCheck) leaf(m model.Match) error {
	if len(m.Value) > maxText || len(m.Key) > maxName {
		return &fault{"match", model.LimitExceeded, fmt.Sprintf("a value is longer than %d bytes", maxText)}
	}
	keyed := true
	switch m.Test {
	case model.Header, model.HeaderRegexp:
		if m.Key == "" || m.Key != http.CanonicalHeaderKey(m.Key) {
			return fmt.Errorf("%s: %q is not the canonical name of a field", m.Test, m.Key)
		}
	case model.Query, model.QueryRegexp:
		if m.Key == "" {
			return fmt.Errorf("%s: a parameter's name is missing", m.Test)
		}
	default:
		keyed = false
	}
	if !keyed && m.Key != "" {
		return fmt.Errorf("%s takes no key", printable(string(m.Test), 40))
	}
	return c.value(m)
}

func (c *matchCheck) value(m model.Match) error {
	if c.lane != model.LaneHTTP {
		return c.streamValue(m)
	}
	switch m.Test {
	case model.Host:
		return checkHost(m.Value)
	case model.Path, model.PathPrefix:
		if !strings.HasPrefix(m.Value, "/") {
			return fmt.Errorf("%s: %q does not begin with /", m.Test, printable(m.Value, 80))
		}
	case model.Method:
		if m.Value == "" || m.Value != strings.ToUpper(m.Value) {
			return fmt.Errorf("Method: %q is not in upper case", printable(m.Value, 80))
		}
	case model.Header, model.Query:
	case model.HostRegexp, model.PathRegexp, model.HeaderRegexp, model.QueryRegexp:
		return c.expression(m)
	case model.ClientIP:
		return checkClientIP(m.Value)
	default:
		return unknownTest(m.Test)
	}
	return nil
}

// streamValue is value for the tests of connections.
func (c *matchCheck) streamValue(m model.Match) error {
	switch m.Test {
	case model.HostSNI:
		if m.Value == "*" {
			return nil
		}
		return checkHost(m.Value)
	case model.HostSNIRegexp:
		return c.expression(m)
	case model.ALPN:
		if m.Value == "" {
			return errors.New("ALPN: the value is empty")
		}
		return nil
	case model.ClientIP:
		return checkClientIP(m.Value)
	}
	return unknownTest(m.Test)
}

func unknownTest(t model.Test) error {
	return fmt.Errorf("unknown test %q: this version cannot serve the route", printable(string(t), 40))
}

func checkClientIP(value string) error {
	_, errAddr := netip.ParseAddr(value)
	_, errRange := netip.ParsePrefix(value)
	if errAddr != nil && errRange != nil {
		return fmt.Errorf("ClientIP: %q is neither an address nor a CIDR", printable(value, 80))
	}
	return nil
}

// checkHost admits names and addresses in lower case, and "*." before one.
func checkHost(host string) error {
	name := strings.TrimPrefix(host, "*.")
	ok := name != "" && len(host) <= 255 && name[0] != '.' && !strings.Contains(name, "..")
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.:[]", c) >= 0
	}
	if !ok {
		return fmt.Errorf("Host: %q is not a host name in lower case", printable(host, 80))
	}
	return nil
}

func (c *matchCheck) expression(m model.Match) error {
	re, err := syntax.Parse(m.Value, syntax.Perl)
	if err != nil {
		return fmt.Errorf("%s: %s", m.Test, printable(err.Error(), 200))
	}
	if c.program -= programSize(re); c.program < 0 {
		return &fault{"match", model.LimitExceeded,
			fmt.Sprintf("%s: the expressions grow beyond %d instructions", m.Test, maxProgram)}
	}
	return nil
}

// programSize estimates how many instructions re compiles to, without compiling it. It stops counting at the limit.
func programSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)/10 // a class is one instruction with a list of runes
	if re.Op == syntax.OpLiteral {
		size = len(re.Rune)
	}
	for _, sub := range re.Sub {
		size += programSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return min(size, maxProgram+1)
}
