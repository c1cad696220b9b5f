package route

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// key is a place in the index: a set of requests by host and path. The zero key is every request.
type key struct {
	host string // "": any; "*.a.example": one more label
	path string
	// exact: path is the whole path; otherwise a prefix of it.
	exact bool
}

// maxProduct bounds how many keys a rule gets by multiplying hosts with paths. Beyond it, one factor is left to the
// residual. (Alternatives alone are not bounded: their number grows with the rule's length, not with a power of it.)
const maxProduct = 256

// cover returns keys such that every request that m accepts falls under one of them, and the rest: what is still to be
// tested of a request that does; nil: nothing. No keys mean that m accepts nothing.
func cover(m *model.Match) (keys []key, rest *model.Match) {
	switch m.Op {
	case model.All:
		return coverAll(m.Of)
	case model.Any:
		return coverAny(m)
	}
	if k, ok := keyOf(m); ok {
		return []key{k}, nil
	}
	return []key{{}}, m
}

// keyOf returns the key that is all of m, if m is a leaf that has one.
func keyOf(m *model.Match) (key, bool) {
	if m.Op != model.Is {
		return key{}, false
	}
	switch m.Test {
	case model.Host:
		host := hostValue(m.Value)
		return key{host: host}, host != ""
	case model.HostSNI:
		if m.Value == everyHost {
			return key{}, true
		}
		host := hostValue(m.Value)
		return key{host: host}, host != ""
	case model.Path:
		return key{path: m.Value, exact: true}, true
	case model.PathPrefix:
		return key{path: m.Value}, true
	}
	return key{}, false
}

// everyHost is the value of a HostSNI test that accepts every connection, also one that names no host.
const everyHost = "*"

// hostValue is the value of a Host test in the form that requests have.
func hostValue(s string) string { return strings.TrimSuffix(strings.ToLower(s), ".") }

func coverAll(of []model.Match) (keys []key, rest *model.Match) {
	keys = []key{{}}
	var left []model.Match
	for i := range of {
		if k, ok := keyOf(&of[i]); ok { // the common case, without a slice
			keys = narrow(keys, k)
			continue
		}
		k, r := cover(&of[i])
		switch {
		case len(keys)*len(k) <= maxProduct || len(keys) == 1 || len(k) == 1:
			keys = product(keys, k)
		case keys[0].host == "" && k[0].host != "": // hosts tell more than paths
			keys = k
			left = slices.Clone(of[:i])
		default:
			r = &of[i]
		}
		if r != nil {
			left = append(left, *r)
		}
	}
	if left != nil {
		rest = &model.Match{Of: left}
	}
	return keys, rest
}

func coverAny(m *model.Match) (keys []key, rest *model.Match) {
	for i := range m.Of {
		k, r := cover(&m.Of[i])
		if r != nil {
			rest = m
		}
		keys = append(keys, k...)
	}
	if slices.Contains(keys, key{}) {
		return []key{{}}, rest
	}
	slices.SortFunc(keys, func(a, b key) int {
		exact := 0
		if a.exact != b.exact {
			exact = sign(b.exact)
		}
		return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.path, b.path), exact)
	})
	return slices.Compact(keys), rest
}

// product returns the keys of the requests that fall under one of a and one of b. It may overwrite both.
func product(a, b []key) []key {
	if len(a) == 1 {
		a, b = b, a
	}
	if len(b) == 1 {
		return narrow(a, b[0])
	}
	var out []key
	for _, x := range a {
		for _, y := range b {
			if both, ok := x.and(y); ok {
				out = append(out, both)
			}
		}
	}
	return out
}

// narrow returns the keys of those requests under keys that fall under k as well. It overwrites keys.
func narrow(keys []key, k key) []key {
	out := keys[:0]
	for _, x := range keys {
		if both, ok := x.and(k); ok {
			out = append(out, both)
		}
	}
	return out
}

// and returns the key of the requests that fall under both; false: there are none.
func (k key) and(o key) (key, bool) {
	if o.host != "" && k.host != o.host {
		switch {
		case k.host == "" || hostMatches(k.host, o.host):
			k.host = o.host
		case !hostMatches(o.host, k.host):
			return key{}, false
		}
	}
	switch {
	case !k.exact && strings.HasPrefix(o.path, k.path):
		k.path, k.exact = o.path, o.exact
	case !o.exact && strings.HasPrefix(k.path, o.path):
	case k.exact && o.exact && k.path == o.path:
	default:
		return key{}, false
	}
	return k, true
}

// hostMatches reports whether host is pattern, or has one label more than the rest of a pattern that starts with "*.".
func hostMatches(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok && suffix != "" && suffix[0] == '.' {
		return suffixOf(host) == suffix
	}
	return pattern == host
}

// suffixOf returns what follows the first label of a host, the dot included; "" where there is no more than one.
func suffixOf(host string) string {
	if dot := strings.IndexByte(host, '.'); dot > 0 {
		return host[dot:]
	}
	return ""
}
