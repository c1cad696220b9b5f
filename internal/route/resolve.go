package route

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// maxReferences bounds how many references to middlewares one route may follow, and how many to services: chains and
// weighted services that name each other can stand for a number that grows without bound, and anybody may write them.
const maxReferences = 1000

// resolver finds what routes refer to, in one snapshot.
type resolver struct {
	snapshot *model.Snapshot
	seed     maphash.Seed
	order    map[model.Source]int32
	nests    map[model.Name]*nest // of the table that is built
	// Where the first object of a name is, by the name's hash. Nil: to be searched for.
	serviceAt, middlewareAt, transportAt map[uint32]int32

	piles *piles
	work  resolution // reused
}

func newResolver(s *model.Snapshot, seed maphash.Seed) *resolver {
	r := &resolver{snapshot: s, seed: seed, order: make(map[model.Source]int32, len(s.Order))}
	for i, source := range slices.Backward(s.Order) { // named twice: the first counts
		r.order[source] = int32(i)
	}
	return r
}

// precedence is a source's place in the order of sources; all that are not named come after, as equals.
func (r *resolver) precedence(source model.Source) int32 {
	if place, ok := r.order[source]; ok {
		return place
	}
	return math.MaxInt32
}

// hash is how postings know a name.
func (r *resolver) hash(name model.Name) uint32 { return uint32(maphash.Comparable(r.seed, name)) }

// expect prepares for n routes to be resolved: for many, it pays to know where names are.
func (r *resolver) expect(n int) {
	r.serviceAt = placesOf(r, r.snapshot.Services, n)
	r.middlewareAt = placesOf(r, r.snapshot.Middlewares, n)
	r.transportAt = placesOf(r, r.snapshot.Transports, n)
}

func placesOf[T object](r *resolver, list []T, n int) map[uint32]int32 {
	if n <= len(list)/16 {
		return nil
	}
	at := make(map[uint32]int32, len(list))
	for i, o := range slices.Backward(list) {
		at[r.hash(o.Ref().Name)] = int32(i)
	}
	return at
}

// lookup finds what ref means in an object of the source from: see [model.Ref]. Places may say where to look; hash is
// that of the name.
func lookup[T object](r *resolver, list []T, places map[uint32]int32, hash uint32, ref model.Ref, from model.Source) (
	found T, ok bool,
) {
	source := ref.Source
	if source == "" {
		source = from
	}
	best := int32(0)
	for _, o := range list[firstOf(list, places, hash, ref.Name):] {
		own := o.Ref()
		if own.Name != ref.Name {
			break
		}
		if own.Lane != ref.Lane {
			continue
		}
		if own.Source == source {
			return o, true
		}
		if own.Source.Kind() != string(ref.Source) {
			continue
		}
		if place := r.precedence(own.Source); !ok || place < best {
			found, ok, best = o, true, place
		}
	}
	return found, ok
}

// namesakes says which objects of other sources have the name that ref gives, for who forgot the source.
func namesakes[T object](r *resolver, list []T, places map[uint32]int32, hash uint32, ref model.Ref) string {
	var names []string
	for _, o := range list[firstOf(list, places, hash, ref.Name):] {
		switch own := o.Ref(); {
		case own.Name != ref.Name || len(names) == 5:
			return among(names)
		case own.Lane == ref.Lane:
			names = append(names, own.String())
		}
	}
	return among(names)
}

func among(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", but " + strings.Join(names, ", ")
}

// firstOf returns where the first object of a name is, or would be.
func firstOf[T object](list []T, places map[uint32]int32, hash uint32, name model.Name) int {
	if i, ok := places[hash]; ok && list[i].Ref().Name == name {
		return int(i)
	}
	return sort.Search(len(list), func(i int) bool { return list[i].Ref().Name.Compare(name) >= 0 })
}

// resolution is one route whose references are being followed.
type resolution struct {
	*resolver
	route    *model.Route
	problems []model.Problem
	followed int            // references
	broken   bool           // see Rule.Broken
	nowhere  bool           // the services are of no use
	guarded  *model.Service // whose middlewares are being found; nil: they are the route's

	// What was found, in space that is used again for the next route.
	uses             []uint32
	foundServices    []Backend
	foundMiddlewares []*model.Middleware
	asides           []Aside // new for each route: few have any
}

