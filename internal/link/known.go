package link

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// batch is what a stream brings between two states that are whole.
type batch struct {
	reset    bool // what is not in routes or services is gone
	routes   map[string]json.RawMessage
	services map[string]*knownService // nil: gone
	size     int
	since    map[string]time.Time // claim times by route, from the cache
}

func newBatch(reset bool) *batch {
	return &batch{reset: reset, routes: map[string]json.RawMessage{}, services: map[string]*knownService{}}
}

// fits bounds what is held until the next synced. A whole state may go and another come: twice the limits.
func (b *batch) fits() error {
	if b.size > 2*maxState || len(b.routes)+len(b.services) > 2*maxObjects {
		return errTooMuch
	}
	return nil
}

// known is everything that a follower knows of its cluster. It is changed by whole batches only.
type known struct {
	cluster   string
	source    model.Source
	grant     Grant
	endpoints []model.Endpoint
	policy    func(service model.Name) (model.Balance, *model.Sticky)

	routes   map[string]*knownRoute   // by wire name
	services map[string]*knownService // by fleet-wide name
	size     int                      // bytes of the routes
	claims   map[string]*claim        // by canonical rule
	served   []*model.Route           // sorted
	leads    map[model.Ref]*lead      // the services that they lead to
	offered  []*model.Service         // the same, sorted
	faults   map[key][]model.Problem
}

// knownRoute is a route as the cluster sent it, and what was made of it.
type knownRoute struct {
	raw      json.RawMessage
	route    *model.Route // nil: not served, see problems
	rule     string       // canonical; "" when not served
	problems []model.Problem
}

// knownService is a service with its live capacity, or what is wrong with it.
type knownService struct {
	Service
	fault error // nil: none
}

// claim is a rule that routes of the cluster have, since when, and how many of them.
type claim struct {
	since  time.Time
	routes int
}

// lead is a service, and how many served routes lead to it.
type lead struct {
	service *model.Service
	routes  int
}

func newKnown(o FollowerOptions) *known {
	k := &known{
		cluster: o.Cluster, source: model.LinkSource(o.Cluster), grant: o.Grant,
		policy: o.Policy,
		routes: map[string]*knownRoute{}, services: map[string]*knownService{}, claims: map[string]*claim{},
		leads: map[model.Ref]*lead{}, faults: map[key][]model.Problem{},
	}
	for _, addr := range slices.Compact(slices.Sorted(slices.Values(o.Addresses))) {
		k.endpoints = append(k.endpoints, model.Endpoint{Addr: addr, Cluster: o.Cluster, Weight: 1, Gateway: true})
	}
	return k
}

// part returns what the policy for a service says of this cluster.
func (k *known) part(service model.Ref) (b model.Balance, s *model.Sticky) {
	if k.policy != nil {
		b, s = k.policy(service.Name)
	}
	if service.Lane != model.LaneHTTP {
		s = nil // there are no cookies
	}
	b.Shares = []model.Share{b.Share(k.cluster)}
	return b, s
}

var errTooMuch = fmt.Errorf("the cluster exports more than %d objects or %d MiB; the last known state is kept",
	maxObjects, maxState>>20)

// apply makes the batch part of what is known. When it fails, nothing has changed.
func (k *known) apply(b *batch, now time.Time) error {
	if b.reset {
		for name := range k.routes {
			if _, said := b.routes[name]; !said {
				b.routes[name] = nil
			}
		}
		for name := range k.services {
			if _, said := b.services[name]; !said {
				b.services[name] = nil
			}
		}
	}
	objects, size := k.after(b)
	if objects > maxObjects || size > maxState {
		return errTooMuch
	}
	k.size = size
	for name, s := range b.services {
		at := key{model.KindService, name}
		delete(k.services, name)
		delete(k.faults, at)
		if s != nil {
			k.services[name] = s
			if s.fault != nil {
				k.faults[at] = []model.Problem{k.problem(at.kind, name, "", model.InvalidField, s.fault.Error())}
			}
		}
	}
	k.applyRoutes(b, now)
	return nil
}

