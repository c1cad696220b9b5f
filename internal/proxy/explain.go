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
	Percent  float64 // of the rule's requests
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
	e.Rule = rule
	total := 0
	for _, b := range rule.Backends {
		total += b.Weight
	}
	for _, b := range g.actions[rule.Slot].backends {
		d := Destination{Service: b.service}
		if total > 0 {
			d.Percent = 100 * float64(b.weight) / float64(total)
		}
		d.Portions, d.Reason = b.pool.Portions()
		e.Backends = append(e.Backends, d)
	}
	return e
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
		r, t := b.pool.Ready()
		ready, total = ready+r, total+t
	}
	return ready, total
}
