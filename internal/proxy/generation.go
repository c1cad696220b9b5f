package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/breath"
	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

const (
	endpointDialTimeout = 3 * time.Second
	gatewayDialTimeout  = time.Second // short: another cluster may have the service
)

// generation is one version of the data plane. It is immutable.
type generation struct {
	snapshot *model.Snapshot
	whole    bool // every source has said what it has
	table    *route.Table
	actions  []*action            // by the rules' slots; nil: a free slot
	streams  map[string]streamsOn // by entry point
	terms    *terms
	// behind returns, for each service that an exported route names, the backends that its requests go to.
	behind func() map[model.Ref][]backend
}

// newGeneration returns a generation. What only the link asks for is made when it first does.
func newGeneration(
	s *model.Snapshot, whole bool, table *route.Table, actions []*action, streams map[string]streamsOn, terms *terms,
) *generation {
	return &generation{s, whole, table, actions, streams, terms, sync.OnceValue(func() map[model.Ref][]backend {
		behind := make(map[model.Ref][]backend)
		for slot, rule := range table.Rules() {
			if rule == nil || rule.Broken || !rule.Route.Export.Offered || len(rule.Route.Backends) != 1 {
				continue
			}
			service := rule.Route.Backends[0].Service
			service.Source = cmp.Or(service.Source, rule.Route.Source)
			behind[service] = actions[slot].backends
		}
		return behind
	})}
}

// action is what is done with a rule's requests: its middlewares, and the forwarder behind them.
type action struct {
	route    string // for the log and the metrics
	observed model.Observability
	handler  http.Handler
	relay    *forwarder    // what serves its requests at the raw depth; nil: none of them
	stream   *streamAction // of streams
	backends []backend
	pools    []reached // that it uses, as often as it does
	problems []model.Problem
}

// builder makes each generation from the one before; what did not change is taken over. It belongs to one goroutine.
type builder struct {
	entryPoints []EntryPoint
	hosts       *upstream.Hosts
	middlewares *middleware.Set
	dialer      *dialer
	transports  *transports
	copier      *copier
	tunnels     *tunnels
	copies      *copies
	traced      bool

	last  *generation
	pools map[reached]*pooled
	// The rules of routes of the lane of TCP, and of those that say something of TLS: they are few, and to look at all
	// rules for them would take longer than most changes.
	streams, secured slots
}

// slots are those of some of a table's rules.
type slots map[int]bool

func (s slots) note(slot int, in bool) {
	if delete(s, slot); in {
		s[slot] = true
	}
}

// of returns the rules, in the order of their slots.
func (s slots) of(rules []*route.Rule) []*route.Rule {
	some := make([]*route.Rule, 0, len(s))
	for _, slot := range slices.Sorted(maps.Keys(s)) {
		some = append(some, rules[slot])
	}
	return some
}

// pooled is the pool of a service so reached, and how many actions of the newest generation use it.
type pooled struct {
	pool      *upstream.Pool
	transport *sharedTransport
	uses      int
}

func newBuilder(o Options, tunnels *tunnels, copies *copies) *builder {
	b := &builder{
		entryPoints: o.EntryPoints,
		hosts:       o.Hosts, middlewares: o.Middlewares, dialer: &dialer{openGateways(o.Gateways, o.Poison)},
		transports: &transports{poison: o.Poison, workload: o.Workload}, copier: newCopier(),
		tunnels: tunnels, copies: copies, traced: o.Traces != nil,
		last:  newGeneration(new(model.Snapshot), false, route.Compile(new(model.Snapshot)), nil, nil, nil),
		pools: make(map[reached]*pooled), streams: make(slots), secured: make(slots),
	}
	return b
}