// after returns how much would be known after b.
func (k *known) after(b *batch) (objects, size int) {
	objects, size = len(k.routes)+len(k.services), k.size
	for name, raw := range b.routes {
		if old := k.routes[name]; old != nil {
			objects--
			size -= len(old.raw)
		}
		if raw != nil {
			objects++
			size += len(raw)
		}
	}
	for name, s := range b.services {
		if _, had := k.services[name]; had {
			objects--
		}
		if s != nil {
			objects++
		}
	}
	return objects, size
}

// applyRoutes makes new claims before it drops old ones, so that a rule that moves from one route to another (a
// rename) keeps its age, and a service its pointer.
func (k *known) applyRoutes(b *batch, now time.Time) {
	var dropped []*knownRoute
	var fresh []*model.Route
	var leads []*model.Service
	for _, name := range slices.Sorted(maps.Keys(b.routes)) {
		raw, old := b.routes[name], k.routes[name]
		if old != nil && bytes.Equal(old.raw, raw) {
			continue
		}
		if old != nil {
			dropped = append(dropped, old)
			delete(k.routes, name)
			delete(k.faults, key{model.KindRoute, name})
		}
		if raw == nil {
			continue
		}
		next := k.judge(name, raw)
		k.routes[name] = next
		if len(next.problems) > 0 {
			k.faults[key{model.KindRoute, name}] = next.problems
		}
		if next.route == nil {
			continue
		}
		since := now
		if t, saved := b.since[name]; saved {
			since = t
		}
		if svc := k.claim(next, since); svc != nil {
			leads = append(leads, svc)
		}
		if old != nil && old.route != nil && reflect.DeepEqual(old.route, next.route) {
			next.route = old.route
		}
		fresh = append(fresh, next.route)
	}
	goneRoutes, goneLeads := map[*model.Route]bool{}, map[*model.Service]bool{}
	for _, old := range dropped {
		goneRoutes[old.route] = true
		if svc := k.withdraw(old); svc != nil {
			goneLeads[svc] = true
		}
	}
	k.served = merge(k.served, goneRoutes, fresh)
	k.offered = merge(k.offered, goneLeads, leads)
}

// claim records that the cluster has the rule of a new route, which gets the age of the claim. It returns the service
// that the route leads to, if it is the first to do so.
func (k *known) claim(r *knownRoute, now time.Time) *model.Service {
	c := k.claims[r.rule]
	if c == nil {
		c = &claim{since: now.UTC().Round(0)}
		k.claims[r.rule] = c
	}
	c.routes++
	r.route.Since = c.since
	ref := r.route.Backends[0].Service
	if l := k.leads[ref]; l != nil {
		l.routes++
		return nil
	}
	svc := &model.Service{
		Name: ref.Name, Source: k.source, Lane: ref.Lane, Protocol: model.Protocol(ref.Lane), Endpoints: k.endpoints,
	}
	svc.Balance, svc.Sticky = k.part(ref)
	k.leads[ref] = &lead{svc, 1}
	return svc
}

// withdraw undoes claim. It returns the service, if the route was the last to lead to it.
func (k *known) withdraw(r *knownRoute) *model.Service {
	if r.route == nil {
		return nil
	}
	c := k.claims[r.rule]
	if c.routes--; c.routes == 0 {
		delete(k.claims, r.rule)
	}
	ref := r.route.Backends[0].Service
	l := k.leads[ref]
	if l.routes--; l.routes > 0 {
		return nil
	}
	delete(k.leads, ref)
	return l.service
}

