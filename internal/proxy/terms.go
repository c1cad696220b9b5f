package proxy

import (
	"cmp"
	"crypto/tls"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// terms are what a generation says of TLS with clients. TLS begins before anybody knows which route a request is for:
// all that the client says is a name. So the terms belong to hosts.
//
// A host has the options that the routes which name it (Host) agree on; where they do not, or name none, the default
// ones. A connection is made on the terms of the name that the client asks for, and remembers them (shaken); a request
// for a host that needs other ones is turned away (421, RFC 9110 §15.5.20), else a client would get past those of one
// host by asking for another. A route whose options ask for a client certificate is served on those only, also where
// its host has others: because its rule names no host, or because routes disagree.
type terms struct {
	points map[string]*pointTerms              // by entry point
	named  map[*route.Rule]*model.TLSOptions   // of the rules that name some; nil: those that do not exist
	listed []model.Problem                     // sorted
	wanted map[string]map[string]model.Problem // by entry point and name: there should be a certificate
}

// pointTerms are those of one entry point.
type pointTerms struct {
	standard *model.TLSOptions            // for hosts that are not named; nil: the entry point's own
	exact    map[string]*model.TLSOptions // "a.example"
	wildcard map[string]*model.TLSOptions // ".example" for "*.example"
	configs  map[*model.TLSOptions]*tls.Config
}

// of returns the options of a host, in the form that routes have; nil: the entry point's own.
func (t *pointTerms) of(host string) *model.TLSOptions {
	if t == nil {
		return nil
	}
	if len(t.exact)+len(t.wildcard) > 0 {
		if o, ok := t.exact[host]; ok {
			return o
		}
		if dot := strings.IndexByte(host, '.'); dot > 0 {
			if o, ok := t.wildcard[host[dot:]]; ok {
				return o
			}
		}
	}
	return t.standard
}

// at returns those of an entry point; nil where there are none.
func (t *terms) at(point string) *pointTerms {
	if point == "" {
		return nil
	}
	return t.points[point]
}

// newTerms makes those of a generation.
func (b *builder) newTerms(s *model.Snapshot, rules []*route.Rule) *terms {
	t := &terms{points: make(map[string]*pointTerms)}
	standard := t.standard(s)
	for i := range b.entryPoints {
		if e := &b.entryPoints[i]; e.TLS != nil {
			t.points[e.Name] = &pointTerms{standard: standard}
		}
	}
	for _, rule := range b.secured.of(rules) {
		if len(rule.Route.TLSNames) > 0 {
			t.want(b, rule.Route)
		}
		if rule.Route.TLSOptions == (model.Ref{}) {
			continue
		}
		if t.named == nil {
			t.named = make(map[*route.Rule]*model.TLSOptions)
		}
		o := findOptions(s, rule.Route)
		if t.named[rule] = o; o == nil {
			t.report(rule.Route, model.UnknownTLSOptions, "there are no TLS options "+rule.Route.TLSOptions.String()+
				" that can be used; define them, or take them away; the route's requests are refused")
		}
	}
	if len(t.named) > 0 {
		t.assign(b, rules)
	}
	t.compile(b, s)
	slices.SortFunc(t.listed, model.Problem.Compare)
	return t
}

// hasTerms reports whether a route says something of TLS.
func hasTerms(r *model.Route) bool { return len(r.TLSNames) > 0 || r.TLSOptions != (model.Ref{}) }

func (t *terms) report(r *model.Route, code model.Code, message string) {
	t.listed = append(t.listed, model.Problem{
		Object: model.Object{Kind: model.KindRoute, Ref: r.Ref()}, Field: "tls.options", Code: code, Message: message,
	})
}

// standard returns the options that are called "default", the first by the order of sources; nil: there are none.
func (t *terms) standard(s *model.Snapshot) (found *model.TLSOptions) {
	for _, o := range s.TLSOptions {
		if o.Name.Name != model.DefaultTLSOptions || o.Name.Namespace != "" {
			continue
		}
		if found == nil || precedes(s, o.Source, found.Source) {
			found, o = o, found
		}
		if o != nil {
			t.listed = append(t.listed, model.Problem{
				Object: model.Object{Kind: model.KindTLSOptions, Ref: o.Ref()}, Code: model.Conflict,
				Message: "there are default options of " + string(found.Source) + ", too, which go first; take these away",
			})
		}
	}
	return found
}

// precedes reports whether a source goes before another.
func precedes(s *model.Snapshot, a, b model.Source) bool {
	place := func(source model.Source) int {
		if i := slices.Index(s.Order, source); i >= 0 {
			return i
		}
		return len(s.Order)
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b)) < 0
}

// findOptions returns those that a route names; nil: there are none. See [model.Ref].
func findOptions(s *model.Snapshot, r *model.Route) (found *model.TLSOptions) {
	source := cmp.Or(r.TLSOptions.Source, r.Source)
	for _, o := range s.TLSOptions {
		switch {
		case o.Name != r.TLSOptions.Name:
		case o.Source == source:
			return o
		case o.Source.Kind() == string(source) && (found == nil || precedes(s, o.Source, found.Source)):
			found = o
		}
	}
	return found
}

