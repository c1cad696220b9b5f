package catalog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// Merge makes one snapshot of the latest snapshots of all sources. It is pure and total; its result depends on what is
// in from and on order (the precedence of the sources, carried along for route.Compile), not on the order of arrival.
func Merge(order []model.Source, from map[model.Source]model.Snapshot) *model.Snapshot {
	merged := &model.Snapshot{Order: slices.Clone(order)}
	fleet := make(map[model.Ref][]*model.Service) // by name and lane
	for _, source := range slices.Sorted(maps.Keys(from)) {
		s := from[source]
		merged.Routes = append(merged.Routes, s.Routes...)
		merged.Middlewares = append(merged.Middlewares, s.Middlewares...)
		merged.Transports = append(merged.Transports, s.Transports...)
		merged.Certificates = append(merged.Certificates, s.Certificates...)
		merged.TLSOptions = append(merged.TLSOptions, s.TLSOptions...)
		if source.Kind() != model.LinkKind {
			merged.Services = append(merged.Services, s.Services...)
			continue
		}
		for _, service := range s.Services {
			ref := model.Ref{Name: service.Name, Lane: service.Lane}
			fleet[ref] = append(fleet[ref], service)
		}
	}
	for _, parts := range fleet {
		merged.Services = append(merged.Services, pool(parts))
	}
	sortRefs(merged.Services)
	sortRefs(merged.Routes)
	sortRefs(merged.Middlewares)
	sortRefs(merged.Transports)
	sortRefs(merged.Certificates)
	sortRefs(merged.TLSOptions)
	merged.Problems = problems(from)
	return merged
}

// problems returns those of all sources, sorted.
func problems(from map[model.Source]model.Snapshot) []model.Problem {
	var all []model.Problem
	for _, source := range slices.Sorted(maps.Keys(from)) {
		all = append(all, from[source].Problems...)
	}
	slices.SortStableFunc(all, model.Problem.Compare)
	return all
}

// pool makes one fleet service of what each cluster that exports it says; parts is not empty and sorted by source.
//
// Each cluster brings its endpoints and its share. What can be said only once (protocol, picker, spill, stickiness) is
// taken from the first that says it.
func pool(parts []*model.Service) *model.Service {
	first := *parts[0]
	pooled := &first
	pooled.Source = model.LinkKind
	pooled.Endpoints, pooled.Balance.Shares = nil, nil
	for _, part := range parts {
		pooled.Endpoints = append(pooled.Endpoints, part.Endpoints...)
		pooled.Balance.Shares = append(pooled.Balance.Shares, part.Balance.Shares...)
		pooled.Protocol = cmp.Or(pooled.Protocol, part.Protocol)
		pooled.Sticky = cmp.Or(pooled.Sticky, part.Sticky)
		pooled.Balance.Picker = cmp.Or(pooled.Balance.Picker, part.Balance.Picker)
		pooled.Balance.Spill = cmp.Or(pooled.Balance.Spill, part.Balance.Spill)
	}
	slices.SortStableFunc(pooled.Endpoints, func(a, b model.Endpoint) int { return cmp.Compare(a.Addr, b.Addr) })
	pooled.Endpoints = slices.CompactFunc(pooled.Endpoints, func(a, b model.Endpoint) bool { return a.Addr == b.Addr })
	slices.SortStableFunc(pooled.Balance.Shares, func(a, b model.Share) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return pooled
}

type object interface {
	comparable
	Ref() model.Ref
}

func sortRefs[T object](list []T) {
	slices.SortFunc(list, func(a, b T) int { return a.Ref().Compare(b.Ref()) })
}
