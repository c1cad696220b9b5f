package link

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// Grant is what a followed cluster may claim. The zero Grant is nothing.
//
// A route is within the grant when its match cannot be true of a request outside it, as far as can be told from the
// tree: of operands that must all hold, one within suffices; of alternatives, each must be within; a negation never
// is. So a route that names no host is only within a grant of every host.
//
// # Hosts
//
// "a.example" is that host. "*.a.example" is every host below it, at any depth, but not a.example itself (in a rule,
// Host(`*.a.example`) is exactly one label more). "*" is every host, and what need not name one: only then are
// HostRegexp and rules without a host granted, for nobody can say what an expression matches.
//
// # Paths
//
// "/x" is /x and all below /x/, but not /xy: /x of one team and /xy of another are neighbours, not parts. A slash at
// the end means nothing. No paths, or "/", is every path. PathRegexp alone is only within every path.
//
// In the rule language PathPrefix(`/x`) goes by characters, so it is also true of /xy, and is not within "/x". It is
// also what nearly everybody writes for "/x and all below". To refuse it would make the grant useless; to let it pass
// would let a cluster take its neighbour's /xy with a high priority. So it is granted and narrowed: the follower
// serves Path(`/x`) || PathPrefix(`/x/`) in its place. A longer one, PathPrefix(`/x/y`), needs no narrowing: /x/yz is
// below /x, too. Values with "." or ".." as a segment are never within a prefix, because services resolve them to
// other paths.
//
// # Entry points
//
// Those on which the cluster's routes may be served. A route that names none is served on all of these. One that names
// some is served on those that are both named and granted; when there are none, it is not granted: its owner may have
// meant a plain-text redirect, which must not show up elsewhere. Where the grant lists none, the follower's default
// entry points stand in.
//
// # Services
//
// Fleet-wide names: "shop" is that one, "team-a/*" every one of the namespace, "*" every one. Routes of one name in
// several clusters share their endpoints; therefore no name is granted by default.
//
// # Streams
//
// A route of TCP for TLS is granted by hosts, as one of HTTP is: HostSNI counts as Host does. Paths do not matter. One
// without TLS, and one of UDP, takes everything that comes in at an entry point. Such entry points are granted by name,
// in TCP and UDP; none is by default, and no host stands for them, not even "*".
type Grant struct {
	Hosts       []string
	Paths       []string
	EntryPoints []string
	TCP, UDP    []string
	Services    []string
}

// Allows returns nil when r is within the grant. The error says what is not and how to mend it.
func (g Grant) Allows(r Route) error {
	if !g.allowsService(r.Service) {
		return fmt.Errorf("the service name %q is not granted (granted: %s)", r.Service, listed(g.Services))
	}
	if whole, lists := g.wholes(r); whole {
		if len(within(r.EntryPoints, lists)) == 0 {
			named := "any"
			if len(r.EntryPoints) > 0 {
				named = listed(r.EntryPoints)
			}
			return fmt.Errorf("it takes all that comes in at an entry point, which is not granted (named: %s; granted in "+
				"%s: %s)", named, r.Lane, listed(lists))
		}
		return nil
	}
	if !slices.Contains(g.Hosts, "*") && !implies(r.Match, g.allowsHost) {
		return fmt.Errorf("the rule can be true of hosts that are not granted (granted: %s)", listed(g.Hosts))
	}
	if r.Lane == model.LaneHTTP && !g.everyPath() && !implies(r.Match, g.allowsPath) {
		return fmt.Errorf("the rule can be true of paths that are not granted (granted: %s)", listed(g.Paths))
	}
	if len(r.EntryPoints) > 0 && len(g.servedOn(r.EntryPoints)) == 0 {
		return fmt.Errorf("none of its entry points %s is granted (granted: %s)",
			listed(r.EntryPoints), listed(g.EntryPoints))
	}
	return nil
}

// wholes reports whether a route takes entry points whole, and which ones it may.
func (g Grant) wholes(r Route) (whole bool, granted []string) {
	switch {
	case r.Lane == model.LaneUDP:
		return true, g.UDP
	case r.Lane == model.LaneTCP && !r.TLS:
		return true, g.TCP
	}
	return false, nil
}

// Bound returns what the grant leaves of a route: the entry points, sorted, on which it is served, and what it matches
// there. The error is that of Allows.
func (g Grant) Bound(r Route) (entryPoints []string, match model.Match, err error) {
	if err := g.Allows(r); err != nil {
		return nil, r.Match, err
	}
	return g.entryPoints(r), g.narrow(r.Match), nil
}

