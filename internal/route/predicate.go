package route

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// predicate is a tree of tests, ready to be made. Match evaluates what the index leaves of one, Explain a whole one.
type predicate struct {
	match *model.Match // what it was compiled from
	of    []predicate

	key, value string // of a leaf, in the form that requests have
	re         *regexp.Regexp
	network    netip.Prefix
}

// failed returns the part of p that q does not pass, as small as one can say; nil: q passes.
func (p *predicate) failed(q *Request) *predicate {
	switch p.match.Op {
	case model.Is:
		if !p.holds(q) {
			return p
		}
	case model.Not:
		if len(p.of) == 0 || p.of[0].failed(q) == nil {
			return p
		}
	case model.Any:
		for i := range p.of {
			if p.of[i].failed(q) == nil {
				return nil
			}
		}
		return p
	default:
		for i := range p.of {
			if f := p.of[i].failed(q); f != nil {
				return f
			}
		}
	}
	return nil
}

// holds makes the test of a leaf. It is a switch, not a table of functions, so that q need not live on the heap.
func (p *predicate) holds(q *Request) bool {
	switch p.match.Test {
	case model.Host:
		return hostMatches(p.value, q.Host)
	case model.HostSNI:
		return p.match.Value == everyHost || hostMatches(p.value, q.Host)
	case model.HostRegexp, model.HostSNIRegexp:
		return p.re.MatchString(q.Host)
	case model.ALPN:
		return slices.Contains(q.ALPN, p.value)
	case model.Path:
		return q.Path == p.value
	case model.PathPrefix:
		return strings.HasPrefix(q.Path, p.value)
	case model.PathRegexp:
		return p.re.MatchString(q.Path)
	case model.Method:
		return q.Method == p.value
	case model.Header:
		q.HeaderAsked = true
		return slices.Contains(q.Header[p.key], p.value)
	case model.HeaderRegexp:
		q.HeaderAsked = true
		return slices.ContainsFunc(q.Header[p.key], p.re.MatchString)
	case model.Query, model.QueryRegexp:
		return p.queryHolds(q.RawQuery)
	case model.ClientIP:
		return p.network.Contains(q.ClientIP.Unmap().WithZone(""))
	}
	return false
}

// compiler turns trees of tests into predicates. It compiles each regular expression once.
type compiler struct {
	regexps map[string]*regexp.Regexp
}

// compile fails where a part of m is not what [model.Match] says. The predicate points into m.
func (c *compiler) compile(m *model.Match) (predicate, error) {
	p := predicate{match: m}
	switch m.Op {
	case model.Is:
		return p, c.compileLeaf(&p)
	case model.All, model.Any:
	case model.Not:
		if len(m.Of) > 1 {
			return p, fmt.Errorf("not has %d operands, more than one", len(m.Of))
		}
	default:
		return p, fmt.Errorf("unknown operation %q", m.Op)
	}
	p.of = make([]predicate, len(m.Of))
	for i := range m.Of {
		var err error
		if p.of[i], err = c.compile(&m.Of[i]); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (c *compiler) compileLeaf(p *predicate) (err error) {
	p.key, p.value = p.match.Key, p.match.Value
	switch p.match.Test {
	case model.Path, model.PathPrefix, model.Query, model.ALPN:
	case model.Host, model.HostSNI:
		p.value = hostValue(p.value)
	case model.Method:
		p.value = strings.ToUpper(p.value)
	case model.Header:
		p.key = http.CanonicalHeaderKey(p.key)
	case model.HeaderRegexp:
		p.key = http.CanonicalHeaderKey(p.key)
		p.re, err = c.regexp(p.value)
	case model.HostRegexp, model.HostSNIRegexp, model.PathRegexp, model.QueryRegexp:
		p.re, err = c.regexp(p.value)
	case model.ClientIP:
		p.network, err = parseNetwork(p.value)
	default:
		err = fmt.Errorf("unknown test %q", p.match.Test)
	}
	return err
}

func (c *compiler) regexp(s string) (*regexp.Regexp, error) {
	if re, ok := c.regexps[s]; ok {
		return re, nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, err
	}
	if c.regexps == nil {
		c.regexps = map[string]*regexp.Regexp{}
	}
	c.regexps[s] = re
	return re, nil
}

// parseNetwork reads an address or a CIDR. IPv4 addresses mapped into IPv6 are unmapped, as those of requests are.
func parseNetwork(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if addr := p.Addr(); addr.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(addr.Unmap(), p.Bits()-96)
	}
	return p, nil
}
