package link

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// Offered returns the routes of a merged snapshot that are shown to followers, in the snapshot's order. Link entry
// points serve these and no others.
//
// A route is left out when it is not offered, when it leads nowhere, and (unless transit) when nothing of it runs in
// this instance: it was learned over a link, or all its services were. So two instances that follow each other do not
// hand each other's routes back.
func Offered(s *model.Snapshot, transit bool) []*model.Route {
	var weighted []*model.Service
	for _, svc := range s.Services {
		if len(svc.Backends) > 0 {
			weighted = append(weighted, svc)
		}
	}
	var out []*model.Route
	for _, r := range s.Routes {
		if !r.Export.Offered || r.ExportedAs().IsZero() {
			continue
		}
		if transit || r.Source.Kind() != model.LinkKind && runsHere(weighted, r.Backends, r.Source, nil) {
			out = append(out, r)
		}
	}
	return out
}

// runsHere reports whether a backend is anything but a service learned over a link. Weighted services are followed
// down; path holds those on the way, because a tenant may have made a circle.
func runsHere(weighted []*model.Service, backends []model.Backend, from model.Source, path []model.Ref) bool {
	for _, b := range backends {
		ref := resolve(b.Service, from)
		if ref.Source.Kind() == model.LinkKind {
			continue
		}
		svc := find(weighted, ref)
		if svc == nil {
			return true
		}
		if !slices.Contains(path, ref) && runsHere(weighted, svc.Backends, svc.Source, append(slices.Clip(path), ref)) {
			return true
		}
	}
	return false
}

// find returns the service that ref names, whose source may be a kind alone; or nil.
func find(services []*model.Service, ref model.Ref) *model.Service {
	i, _ := slices.BinarySearchFunc(services, ref, func(s *model.Service, r model.Ref) int { return s.Ref().Compare(r) })
	for _, s := range services[i:] {
		if s.Name != ref.Name {
			break
		}
		if s.Source == ref.Source || s.Source.Kind() == string(ref.Source) {
			return s
		}
	}
	return nil
}

// resolve returns ref with the source that it means when it names none.
func resolve(ref model.Ref, from model.Source) model.Ref {
	if ref.Source == "" {
		ref.Source = from
	}
	return ref
}

// shown is a route that followers see.
type shown struct {
	*model.Route
	alias string // its name on the wire, where it is not its own
}

func (s shown) wireName() string { return cmp.Or(s.alias, s.Name.String()) }

// show names the routes for the wire, where a name must be unique: of routes that have the same one in several
// sources or lanes, all but the first add their source and lane ("shop~docker-a", "shop~docker-a-tcp").
func show(routes []*model.Route) []shown {
	out := make([]shown, len(routes))
	for i, r := range routes {
		out[i].Route = r
		if i == 0 || routes[i-1].Name != r.Name {
			continue
		}
		alias := r.Name.String() + "~" + strings.ReplaceAll(string(r.Source), "/", "-")
		if r.Lane != model.LaneHTTP {
			alias += "-" + string(r.Lane)
		}
		for named(routes, model.ParseName(alias)) {
			alias += "~"
		}
		out[i].alias = alias
	}
	return out
}

func named(routes []*model.Route, name model.Name) bool {
	_, ok := slices.BinarySearchFunc(routes, name, func(r *model.Route, n model.Name) int { return r.Name.Compare(n) })
	return ok
}

// differ compares two lists, both in the order of references, by pointer. What changed its name is in both answers.
func differ(before, after []shown) (gone, fresh []shown) {
	for len(before) > 0 && len(after) > 0 {
		b, a := before[0], after[0]
		order := 0
		if b.Route != a.Route {
			order = b.Ref().Compare(a.Ref())
		}
		if order <= 0 {
			before = before[1:]
		}
		if order >= 0 {
			after = after[1:]
		}
		if order < 0 || order == 0 && b.alias != a.alias {
			gone = append(gone, b)
		}
		if order > 0 || order == 0 && b != a {
			fresh = append(fresh, a)
		}
	}
	return append(gone, before...), append(fresh, after...)
}

// leadsTo lists for each of the fleet-wide services what it stands for in this instance, sorted, each once; nil where
// no route leads to it.
func leadsTo(services map[model.Name]bool, routes []shown) map[model.Name][]model.Ref {
	out := make(map[model.Name][]model.Ref, len(services))
	if len(services) == 0 {
		return out
	}
	for _, r := range routes {
		name := r.ExportedAs()
		if !services[name] {
			continue
		}
		refs := out[name]
		if refs == nil {
			refs = []model.Ref{}
		}
		for _, b := range r.Backends {
			ref := resolve(b.Service, r.Source)
			if i, found := slices.BinarySearchFunc(refs, ref, model.Ref.Compare); !found {
				refs = slices.Insert(refs, i, ref)
			}
		}
		out[name] = refs
	}
	return out
}