// claim is what the routes of one host say of its terms.
type tlsClaim struct {
	options *model.TLSOptions // nil: the default ones
	routes  []*model.Route
	names   map[string]bool // of the options that the routes name
}

// assign gives the hosts their options.
func (t *terms) assign(b *builder, rules []*route.Rule) {
	type at struct{ point, host string }
	claims := make(map[at]*tlsClaim)
	for _, rule := range rules {
		if rule == nil || !rule.Route.TLS || rule.Route.Lane != model.LaneHTTP {
			continue
		}
		o, named := t.named[rule]
		if named && (o == nil || o.Broken) {
			continue // it is refused, and is not to harm others
		}
		points := entryPointsOf(rule.Route, b.entryPoints)
		for host := range hostsOf(&rule.Route.Match) {
			for _, point := range points {
				c := claims[at{point, host}]
				if c == nil {
					c = &tlsClaim{options: o, names: make(map[string]bool)}
					claims[at{point, host}] = c
				}
				c.routes = append(c.routes, rule.Route)
				c.names[cmp.Or(rule.Route.TLSOptions.String(), model.DefaultTLSOptions)] = true
				if o != c.options {
					c.options = nil
				}
			}
		}
	}
	for at, c := range claims {
		if len(c.names) > 1 && c.options == nil {
			t.disagree(at.host, at.point, c)
		}
		if p := t.points[at.point]; p != nil && c.options != nil {
			p.set(at.host, c.options)
		}
	}
}

func (t *pointTerms) set(host string, o *model.TLSOptions) {
	names := &t.exact
	if suffix, ok := strings.CutPrefix(host, "*"); ok {
		names, host = &t.wildcard, suffix
	}
	if *names == nil {
		*names = make(map[string]*model.TLSOptions)
	}
	(*names)[host] = o
}

// disagree reports that routes of one host name different options.
func (t *terms) disagree(host, point string, c *tlsClaim) {
	names := strings.Join(slices.Sorted(maps.Keys(c.names)), ", ")
	for _, r := range c.routes {
		if r.TLSOptions == (model.Ref{}) {
			continue // it has what it asks for
		}
		t.report(r, model.Conflict, "routes for "+host+" on entry point "+point+" name different TLS options ("+names+
			"), so that the default ones apply; let them name the same. A route whose options ask for a client certificate "+
			"answers 421 until then")
	}
}

// hostsOf yields the hosts that a rule names.
func hostsOf(m *model.Match) func(yield func(string) bool) {
	return func(yield func(string) bool) { eachHost(m, yield) }
}

func eachHost(m *model.Match, yield func(string) bool) bool {
	switch {
	case m.Op == model.Not:
		return true
	case m.Op == model.Is:
		return m.Test != model.Host || yield(m.Value)
	}
	for i := range m.Of {
		if !eachHost(&m.Of[i], yield) {
			return false
		}
	}
	return true
}

// compile makes what handshakes need. What did not change is taken over.
func (t *terms) compile(b *builder, s *model.Snapshot) {
	for i := range b.entryPoints {
		e := &b.entryPoints[i]
		p := t.points[e.Name]
		if p == nil {
			continue
		}
		p.configs = make(map[*model.TLSOptions]*tls.Config, len(s.TLSOptions))
		var before *pointTerms
		if b.last.terms != nil {
			before = b.last.terms.points[e.Name]
		}
		for _, o := range s.TLSOptions {
			if before != nil && before.configs[o] != nil {
				p.configs[o] = before.configs[o]
			} else if config, err := cert.WithOptions(e.TLS, o); err == nil && !o.Broken {
				p.configs[o] = config
			}
		}
	}
}

// want notes that there should be certificates for the names that a route gives.
func (t *terms) want(b *builder, r *model.Route) {
	points := entryPointsOf(r, b.entryPoints)
	for _, name := range r.TLSNames {
		for _, point := range points {
			if t.wanted == nil {
				t.wanted = make(map[string]map[string]model.Problem)
			}
			if t.wanted[point] == nil {
				t.wanted[point] = make(map[string]model.Problem)
			}
			t.wanted[point][name] = model.Problem{
				Object: model.Object{Kind: model.KindRoute, Ref: r.Ref()}, Field: "tls.domains", Code: model.NoCertificate,
				Message: "no certificate is for " + name + "; give one in tls.certificates",
			}
		}
	}
}

// problems returns what is wrong with the terms, and which certificates there are not.
func (t *terms) problems(entryPoints []EntryPoint) []model.Problem {
	list := slices.Clone(t.listed)
	for i := range entryPoints {
		e := &entryPoints[i]
		for name, problem := range t.wanted[e.Name] {
			if e.Certified != nil && !e.Certified(name) {
				list = append(list, problem)
			}
		}
	}
	slices.SortFunc(list, model.Problem.Compare)
	return slices.Compact(list)
}
