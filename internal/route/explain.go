package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// maxSteps bounds an explanation.
const maxSteps = 100

// Step is what became of one route when a request was matched.
type Step struct {
	Route *model.Route
	// Rule is where the route leads. Nil: it is not served.
	Rule *Rule
	// Chosen is set for the rule that Match returns, and for no other.
	Chosen bool
	// Why says why the route was not chosen: the first test that failed, or what else kept it. Where it was chosen and is
	// broken, it says why requests are answered 503. "" where it was chosen and is not broken.
	Why string
}

// String returns one line for people.
func (s Step) String() string {
	if s.Chosen && s.Why == "" {
		return s.Route.Ref().String() + ": chosen"
	}
	if s.Chosen {
		return s.Route.Ref().String() + ": chosen: " + s.Why
	}
	return s.Route.Ref().String() + ": " + s.Why
}

// Explain says which rule Match returns for the request, and why not the others that the index has for its host or for
// every host. Steps are in the order that [Compile] documents. There are at most 100: routes that accept the request,
// the chosen one first, are kept before those that do not.
//
// Where the rule has children, those steps follow that say which of them would serve the request if the rule's
// middlewares left it as it is; and so on.
func (t *Table) Explain(q *Request) []Step {
	chosen, _ := t.Match(q)
	steps := t.explain(q, t.candidates(q, t.lanes.of(q.Lane)), chosen, t.whyNot)
	for depth := 0; chosen != nil && chosen.Parent && !chosen.Broken && depth < MaxDepth; depth++ {
		parent, n := chosen.Route, t.nests[chosen.Route.Name]
		chosen, _ = t.MatchUnder(chosen, q)
		children := slices.DeleteFunc(t.candidates(q, &n.index), func(c *candidate) bool { return !c.isChildOf(parent) })
		steps = append(steps, t.explain(q, children, chosen, t.whyNotByRule)...)
	}
	return steps
}

// MaxDepth bounds how many routes a request may be led through, each the child of the one before.
const MaxDepth = 10

// explain says what became of candidates, which are in order.
func (t *Table) explain(
	q *Request, all []*candidate, chosen *Rule, whyNot func(*candidate, *Request, *compiler) string,
) []Step {
	var compiler compiler
	var steps []Step
	accepting := 0
	for _, c := range all {
		step := Step{Route: c.route, Rule: t.rules[c.slot]}
		step.Why = whyNot(c, q, &compiler)
		if step.Why == "" {
			accepting++
			switch step.Chosen = step.Rule == chosen; {
			case !step.Chosen:
				step.Why = tooLate
			case step.Rule.Broken:
				step.Why = t.entries[c.slot].whyBroken()
			}
		}
		steps = append(steps, step)
	}
	return capped(steps, accepting)
}

// tooLate is why a route that accepts the request was not chosen.
const tooLate = "a route of higher order was chosen"

// capped keeps the first maxSteps steps, those of the accepting routes before the others.
func capped(steps []Step, accepting int) []Step {
	accepting = min(accepting, maxSteps)
	others := maxSteps - accepting
	return slices.DeleteFunc(steps, func(s Step) bool {
		room := &others
		if s.Chosen || s.Why == tooLate {
			room = &accepting
		}
		*room--
		return *room < 0
	})
}

// candidates returns what an index has for a request's host and for every host, in order.
func (t *Table) candidates(q *Request, x *index) []*candidate {
	var all []*candidate
	for _, tree := range x.trees(t.seed, q.Host) {
		tree.walk(func(c *candidate) { all = append(all, c) })
	}
	slices.SortFunc(all, order)
	return slices.Compact(all)
}

// whyNot returns why c cannot serve q; "" if it can.
func (t *Table) whyNot(c *candidate, q *Request, compiler *compiler) string {
	switch {
	case !c.servesEntryPoint(q) && len(c.entryPoints) == 0:
		return fmt.Sprintf("it names no entry point, and %s does not serve such routes", q.EntryPoint)
	case !c.servesEntryPoint(q):
		return fmt.Sprintf("the entry point %s is not one of its: %s", q.EntryPoint, strings.Join(c.entryPoints, ", "))
	case !c.admits(q) && c.tls:
		return "the request did not come over TLS"
	case !c.admits(q):
		return "the connection begins with TLS, and the route has no tls"
	}
	return t.whyNotByRule(c, q, compiler)
}

// whyNotByRule is whyNot where only what the rule says is in question.
func (t *Table) whyNotByRule(c *candidate, q *Request, compiler *compiler) string {
	if c.err == nil {
		whole, _ := compiler.compile(&c.route.Match) // its parts were compiled before: it cannot fail
		if part := whole.failed(q); part != nil {
			return part.match.String() + " does not hold"
		}
	}
	if t.rules[c.slot] != nil {
		return ""
	}
	return "not served: the rule cannot be compiled: " + c.err.Error()
}

// whyBroken returns why the requests of a broken route are answered 503.
func (e *entry) whyBroken() string {
	var reasons []string
	if e.route.Broken {
		reasons = append(reasons, "a part of its definition cannot be understood") // the snapshot's problems say which
	}
	for _, p := range e.problems {
		if strings.HasSuffix(p.Message, unavailable) {
			reasons = append(reasons, strings.TrimSuffix(p.Message, unavailable))
		}
	}
	return "its requests are answered 503: " + strings.Join(reasons, "; ")
}
