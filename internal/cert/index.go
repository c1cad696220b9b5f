package cert

import (
	"crypto/tls"
	"strings"
)

// index finds a certificate by the name that a client asks for (SNI, RFC 6066 §3).
type index struct {
	exact    map[string]*tls.Certificate // "a.example"
	wildcard map[string]*tls.Certificate // ".example" for "*.example"
	first    *tls.Certificate            // nil: there is none at all
}

// newIndex indexes certificates by the DNS names in them. Of several for one name, the first gets it.
func newIndex(certificates []*tls.Certificate) *index {
	x := &index{exact: map[string]*tls.Certificate{}, wildcard: map[string]*tls.Certificate{}}
	for _, c := range certificates {
		if x.first == nil {
			x.first = c
		}
		for _, name := range c.Leaf.DNSNames {
			names, name := x.exact, strings.ToLower(name)
			if suffix, ok := strings.CutPrefix(name, "*"); ok {
				names, name = x.wildcard, suffix
			}
			if names[name] == nil {
				names[name] = c
			}
		}
	}
	return x
}

// find returns the certificate for exactly the name, else a wildcard's, else the first.
func (x *index) find(name string) *tls.Certificate {
	name = canonical(name)
	if c := x.exact[name]; c != nil {
		return c
	}
	if c := x.covering(name); c != nil {
		return c
	}
	return x.first
}

// canonical returns a name as the index has it. It allocates nothing for one in lower case, which is what clients send.
func canonical(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// covering returns the certificate with a wildcard for the name, which stands for one label (RFC 9525 §6.3); nil: there
// is none.
func (x *index) covering(name string) *tls.Certificate {
	if dot := strings.IndexByte(name, '.'); dot > 0 {
		return x.wildcard[name[dot:]]
	}
	return nil
}
