package proxy

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/route"
)

// descent is the last handler of a rule that has children: it chooses among them, by what the rule's middlewares have
// made of the request.
type descent struct {
	rule      *route.Rule
	forwarder *forwarder // has what the rule's middlewares say of retries, and leads nowhere
}

func (d *descent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	x.sending.w = w // what is refused goes through the middlewares, too
	x.depth++
	defer func() { x.depth-- }()
	if x.depth > route.MaxDepth {
		x.refuse(http.StatusLoopDetected, reasonLoop)
		return
	}
	if d.forwarder.retry.Attempts > 0 {
		x.retry = &d.forwarder.retry
	}
	g := x.generation
	q := x.question(r)
	rule, ok := g.table.MatchUnder(d.rule, &q)
	if !ok {
		x.refuse(http.StatusNotFound, reasonNoRoute)
		return
	}
	a := g.actions[rule.Slot]
	x.Route = a.route
	a.handler.ServeHTTP(w, r)
}

// inherit returns f, or what it is where a parent of the rule says how often requests are sent.
func (f *forwarder) inherit(x *exchange) *forwarder {
	if x.retry == nil || f.retry.Attempts > 0 || f.aside {
		return f
	}
	heir := *f
	heir.retry = *x.retry
	return &heir
}
