package middleware

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// clientIP finds the address that a request counts for. The zero value takes r.RemoteAddr.
type clientIP struct {
	bits     int            // > 0: of an IPv6 address, the first one of its network of this prefix length
	depth    int            // > 0: this many from the right in X-Forwarded-For
	excluded []netip.Prefix // else, if any: the first from the right in X-Forwarded-For that is not one of these
}

// newClientIP makes what a definition of the middleware named kind asks for.
func newClientIP(kind string, spec model.ClientAddress) (clientIP, error) {
	if spec.Depth < 0 {
		return clientIP{}, fieldError(kind+".ipStrategy.depth",
			"%d is negative; count from 1, the rightmost address", spec.Depth)
	}
	if spec.IPv6Subnet < 0 || spec.IPv6Subnet > 128 {
		return clientIP{}, fieldError(kind+".ipStrategy.ipv6Subnet",
			"%d is not a prefix length; use 1 to 128, or 0 for the whole address", spec.IPv6Subnet)
	}
	prefixes, err := parsePrefixes(kind+".ipStrategy.excludedIPs", spec.Excluded)
	return clientIP{spec.IPv6Subnet, spec.Depth, prefixes}, err
}

// of returns the address without zone, IPv4 as IPv4. It is the zero Addr when the request does not say: then the client
// must get what a stranger gets.
func (c clientIP) of(r *http.Request) netip.Addr {
	a := c.find(r)
	if c.bits > 0 && a.Is6() {
		if p, err := a.Prefix(c.bits); err == nil {
			return p.Addr()
		}
	}
	return a
}

func (c clientIP) find(r *http.Request) netip.Addr {
	if c.depth == 0 && len(c.excluded) == 0 {
		return parseAddr(r.RemoteAddr)
	}
	lines := r.Header["X-Forwarded-For"]
	seen := 0
	for i := len(lines) - 1; i >= 0; i-- { // several lines are one list (RFC 9110 §5.3)
		for rest, more := lines[i], true; more; {
			var last string
			rest, last, more = cutLast(rest)
			if last == "" {
				continue
			}
			seen++
			switch {
			case c.depth > 0:
				if seen == c.depth {
					return parseAddr(last)
				}
			default:
				if a := parseAddr(last); !contains(c.excluded, a) {
					return a
				}
			}
		}
	}
	return netip.Addr{}
}

// cutLast takes the last element off a comma-separated list.
func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	last = strings.Trim(list[i+1:], " \t")
	if i < 0 {
		return "", last, false
	}
	return list[:i], last, true
}

// parseAddr reads an address with or without a port. Anything else is the zero Addr.
func parseAddr(s string) netip.Addr {
	if strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1 {
		ap, _ := netip.ParseAddrPort(s)
		return ap.Addr().Unmap().WithZone("")
	}
	a, _ := netip.ParseAddr(s)
	return a.Unmap().WithZone("")
}

// parsePrefixes reads addresses and CIDRs.
func parsePrefixes(place string, list []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(list))
	for i, s := range list {
		p, err := parsePrefix(strings.TrimSpace(s))
		if err != nil {
			return nil, fieldError(fmt.Sprintf("%s[%d]", place, i),
				"%q is neither an address nor a range; write it like 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32", s)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 { // clients' addresses are compared as IPv4
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