// merge returns a sorted list without what is gone and with what is fresh. The list itself is published, and stays.
func merge[T interface {
	comparable
	Ref() model.Ref
}](kept []T, gone map[T]bool, fresh []T) []T {
	if len(gone)+len(fresh) == 0 {
		return kept
	}
	byRef := func(a, b T) int { return a.Ref().Compare(b.Ref()) }
	slices.SortFunc(fresh, byRef)
	out := make([]T, 0, len(kept)+len(fresh))
	for _, o := range kept {
		if gone[o] {
			continue
		}
		for len(fresh) > 0 && byRef(fresh[0], o) < 0 {
			out, fresh = append(out, fresh[0]), fresh[1:]
		}
		out = append(out, o)
	}
	return append(out, fresh...)
}

// judge decides what becomes of a route: served, served in part, or a problem.
func (k *known) judge(name string, raw json.RawMessage) *knownRoute {
	out := &knownRoute{raw: raw}
	r, err := decodeRoute(raw)
	problem := func(field string, code model.Code, text string) {
		p := k.problem(model.KindRoute, name, field, code, text)
		if slices.Contains(model.Lanes(), r.Lane) {
			p.Object.Lane = r.Lane
		}
		out.problems = append(out.problems, p)
	}
	if err == nil {
		err = k.grant.Allows(r)
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		problem(f.field, f.code, f.text)
		return out
	case err != nil:
		problem("", model.NotGranted, err.Error())
		return out
	}
	on := k.grant.entryPoints(r)
	if len(r.EntryPoints) > len(on) && len(on) > 0 {
		problem("entryPoints", model.NotGranted, fmt.Sprintf(
			"served on %s only: the others of its entry points %s are not granted", listed(on), listed(r.EntryPoints)))
	}
	out.route = &model.Route{
		Name: model.ParseName(r.Name), Source: k.source, Lane: r.Lane, EntryPoints: on,
		Match: k.grant.narrow(r.Match), Priority: r.Priority, TLS: r.TLS, Passthrough: r.Passthrough,
		Backends: []model.Backend{{
			Service: model.Ref{Name: model.ParseName(r.Service), Source: model.LinkKind, Lane: r.Lane}, Weight: 1,
		}},
	}
	if r.Lane == model.LaneUDP {
		out.route.Match = model.Match{}
	}
	if t := r.Timeouts; t != nil {
		out.route.Timeouts = model.Timeouts{
			Header: time.Duration(t.HeaderMs) * time.Millisecond, Total: time.Duration(t.TotalMs) * time.Millisecond,
		}
	}
	out.rule = string(r.Lane) + " " + out.route.Match.String()
	return out
}

func (k *known) problem(kind, name, field string, code model.Code, text string) model.Problem {
	ref := model.Ref{Name: model.ParseName(printable(name, maxName)), Source: k.source}
	return model.Problem{
		Object: model.Object{Kind: kind, Ref: ref}, Field: field, Code: code, Message: printable(text, maxReportMsg),
	}
}

// snapshot returns what the follower publishes: the routes within the grant, and the services that they lead to. The
// lists are copies, because who gets a snapshot may replace objects by their equals.
func (k *known) snapshot() model.Snapshot {
	return model.Snapshot{
		Source: k.source, Services: slices.Clone(k.offered), Routes: slices.Clone(k.served), Problems: k.problems(),
	}
}

// problems returns what is wrong with the cluster's objects, sorted.
func (k *known) problems() []model.Problem {
	var out []model.Problem
	for _, problems := range k.faults {
		out = append(out, problems...)
	}
	slices.SortFunc(out, model.Problem.Compare)
	return out
}

// measured takes live capacity. Services that are not known are none of the state yet.
func (k *known) measured(capacity []Service) {
	for _, s := range capacity {
		if old := k.services[s.Name]; old != nil && s.check() == nil {
			old.Service = s
		}
	}
}

// counts sums up for the state: routes served, routes not served, and the capacity of all services.
func (k *known) counts() (served, refused int, total Service) {
	for _, s := range k.services {
		total.Ready += s.Ready
		total.Total += s.Total
	}
	return len(k.served), len(k.routes) - len(k.served), total
}
