package route

import (
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// Rule is a compiled route in a table: where the requests go that the route gets. It is immutable. A rule of which
// nothing changed keeps its pointer from table to table.
type Rule struct {
	Route *model.Route
	// Slot is a small number that the route keeps while it lives in successive tables, even when it changes. What is built
	// for a rule can be kept in a slice. Slots of routes that are gone are given to new ones.
	Slot int
	// Backends are the services that share the requests. Plain weighted services, and such inside them, are resolved into
	// what they consist of.
	// Empty: no service is known; the answer is 503.
	Backends []Backend
	// Middlewares are those of the route, chains resolved into what they consist of, in the order in which they see the
	// request. None where it is broken.
	Middlewares []*model.Middleware
	// Asides are the services that some of the middlewares send requests to, besides.
	Asides []Aside
	// Parent says that the rule leads to its children: see [Table.MatchUnder].
	Parent bool
	// Broken says that a part of the route's definition or one of its middlewares is not there: its requests are answered
	// 503, lest they go unprotected.
	Broken bool
}

// Backend is a service, and its share of a rule's requests.
type Backend struct {
	Service *model.Service
	Weight  int // relative to its siblings, not negative; 0 gets nothing
	// Transport is how the service's endpoints are reached. Nil: as by default.
	Transport *model.Transport
	// Inside is what the service consists of, where it is more than its endpoints. Nil: no more.
	Inside *Inside
}

// Inside is what a service consists of. It is immutable.
type Inside struct {
	Backends    []Backend // in the service's order, with the weights that it gives them; none: it has endpoints
	Middlewares []*model.Middleware
}

// Services calls f with every service that has endpoints, of the backend and what is inside it, and how they are
// reached, until f returns false.
func (b *Backend) Services(f func(*model.Service, *model.Transport) bool) bool {
	if b.Inside == nil || len(b.Inside.Backends) == 0 {
		return f(b.Service, b.Transport)
	}
	for i := range b.Inside.Backends {
		if !b.Inside.Backends[i].Services(f) {
			return false
		}
	}
	return true
}

func (b Backend) equal(o Backend) bool {
	if b.Service != o.Service || b.Weight != o.Weight || b.Transport != o.Transport {
		return false
	}
	if b.Inside == o.Inside || b.Inside == nil || o.Inside == nil {
		return b.Inside == o.Inside
	}
	return slices.EqualFunc(b.Inside.Backends, o.Inside.Backends, Backend.equal) &&
		slices.Equal(b.Inside.Middlewares, o.Inside.Middlewares)
}

// Aside is what the service consists of that a middleware of a rule names.
type Aside struct {
	Middleware *model.Middleware
	Backends   []Backend
}

// equal reports whether r, which may be nil, leads where o leads, by the same way.
func (r *Rule) equal(o *Rule) bool {
	if r == nil || o == nil {
		return r == o
	}
	return r.Route == o.Route && r.Slot == o.Slot && r.Broken == o.Broken && r.Parent == o.Parent &&
		slices.EqualFunc(r.Backends, o.Backends, Backend.equal) && slices.Equal(r.Middlewares, o.Middlewares) &&
		slices.EqualFunc(r.Asides, o.Asides, func(a, b Aside) bool {
			return a.Middleware == b.Middleware && slices.EqualFunc(a.Backends, b.Backends, Backend.equal)
		})
}

// leadsWith reports whether r and o, which may be nil, lead to the same services in the same shares, and both of them
// or neither is broken; or neither is served.
func (r *Rule) leadsWith(o *Rule) bool {
	if r == nil || o == nil {
		return r == o
	}
	same := func(a, b Backend) bool {
		return a.Weight == b.Weight && (a.Service == b.Service || a.Service.Ref() == b.Service.Ref())
	}
	return r.Broken == o.Broken && r.Parent == o.Parent && slices.EqualFunc(r.Backends, o.Backends, same)
}