// resolve follows the references of a route. The rule is nil where the route's own cannot be compiled.
func (r *resolver) resolve(c *candidate) (*entry, *Rule) {
	w := &r.work
	*w = resolution{
		resolver: r, route: c.route, broken: c.route.Broken,
		uses: w.uses[:0], foundServices: w.foundServices[:0], foundMiddlewares: w.foundMiddlewares[:0],
	}
	w.middlewares(c.route.Middlewares, c.route.Source, nil)
	w.followed = 0
	w.backends(c.route.Backends, c.route.Source, nil)
	if c.err != nil {
		w.report("rule", model.InvalidRule, "the rule cannot be compiled: %v; correct it; the route is not served", c.err)
	}
	parent := hasChildren(r.nests, c.route)
	if parent && len(c.route.Backends) > 0 {
		w.broken = true
		w.report("services", model.InvalidField,
			"other routes name this one as their parent, so it leads to these; take its service away"+unavailable)
	}
	if len(c.route.Backends) == 0 && !c.route.Broken && !parent { // whoever found it broken knows why
		w.report("services", model.UnknownService, "the route names no service; name one")
	}
	slices.Sort(w.uses)
	slices.SortFunc(w.problems, model.Problem.Compare)
	e := r.piles.entries.one(r.piles.size)
	e.candidate = c
	e.uses = r.piles.uses.keep(slices.Compact(w.uses), 2*r.piles.size)
	e.problems = slices.Compact(w.problems)
	rule := w.rule(c)
	if rule != nil {
		rule.Parent = parent
	}
	return e, rule
}

func (w *resolution) rule(c *candidate) *Rule {
	if c.err != nil {
		return nil
	}
	rule := w.piles.rules.one(w.piles.size)
	*rule = Rule{Route: c.route, Slot: int(c.slot), Broken: w.broken}
	if !w.broken {
		rule.Middlewares = w.piles.middlewares.keep(w.foundMiddlewares, w.piles.size)
		rule.Asides = w.asides
	}
	if !w.nowhere {
		rule.Backends = w.piles.backends.keep(w.foundServices, w.piles.size)
	}
	return rule
}

func (w *resolution) report(field string, code model.Code, format string, args ...any) {
	w.problems = append(w.problems, model.Problem{
		Object: model.Object{Kind: model.KindRoute, Ref: w.route.Ref()},
		Field:  field, Code: code, Message: fmt.Sprintf(format, args...),
	})
}

const (
	middlewaresField = "middlewares"
	unavailable      = "; the route's requests are answered 503"
)

// breakRoute is report for what may have been the route's guard.
func (w *resolution) breakRoute(code model.Code, format string, args ...any) {
	w.broken = true
	w.report(middlewaresField, code, format+unavailable, args...)
}

// follow counts a reference and returns the hash of its name; false: there are too many.
func (w *resolution) follow(name model.Name) (hash uint32, ok bool) {
	w.followed++
	if w.followed > maxReferences {
		return 0, false
	}
	hash = w.hash(name)
	w.uses = append(w.uses, hash)
	return hash, true
}

// middlewares finds what refs, which stand in an object of the source from, consist of. Trail are the chains that led
// here.
func (w *resolution) middlewares(refs []model.Ref, from model.Source, trail []*model.Middleware) {
	for _, ref := range refs {
		hash, ok := w.follow(ref.Name)
		if !ok {
			w.breakRoute(model.LimitExceeded, "more than %d references; use fewer chains", maxReferences)
			return
		}
		m, ok := lookup(w.resolver, w.snapshot.Middlewares, w.middlewareAt, hash, ref, from)
		switch {
		case !ok:
			names := namedBy(trail)
			if names == "" && w.guarded != nil {
				names = fmt.Sprintf(", which the service %s names", w.guarded.Ref())
			}
			names += namesakes(w.resolver, w.snapshot.Middlewares, w.middlewareAt, hash, ref)
			w.breakRoute(model.UnknownMiddleware, "there is no middleware %s%s; define it, or take it away", ref, names)
		case m.Chain == nil:
			w.foundMiddlewares = append(w.foundMiddlewares, m)
			if m.Errors != nil && m.Errors.Service != (model.Ref{}) {
				w.aside(m, m.Errors.Service)
			}
		case slices.Contains(trail, m):
			w.breakRoute(model.Cycle, "chains lead in a circle, %s; break it", circle(trail, m))
		default:
			w.middlewares(m.Chain.Middlewares, m.Source, append(trail, m))
		}
	}
}

// aside finds what a service consists of that a middleware names. Where there is none, the middleware does without.
func (w *resolution) aside(m *model.Middleware, service model.Ref) {
	of := resolution{resolver: w.resolver, route: w.route, uses: w.uses, followed: w.followed, problems: w.problems}
	of.backends([]model.Backend{{Service: service, Weight: 1}}, m.Source, nil)
	w.uses, w.followed, w.problems, w.broken = of.uses, of.followed, of.problems, w.broken || of.broken
	w.asides = append(w.asides, of.asides...)
	if !of.nowhere && len(of.foundServices) > 0 {
		w.asides = append(w.asides, Aside{m, of.foundServices})
	}
}