// next makes the generation of a snapshot.
func (b *builder) next(s *model.Snapshot, whole bool) *generation {
	before := b.last.table.Rules()
	b.breathe()
	table := route.Recompile(b.last.table, s)
	b.breathe()
	rules := table.Rules()
	actions := make([]*action, len(rules))
	copy(actions, b.last.actions)
	var replaced []*action
	for slot := range max(len(before), len(rules)) {
		was, is := at(before, slot), at(rules, slot)
		if was == is {
			continue
		}
		b.streams.note(slot, is != nil && is.Route.Lane == model.LaneTCP)
		b.secured.note(slot, is != nil && hasTerms(is.Route))
		if was != nil {
			replaced = append(replaced, b.last.actions[slot])
		}
		if slot < len(actions) {
			actions[slot] = nil
			if is != nil {
				actions[slot] = b.action(is)
			}
		}
	}
	for _, a := range replaced { // after the new ones: a pool that both use lives on
		b.release(a)
	}
	b.middlewares.Keep(s.Middlewares, s.Routes)
	streams := findStreams(b.streams.of(rules), b.entryPoints)
	b.last = newGeneration(s, whole, table, actions, streams, b.newTerms(s, rules))
	return b.last
}

// breathe keeps nobody waiting before there is anything to be served.
func (b *builder) breathe() {
	if b.last.whole {
		breath.Take()
	}
}

func at(rules []*route.Rule, slot int) *route.Rule {
	if slot < len(rules) {
		return rules[slot]
	}
	return nil
}

// action makes what serves a rule.
func (b *builder) action(rule *route.Rule) *action {
	a := &action{
		route: rule.Route.Ref().String(), observed: rule.Route.Observability, problems: b.check(rule),
	}
	if rule.Route.Lane != model.LaneHTTP {
		b.streamAction(rule, a)
		return a
	}
	c := &composer{b, rule, a}
	f := c.forwarder(rule.Backends, way{})
	a.handler, a.backends = f, f.backends
	if rule.Broken {
		a.handler = refuseAll(reasonBadMiddleware)
		return a
	}
	if rule.Parent {
		a.handler = c.guard(&descent{rule, f}, rule.Middlewares, f)
		return a
	}
	a.handler = c.guard(f, rule.Middlewares, f)
	if a.handler == http.Handler(f) && f.plain() {
		a.relay = f
	}
	return a
}

// broken says that a middleware cannot be made.
func broken(m *model.Middleware, err error) model.Problem {
	var field string
	if f, ok := errors.AsType[*middleware.FieldError](err); ok {
		field = f.Field
	}
	return model.Problem{
		Object:  model.Object{Kind: model.KindMiddleware, Ref: m.Ref()},
		Field:   field,
		Code:    model.InvalidField,
		Message: fmt.Sprintf("%v; the routes that use it answer 503 until it is mended", err),
	}
}

// refuseAll answers every request with 503.
func refuseAll(reason string) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		exchangeOf(r).refuse(http.StatusServiceUnavailable, reason)
	})
}

// check reports the entry points that a route names and that do not exist, or are not for such routes.
func (b *builder) check(rule *route.Rule) (problems []model.Problem) {
	udp := rule.Route.Lane == model.LaneUDP
	var fit []string
	for i := range b.entryPoints {
		if b.entryPoints[i].UDP == udp {
			fit = append(fit, b.entryPoints[i].Name)
		}
	}
	for _, name := range rule.Route.EntryPoints {
		if !slices.Contains(fit, name) {
			problems = append(problems, model.Problem{
				Object:  model.Object{Kind: model.KindRoute, Ref: rule.Route.Ref()},
				Field:   "entryPoints",
				Code:    model.UnknownEntryPoint,
				Message: fmt.Sprintf("entry point %q does not exist here%s; there are: %v", name, forUDP(udp), fit),
			})
		}
	}
	return problems
}

func forUDP(udp bool) string {
	if udp {
		return " for UDP"
	}
	return ""
}

// use returns the pool of a service, which one more action uses.
func (b *builder) use(s reached) *pooled {
	p, ok := b.pools[s]
	if !ok {
		p = &pooled{pool: b.hosts.Pool(s.service, s.by), transport: b.transports.use(s)}
		b.pools[s] = p
	}
	p.uses++
	return p
}

// release gives back the pools of an action that is no longer in the newest generation. Requests that still run in an
// older one keep what they hold.
func (b *builder) release(a *action) {
	for _, used := range a.pools {
		p := b.pools[used]
		if p.uses--; p.uses == 0 {
			delete(b.pools, used)
			p.pool.Close()
			b.transports.release(p.transport)
		}
	}
}

// closeIdle closes the connections that no request uses.
func (b *builder) closeIdle() {
	b.dialer.closeIdle()
	b.transports.closeIdle()
}
