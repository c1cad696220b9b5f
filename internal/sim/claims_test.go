package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
)

const (
	// marker is in every planted secret, inner in every address inside a cluster. Edges and the wire must not see either.
	marker = "s3cr3t"
	inner  = "inner-"
	// badExpression cannot be compiled.
	badExpression = "("
)

// claim is one route of a cluster, as its owner means it.
type claim struct {
	name     string
	stamp    int      // of this version; no two versions of any route have the same. It crosses the link as a timeout
	hosts    []string // any of them; none: see regexp
	regexp   string   // a HostRegexp; "": the rule names no host
	path     string   // PathPrefix; "": none
	expr     string   // PathRegexp; "": none
	team     string   // value of the field X-Team; "": not asked for
	service  string   // fleet-wide
	priority int
	points   []string
	guarded  bool // by middlewares that have secrets
	private  bool // not offered to followers
}

// String is how a step says it: "shop host=shop.example path=/x service=shop priority=10".
func (c claim) String() string {
	words := []string{c.name}
	add := func(key, value string) {
		if value != "" {
			words = append(words, key+"="+value)
		}
	}
	add("host", strings.Join(c.hosts, "|"))
	add("regexp", c.regexp)
	add("path", c.path)
	add("expr", c.expr)
	add("team", c.team)
	add("service", c.service)
	add("priority", strconv.Itoa(c.priority))
	add("on", strings.Join(c.points, "|"))
	if c.guarded {
		words = append(words, "guarded")
	}
	if c.private {
		words = append(words, "private")
	}
	return strings.Join(words, " ")
}

