package route

import (
	"hash/maphash"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// lanes has the index of each lane.
type lanes struct{ http, tcp, udp index }

func (l *lanes) of(lane model.Lane) *index {
	switch lane {
	case model.LaneTCP:
		return &l.tcp
	case model.LaneUDP:
		return &l.udp
	}
	return &l.http
}

// index finds the candidates of a request. Values are immutable; an edit makes new ones.
type index struct {
	exact    hosts // by the host
	suffix   hosts // by what follows the host's first label
	anywhere *node // of routes that name no host
}

// trees returns the trees of paths that may have candidates for a host; each may be nil.
func (x *index) trees(seed maphash.Seed, host string) (trees [3]*node) {
	if x.exact.len > 0 {
		trees[0] = x.exact.get(maphash.String(seed, host), host)
	}
	if x.suffix.len > 0 {
		suffix := suffixOf(host)
		trees[1] = x.suffix.get(maphash.String(seed, suffix), suffix)
	}
	trees[2] = x.anywhere
	return trees
}

// change replaces the tree of paths that belongs to the host of a key.
func (x *index) change(e *edit, seed maphash.Seed, host string, f func(*node) *node) {
	switch {
	case host == "":
		x.anywhere = f(x.anywhere)
	case strings.HasPrefix(host, "*."):
		x.suffix.change(e, maphash.String(seed, host[1:]), host[1:], f)
	default:
		x.exact.change(e, maphash.String(seed, host), host, f)
	}
}

// remove takes c away from all its places.
func (x *index) remove(e *edit, seed maphash.Seed, c *candidate) {
	for _, k := range c.keys {
		x.change(e, seed, k.host, func(n *node) *node { return e.remove(n, k.path, k.exact, c) })
	}
}

// add brings c to all its places.
func (x *index) add(e *edit, seed maphash.Seed, c *candidate) {
	for _, k := range c.keys {
		x.change(e, seed, k.host, func(n *node) *node { return e.add(n, k.path, k.exact, c) })
	}
}
