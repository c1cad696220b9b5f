package proxy

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

// composer makes the backends of one action.
type composer struct {
	*builder
	rule   *route.Rule
	action *action
}

// way is what led to a backend.
type way struct {
	exits []exit
	marks []mark
}

func (c *composer) forwarder(backends []route.Backend, from way) *forwarder {
	b := c.builder
	f := &forwarder{timeouts: c.rule.Route.Timeouts, dialer: b.dialer, copier: b.copier, tunnels: b.tunnels}
	f.backends, f.weights = c.backends(backends, from)
	for i := range f.backends {
		f.keeps = max(f.keeps, f.backends[i].keeps())
	}
	return f
}

func (c *composer) backends(list []route.Backend, from way) (made []backend, sum int) {
	made = make([]backend, len(list)) // exits point into it
	for i, to := range list {
		c.backend(&made[i], to, from)
		sum += to.Weight
	}
	return made, sum
}

// backend makes what serves a service, in its place.
func (c *composer) backend(made *backend, to route.Backend, from way) {
	*made = backend{
		name: to.Service.Name.String(), reached: reached{to.Service, to.Transport}, weight: to.Weight,
		exits: from.exits, marks: from.marks, cookie: newCookie(to.Service.Sticky),
	}
	switch {
	case to.Inside == nil:
		c.leaf(made)
	case len(to.Inside.Middlewares) > 0 || to.Service.Use == model.Mirror:
		c.detour(made, to)
	case to.Service.Use == model.Failover:
		c.tiers(made, to.Inside.Backends, from)
	default:
		c.parts(made, to.Inside.Backends, from)
	}
}

// leaf completes the backend of a service with endpoints.
func (c *composer) leaf(made *backend) {
	p := c.use(made.reached)
	c.action.pools = append(c.action.pools, made.reached)
	made.pool, made.transport = p.pool, p.transport.transport
	if lost, ok := made.transport.(lostTransport); ok {
		c.action.problems = append(c.action.problems, made.cannot(lost.err, "requests to the service are answered 502"))
	}
	for _, e := range made.service.Endpoints {
		if e.Path != "" {
			if made.paths == nil {
				made.paths = make(map[string]string)
			}
			made.paths[e.Addr] = e.Path
		}
	}
}

// parts completes the backend of a service that chooses among others.
func (c *composer) parts(made *backend, list []route.Backend, from way) {
	made.parts = make([]backend, len(list))
	for i, to := range list {
		through := from
		if made.cookie != nil {
			m := mark{made.cookie, markText(upstream.MarkOf(to.Service.Name.String()))}
			through.marks = append(slices.Clip(from.marks), m)
		}
		if next := nextWeighted(list, i); made.service.Aware && next != i {
			through.exits = append([]exit{{to: &made.parts[next]}}, from.exits...)
		}
		c.backend(&made.parts[i], to, through)
		made.sum += to.Weight
	}
}

// nextWeighted returns the next part, in a circle, that gets requests.
func nextWeighted(list []route.Backend, i int) int {
	for k := range list {
		if next := (i + 1 + k) % len(list); list[next].Weight > 0 {
			return next
		}
	}
	return i
}

// tiers completes the backend of a service that fails over: each part has the next as its first exit.
func (c *composer) tiers(made *backend, list []route.Backend, from way) {
	made.parts = make([]backend, len(list))
	for i, to := range list {
		through := from
		to.Weight = 1
		if i+1 < len(list) {
			through.exits = append([]exit{{&made.parts[i+1], made.service.FailOn}}, from.exits...)
		}
		c.backend(&made.parts[i], to, through)
	}
}

// detour completes the backend of a service whose requests go through more than the choice of a host. What is behind
// has no exits: another service must not see what was made of a request for this one.
func (c *composer) detour(made *backend, to route.Backend) {
	bare := to
	bare.Weight = 1
	bare.Inside = &route.Inside{Backends: to.Inside.Backends}
	if len(to.Inside.Backends) == 0 {
		bare.Inside = nil
	}
	behind := way{marks: made.marks}
	if to.Service.Use != model.Mirror {
		made.within = c.forwarder([]route.Backend{bare}, behind)
		made.handler = c.guard(made.within, to.Inside.Middlewares, made.within)
		made.cookie = nil // it is that of what is behind
		return
	}
	first := to.Inside.Backends[0]
	first.Weight = 1
	m := &mirror{main: c.forwarder([]route.Backend{first}, behind), copies: c.copies}
	m.spec = *cmp.Or(to.Service.Mirrored, &model.Mirrored{MaxBodyBytes: replayable})
	for _, other := range to.Inside.Backends[1:] {
		percent := uint64(min(100, other.Weight)) //nolint:gosec // not negative
		other.Weight = 1
		f := c.forwarder([]route.Backend{other}, way{})
		f.aside = true
		m.others = append(m.others, mirrored{f, percent})
	}
	made.within, made.mirror = m.main, m
	made.handler = c.guard(m, to.Inside.Middlewares, m.main)
}

// guard puts middlewares around what serves their requests; retry is the business of the forwarder. Where one cannot be
// made, every request is refused: without it, the route might be open to all.
func (c *composer) guard(handler http.Handler, list []*model.Middleware, f *forwarder) http.Handler {
	for _, m := range slices.Backward(list) {
		if m.Retry != nil {
			f.retry = *m.Retry
			if m.Retry.MaxBodyBytes == 0 {
				continue // there is nothing else to it
			}
		}
		wrap, err := c.middlewares.Build(m, middleware.Use{
			Route: c.rule.Route.Ref(), Service: c.aside(m), Detach: c.copies.exchanges.detach,
		})
		if err != nil {
			c.action.problems = append(c.action.problems, broken(m, err))
			return refuseAll(reasonBadMiddleware)
		}
		handler = c.stepOf(m, wrap(handler))
	}
	return handler
}

// aside returns what sends requests to the service that a middleware of the rule names; nil where it names none.
func (c *composer) aside(m *model.Middleware) http.Handler {
	for _, aside := range c.rule.Asides {
		if aside.Middleware == m {
			f := c.forwarder(aside.Backends, way{})
			f.aside = true
			return f
		}
	}
	return nil
}

// keeps returns the size of the largest body that is to be kept for those that fail over.
func (b *backend) keeps() (size int64) {
	if b.service.FailOn != nil {
		size = b.service.FailOn.MaxBodyBytes
	}
	for i := range b.parts {
		size = max(size, b.parts[i].keeps())
	}
	return size
}