// with sets what one word of a step says.
func (c *claim) with(word string) error {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "host":
		c.hosts = strings.Split(value, "|")
	case "regexp":
		c.regexp = value
	case "path":
		c.path = value
	case "expr":
		c.expr = value
	case "team":
		c.team = value
	case "service":
		c.service = value
	case "priority":
		n, err := strconv.Atoi(value)
		c.priority = n
		return err
	case "on":
		c.points = strings.Split(value, "|")
	case "guarded":
		c.guarded = true
	case "private":
		c.private = true
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

// match is the rule. narrowed is what a grant of exactly that path prefix leaves of it.
func (c claim) match(narrowed bool) model.Match {
	var all []model.Match
	var hosts []model.Match
	for _, h := range c.hosts {
		hosts = append(hosts, model.Leaf(model.Host, h))
	}
	switch {
	case len(hosts) == 1:
		all = append(all, hosts[0])
	case len(hosts) > 1:
		all = append(all, model.Match{Op: model.Any, Of: hosts})
	case c.regexp != "":
		all = append(all, model.Leaf(model.HostRegexp, c.regexp))
	}
	switch {
	case c.path != "" && narrowed:
		all = append(all, model.Match{Op: model.Any, Of: []model.Match{
			model.Leaf(model.Path, c.path), model.Leaf(model.PathPrefix, c.path+"/"),
		}})
	case c.path != "":
		all = append(all, model.Leaf(model.PathPrefix, c.path))
	}
	if c.expr != "" {
		all = append(all, model.Leaf(model.PathRegexp, c.expr))
	}
	if c.team != "" {
		all = append(all, model.Match{Op: model.Is, Test: model.Header, Key: "X-Team", Value: c.team})
	}
	return model.Match{Of: all}
}

// state is everything that a cluster has at one moment.
type state struct {
	claims []claim // sorted by name
}

// snapshot is what the cluster's orchestrator says in that state: new objects every time.
func (s state) snapshot(source model.Source) model.Snapshot {
	out := model.Snapshot{Middlewares: []*model.Middleware{
		{Name: model.Name{Name: "key"}, Source: source, APIKey: &model.APIKey{
			Header: "X-Key", Hashes: []model.Secret{model.NewSecret(marker + "-hash")},
		}},
		{Name: model.Name{Name: "users"}, Source: source, BasicAuth: &model.BasicAuth{
			Users: []model.Secret{model.NewSecret("user:" + marker)},
		}},
	}}
	for _, c := range s.claims {
		name := model.ParseName(c.name)
		r := &model.Route{
			Name: name, Source: source, EntryPoints: slices.Clone(c.points), Match: c.match(false), Priority: c.priority,
			Backends: []model.Backend{{Service: model.Ref{Name: name}, Weight: 1}},
			Timeouts: model.Timeouts{Total: time.Duration(c.stamp) * time.Millisecond},
			Export:   model.Export{Offered: !c.private, As: model.ParseName(c.service)},
		}
		if c.guarded {
			r.Middlewares = []model.Ref{{Name: model.Name{Name: "key"}}, {Name: model.Name{Name: "users"}}}
		}
		out.Routes = append(out.Routes, r)
		out.Services = append(out.Services, &model.Service{
			Name: name, Source: source, Endpoints: []model.Endpoint{{Addr: inner + c.name + ":80", Weight: 1}},
		})
	}
	return out
}

// seen is what an edge must make of a state.
type seen struct {
	routes   []string // one line each, see routeLine; sorted
	services []string
	problems []string // "name code", sorted
}

// under judges the state by a grant. It is the twin of what the follower does.
func (s state) under(g link.Grant) seen {
	var out seen
	for _, c := range s.claims {
		if c.private {
			continue
		}
		code, points := c.judge(g)
		if code != "" {
			out.problems = append(out.problems, c.name+" "+string(code))
		}
		if len(points) == 0 {
			continue
		}
		narrowed := slices.Contains(g.Paths, c.path) && len(g.Paths) > 0
		out.routes = append(out.routes, line(c.name, c.service, c.priority, c.stamp, points, c.match(narrowed)))
		out.services = append(out.services, c.service)
	}
	slices.Sort(out.routes)
	slices.Sort(out.services)
	out.services = slices.Compact(out.services)
	slices.Sort(out.problems)
	return out
}

// judge returns what is wrong with a claim, if anything, and where it is served; nowhere: it is refused.
func (c claim) judge(g link.Grant) (code model.Code, points []string) {
	if c.expr == badExpression {
		return model.InvalidRule, nil
	}
	hosts := slices.Contains(g.Hosts, "*") || len(c.hosts) > 0
	for _, h := range c.hosts {
		hosts = hosts && grantsHost(g, h)
	}
	path := len(g.Paths) == 0 || c.path != "" && grantsPath(g, c.path)
	if !hosts || !path || !grantsService(g, model.ParseName(c.service)) {
		return model.NotGranted, nil
	}
	if len(c.points) == 0 {
		return "", slices.Sorted(slices.Values(g.EntryPoints))
	}
	for _, p := range slices.Sorted(slices.Values(c.points)) {
		if slices.Contains(g.EntryPoints, p) {
			points = append(points, p)
		}
	}
	if len(points) < len(c.points) {
		code = model.NotGranted
	}
	return code, points
}

// line is how routes are compared.
func line(name, service string, priority, stamp int, points []string, m model.Match) string {
	return fmt.Sprintf("%s->%s %d #%d %v %s", name, service, priority, stamp, points, m)
}

func routeLine(r *model.Route) string {
	service := ""
	if len(r.Backends) == 1 {
		service = r.Backends[0].Service.Name.String()
	}
	return line(r.Name.String(), service, r.Priority, stampOf(r), r.EntryPoints, r.Match)
}

func stampOf(r *model.Route) int { return int(r.Timeouts.Total / time.Millisecond) }

// known is what an edge made of a cluster, in the words of seen.
func known(s *model.Snapshot) seen {
	var out seen
	for _, r := range s.Routes {
		out.routes = append(out.routes, routeLine(r))
	}
	for _, svc := range s.Services {
		out.services = append(out.services, svc.Name.String())
	}
	for _, p := range s.Problems {
		if p.Object.Kind == model.KindRoute {
			out.problems = append(out.problems, p.Object.Name.String()+" "+string(p.Code))
		}
	}
	slices.Sort(out.routes)
	slices.Sort(out.services)
	slices.Sort(out.problems)
	return out
}

func (s seen) sameRoutes(o seen) bool {
	return slices.Equal(s.routes, o.routes) && slices.Equal(s.services, o.services)
}