// entryPoints returns those, sorted, on which a route is served.
func (g Grant) entryPoints(r Route) []string {
	if whole, granted := g.wholes(r); whole {
		return within(r.EntryPoints, granted)
	}
	return g.servedOn(r.EntryPoints)
}

func listed(s []string) string {
	if len(s) == 0 {
		return "none"
	}
	return printable(strings.Join(s, ", "), 200)
}

// implies reports whether m can only be true of requests that one of the tests within accepts.
func implies(m model.Match, within func(model.Match) bool) bool {
	operand := func(o model.Match) bool { return implies(o, within) }
	switch m.Op {
	case model.Is:
		return within(m)
	case model.All:
		return slices.ContainsFunc(m.Of, operand)
	case model.Any: // of nothing: never true, so nothing is claimed
		return !slices.ContainsFunc(m.Of, func(o model.Match) bool { return !operand(o) })
	}
	return false
}

func (g Grant) allowsHost(leaf model.Match) bool {
	if leaf.Test != model.Host && leaf.Test != model.HostSNI {
		return false
	}
	return slices.ContainsFunc(g.Hosts, func(pattern string) bool {
		pattern = strings.ToLower(pattern)
		if below, ok := strings.CutPrefix(pattern, "*"); ok && strings.HasPrefix(below, ".") {
			// Host(`*.a.example`), too, ends in ".a.example" and is below it.
			return strings.HasSuffix(leaf.Value, below) && len(leaf.Value) > len(below)
		}
		return leaf.Value == pattern
	})
}

func (g Grant) everyPath() bool { return len(g.Paths) == 0 || slices.Contains(g.Paths, "/") }

func (g Grant) allowsPath(leaf model.Match) bool {
	if leaf.Test != model.Path && leaf.Test != model.PathPrefix || dotted(leaf.Value) {
		return false
	}
	return g.exactly(leaf.Value) || g.below(leaf.Value)
}

func dotted(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// exactly reports whether path is a granted prefix; below, whether it is inside one, beyond the slash.
func (g Grant) exactly(path string) bool {
	return slices.ContainsFunc(g.Paths, func(p string) bool { return granted(p) && path == strings.TrimRight(p, "/") })
}

func (g Grant) below(path string) bool {
	return slices.ContainsFunc(g.Paths, func(p string) bool {
		return granted(p) && strings.HasPrefix(path, strings.TrimRight(p, "/")+"/")
	})
}

// granted tells prefixes from slips of the pen: "x" is no path, and must not become every path.
func granted(prefix string) bool {
	return strings.HasPrefix(prefix, "/") && strings.TrimRight(prefix, "/") != ""
}

// narrow returns m without what PathPrefix by characters claims beyond a granted prefix. It leaves negations alone: to
// narrow what is negated would widen the rest.
func (g Grant) narrow(m model.Match) model.Match {
	switch {
	case g.everyPath() || m.Op == model.Not || m.Op != model.Is && len(m.Of) == 0:
		return m
	case m.Op != model.Is:
		of := make([]model.Match, len(m.Of))
		for i, o := range m.Of {
			of[i] = g.narrow(o)
		}
		m.Of = of
		return m
	case m.Test == model.PathPrefix && g.exactly(m.Value) && !g.below(m.Value):
		return model.Match{Op: model.Any, Of: []model.Match{
			model.Leaf(model.Path, m.Value), model.Leaf(model.PathPrefix, m.Value+"/"),
		}}
	}
	return m
}

// servedOn returns the entry points, sorted, that serve a route for which the cluster names these.
func (g Grant) servedOn(named []string) []string { return within(named, g.EntryPoints) }

// within returns the named ones that are granted, sorted; where none is named, all.
func within(named, granted []string) []string {
	if len(named) == 0 {
		return slices.Compact(slices.Sorted(slices.Values(granted)))
	}
	var out []string
	for _, p := range slices.Sorted(slices.Values(named)) {
		if slices.Contains(granted, p) {
			out = append(out, p)
		}
	}
	return slices.Compact(out)
}

func (g Grant) allowsService(name string) bool {
	return slices.ContainsFunc(g.Services, func(pattern string) bool {
		if namespace, ok := strings.CutSuffix(pattern, "/*"); ok {
			return model.ParseName(name).Namespace == namespace && namespace != ""
		}
		return pattern == "*" || pattern == name
	})
}