// backends finds what refs, which stand in an object of the source from, consist of, and gives each its share in the
// whole of them. Trail are the weighted services that led here.
func (w *resolution) backends(refs []model.Backend, from model.Source, trail []*model.Service) {
	var room [4]part
	parts := room[:0]
	start := len(w.foundServices)
	for _, ref := range refs {
		before := len(w.foundServices)
		w.backend(ref.Service, from, trail)
		parts = append(parts, part{max(ref.Weight, 0), len(w.foundServices) - before})
	}
	join(w.foundServices[start:], parts)
}

// backend finds what one service consists of, and gives each its share in it.
func (w *resolution) backend(ref model.Ref, from model.Source, trail []*model.Service) {
	svc := w.service(ref, from, trail)
	if svc == nil {
		return
	}
	if !svc.IsPlain() {
		if b, ok := w.composite(svc, trail); ok {
			w.foundServices = append(w.foundServices, b)
		}
		return
	}
	start := len(w.foundServices)
	w.backends(svc.Backends, svc.Source, append(trail, svc))
	reduce(w.foundServices[start:])
}

// service finds what ref means in an object of the source from; nil: nothing that could be used.
func (w *resolution) service(ref model.Ref, from model.Source, trail []*model.Service) *model.Service {
	const field = "services"
	hash, ok := w.follow(ref.Name)
	if !ok {
		w.nowhere = true
		w.report(field, model.LimitExceeded, "more than %d references; use fewer services that name others", maxReferences)
		return nil
	}
	svc, ok := lookup(w.resolver, w.snapshot.Services, w.serviceAt, hash, ref, from)
	switch {
	case !ok:
		w.report(field, model.UnknownService, "there is no service %s%s%s; define it, or take it away", ref, namedBy(trail),
			namesakes(w.resolver, w.snapshot.Services, w.serviceAt, hash, ref))
		return nil
	case slices.Contains(trail, svc):
		w.nowhere = true
		w.report(field, model.Cycle, "services lead in a circle, %s; break it", circle(trail, svc))
		return nil
	}
	return svc
}

// composite finds what a service consists of that is more than a choice by weight; false: of nothing that could be
// used. One that is no more than its endpoints consists of itself.
func (w *resolution) composite(svc *model.Service, trail []*model.Service) (Backend, bool) {
	transport, ok := w.transport(svc)
	if !ok {
		return Backend{}, false
	}
	if len(svc.Backends) == 0 && len(svc.Middlewares) == 0 {
		return Backend{Service: svc, Weight: 1, Transport: transport}, true
	}
	lost := false
	trail = append(slices.Clip(trail), svc)
	inside := &Inside{Middlewares: w.guards(svc)}
	for i, ref := range svc.Backends {
		part, ok := Backend{}, false
		if child := w.service(ref.Service, svc.Source, trail); child != nil {
			part, ok = w.composite(child, trail)
		}
		if part.Weight = max(ref.Weight, 0); ok {
			inside.Backends = append(inside.Backends, part)
		}
		lost = lost || !ok && i == 0 && svc.Use == model.Mirror // the others are not there to answer
	}
	lost = lost || len(svc.Backends) > 0 && len(inside.Backends) == 0
	return Backend{Service: svc, Weight: 1, Transport: transport, Inside: inside}, !lost
}

// transport finds how a service's endpoints are reached; false: in a way that is not there.
func (w *resolution) transport(svc *model.Service) (*model.Transport, bool) {
	ref := svc.Transport
	if ref == (model.Ref{}) {
		return nil, true
	}
	hash := w.hash(ref.Name)
	w.uses = append(w.uses, hash)
	t, ok := lookup(w.resolver, w.snapshot.Transports, w.transportAt, hash, ref, svc.Source)
	if !ok {
		w.problems = append(w.problems, model.Problem{
			Object: model.Object{Kind: model.KindService, Ref: svc.Ref()},
			Field:  "loadBalancer.serversTransport", Code: model.UnknownTransport,
			Message: fmt.Sprintf("there is no serversTransport %s%s; define it, or name another; the service is not served", ref,
				namesakes(w.resolver, w.snapshot.Transports, w.transportAt, hash, ref)),
		})
	}
	return t, ok
}

// guards finds the middlewares of a service.
func (w *resolution) guards(svc *model.Service) []*model.Middleware {
	found := w.foundMiddlewares
	w.foundMiddlewares, w.guarded = nil, svc
	w.middlewares(svc.Middlewares, svc.Source, nil)
	found, w.foundMiddlewares, w.guarded = w.foundMiddlewares, found, nil
	return found
}

func namedBy[T object](trail []T) string {
	if len(trail) == 0 {
		return ""
	}
	return fmt.Sprintf(", which %s names", trail[len(trail)-1].Ref())
}

// circle names the objects on the way from last, which the trail has come by before, back to it.
func circle[T object](trail []T, last T) string {
	var b strings.Builder
	for _, o := range trail[slices.Index(trail, last):] {
		b.WriteString(o.Ref().String() + " → ")
	}
	return b.String() + last.Ref().String()
}
