package route

import (
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// findConflicts looks again at the claims to which something happened.
func (b *build) findConflicts() {
	slices.Sort(b.contested)
	rest := b.table.claims
	for _, claim := range slices.Compact(b.contested) {
		var claimants postings
		claimants, rest = rest.cut(claim)
		// Where nothing went, a route that is alone now was alone before.
		if len(claimants) > 1 || len(b.claims.gone) > 0 {
			b.settleClaim(claimants)
		}
	}
}

// settleClaim finds the losers among the routes of one claim. Each loses to the first that takes requests from it.
func (b *build) settleClaim(claimants postings) {
	entries := make([]*entry, 0, 8)
	for _, c := range claimants {
		entries = append(entries, b.table.entries[slotOf(c)])
	}
	slices.SortFunc(entries, func(x, y *entry) int { return order(x.candidate, y.candidate) })
	var winners []claimant
	for _, e := range entries {
		rule := b.table.rules[e.slot]
		if len(entries) == 1 || rule == nil {
			b.setConflict(e, nil)
			continue
		}
		c := claimant{e.candidate, rule, e.route.Match.String()}
		problem, covered := c.judge(winners)
		b.setConflict(e, problem)
		if !covered {
			winners = append(winners, c)
		}
	}
}

// claimant is a served route that may be in conflict with others.
type claimant struct {
	*candidate
	rule  *Rule
	match string // canonical
}

// sameAs reports whether c and o ask for the same requests, entry points aside.
func (c claimant) sameAs(o claimant) bool {
	return c.match == o.match && c.priority == o.priority && c.tls == o.tls && c.route.Lane == o.route.Lane &&
		slices.Equal(c.route.Parents, o.route.Parents)
}

// judge returns c's problem with the claimants that go before it, if one of them takes requests from c and leads them
// elsewhere, and whether one of them takes all.
func (c claimant) judge(winners []claimant) (problem *model.Problem, covered bool) {
	for _, w := range winners {
		if !c.sameAs(w) || !overlap(c.entryPoints, w.entryPoints) {
			continue
		}
		if problem == nil && !c.rule.leadsWith(w.rule) {
			problem = c.problem(w)
		}
		if slices.Equal(c.entryPoints, w.entryPoints) {
			return problem, true
		}
	}
	return problem, false
}

// overlap reports whether a request may come in at an entry point of both. None means those that serve routes by
// default, which any of the named ones may be.
func overlap(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}

func (c claimant) problem(winner claimant) *model.Problem {
	return &model.Problem{
		Object: model.Object{Kind: model.KindRoute, Ref: c.route.Ref()},
		Field:  "rule", Code: model.Conflict,
		Message: fmt.Sprintf("the route %s has the same rule and goes first; change the rule or the priority of one",
			winner.route.Ref()),
	}
}

// setConflict notes the conflict of a route; nil: it has none.
func (b *build) setConflict(e *entry, p *model.Problem) {
	if e.conflict == p || e.conflict != nil && p != nil && *e.conflict == *p {
		return
	}
	changed := *e
	changed.conflict = p
	b.own()
	b.table.entries[e.slot] = &changed
}
