package proxy

import (
	"slices"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

// Explanation says where a request would go now, and why. It is made by the code that serves requests.
type Explanation struct {
	Rule  *route.Rule // nil: no route accepts the request
	Steps []route.Step
	// Backends say where the rule's requests go, in the rule's order.
	Backends []Destination
}

// Destination is a service of a rule and how its requests are spread now.
type Destination struct {
	Service  *model.Service
	Via      []model.Ref // the services that lead there, the rule's own first
	Copies   bool        // it gets copies of requests that others answer
	Percent  float64     // of the rule's requests
	Portions []upstream.Portion
	// Reason says why nothing, or not the usual, is chosen from. "": all is well.
	Reason upstream.Reason
}

// Explain says where a request would go. Without an entry point it comes in on the first that serves by default.
func (p *Proxy) Explain(request *route.Request) Explanation {
	g := p.generation.Load()
	if g == nil {
		return Explanation{}
	}
	in := *request
	q := &in
	for _, e := range p.options.EntryPoints {
		if e.Name == q.EntryPoint || q.EntryPoint == "" && e.Default {
			q.EntryPoint, q.Default = e.Name, e.Default
		}
	}
	rule, ok := g.table.Match(q)
	e := Explanation{Steps: g.table.Explain(q)}
	if !ok {
		return e
	}
	for depth := 0; rule.Parent && !rule.Broken && depth < route.MaxDepth; depth++ {
		child, ok := g.table.MatchUnder(rule, q)
		if !ok { // as the request is; its middlewares may make another of it
			break
		}
		rule = child
	}
	e.Rule = rule
	e.spread(g.actions[rule.Slot].backends, 100, Destination{})
	return e
}

// spread adds where a part of the requests goes that services share by weight; to says how it came to them.
func (e *Explanation) spread(list []backend, percent float64, to Destination) {
	takes := make([]float64, len(list))
	for i := range list {
		takes[i] = float64(list[i].weight)
	}
	e.divide(list, takes, percent, to)
}

// divide is spread by other weights than those of the services.
func (e *Explanation) divide(list []backend, takes []float64, percent float64, to Destination) {
	total := 0.0
	for _, weight := range takes {
		total += weight
	}
	for i := range list {
		if total > 0 {
			e.lead(&list[i], percent*takes[i]/total, to)
		} else {
			e.lead(&list[i], 0, to)
		}
	}
}

// lead adds where a part of the requests goes that is a backend's.
func (e *Explanation) lead(b *backend, percent float64, to Destination) {
	if b.pool == nil && (b.within == nil || b.mirror != nil) {
		to.Via = append(slices.Clip(to.Via), b.service.Ref())
	}
	switch {
	case b.pool != nil:
		to.Service, to.Percent = b.service, percent
		to.Portions, to.Reason = b.pool.Portions()
		e.Backends = append(e.Backends, to)
	case b.within != nil: // with middlewares, it is the service itself once more
		e.spread(b.within.backends, percent, to)
		if b.mirror != nil {
			to.Copies = true
			for _, other := range b.mirror.others {
				e.spread(other.forwarder.backends, percent*float64(other.percent)/100, to)
			}
		}
	default:
		e.divide(b.parts, b.takes(), percent, to)
	}
}

// takes returns by which weights the parts of a service share its requests now.
func (b *backend) takes() []float64 {
	takes, aware := make([]float64, len(b.parts)), b.service.Aware && b.differ((*upstream.Pool).Up)
	for i := range b.parts {
		p := &b.parts[i]
		switch {
		case b.service.Use == model.Failover && p == b.serving():
			takes[i] = 1
		case b.service.Use == model.Failover, aware && !p.is((*upstream.Pool).Up):
		default:
			takes[i] = float64(p.weight)
		}
	}
	return takes
}

// Snapshot returns the snapshot that new requests are served from; nil before the first.
func (p *Proxy) Snapshot() *model.Snapshot {
	if g := p.generation.Load(); g != nil {
		return g.snapshot
	}
	return nil
}

// Problems returns what is wrong with the routes that new requests are served from, beside what the snapshot says
// itself.
func (p *Proxy) Problems() []model.Problem {
	g := p.generation.Load()
	if g == nil {
		return nil
	}
	problems := slices.Concat(g.table.Problems(), g.terms.problems(p.options.EntryPoints))
	if p.options.Certificates != nil {
		problems = append(problems, p.options.Certificates.Problems()...)
	}
	problems = append(problems, p.options.Middlewares.Problems()...)
	for _, a := range g.actions {
		if a != nil {
			problems = append(problems, a.problems...)
		}
	}
	return problems
}

// Rules returns the rules that new requests are served from, by slot; nil where a slot is free.
func (p *Proxy) Rules() []*route.Rule {
	if g := p.generation.Load(); g != nil {
		return g.table.Rules()
	}
	return nil
}

// Capacity returns how many endpoints of a route's backend can be used now, of how many; 0 of 0 where no route that is
// served leads to it. A weighted service has those of all that it leads to.
func (p *Proxy) Capacity(service model.Ref) (ready, total int) {
	g := p.generation.Load()
	if g == nil {
		return 0, 0
	}
	for _, b := range g.behind()[service] {
		r, t := b.ready()
		ready, total = ready+r, total+t
	}
	return ready, total
}
