package catalog

import (
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// update returns what Merge would, given what it gave before one source changed from prev to next: it finds the objects
// whose pointers differ and splices those, so that one change among ten thousand routes costs a copy of the lists.
// from holds all sources, next included.
func update(
	merged *model.Snapshot, prev, next model.Snapshot, order []model.Source, from map[model.Source]model.Snapshot,
) *model.Snapshot {
	out := &model.Snapshot{Order: slices.Clone(order)}
	out.Routes = diff(prev.Routes, next.Routes).apply(merged.Routes)
	out.Middlewares = diff(prev.Middlewares, next.Middlewares).apply(merged.Middlewares)
	out.Transports = diff(prev.Transports, next.Transports).apply(merged.Transports)
	out.Certificates = diff(prev.Certificates, next.Certificates).apply(merged.Certificates)
	out.TLSOptions = diff(prev.TLSOptions, next.TLSOptions).apply(merged.TLSOptions)
	services := diff(prev.Services, next.Services)
	if next.Source.Kind() == model.LinkKind {
		services = services.pooled(from)
	}
	out.Services = services.apply(merged.Services)
	out.Problems = merged.Problems
	if !slices.Equal(prev.Problems, next.Problems) {
		out.Problems = problems(from)
	}
	return out
}

// changes are the objects of a list that were set (added or replaced) and those that are gone, by reference.
type changes[T object] []change[T]

type change[T object] struct {
	ref model.Ref
	set T // the zero T (nil): gone
}

// diff compares two sorted lists by reference and pointer.
func diff[T object](prev, next []T) changes[T] {
	var none T
	var found changes[T]
	for len(prev) > 0 || len(next) > 0 {
		if len(prev) > 0 && len(next) > 0 && prev[0] == next[0] {
			prev, next = prev[1:], next[1:]
			continue
		}
		order := 0
		switch {
		case len(prev) == 0:
			order = 1
		case len(next) == 0:
			order = -1
		default:
			order = prev[0].Ref().Compare(next[0].Ref())
		}
		if order < 0 {
			found = append(found, change[T]{prev[0].Ref(), none})
			prev = prev[1:]
			continue
		}
		found = append(found, change[T]{next[0].Ref(), next[0]})
		next = next[1:]
		if order == 0 {
			prev = prev[1:]
		}
	}
	return found
}

// apply returns a sorted list with the changes made; the given one stays as it is.
func (c changes[T]) apply(list []T) []T {
	if len(c) == 0 {
		return list
	}
	var none T
	out := make([]T, 0, len(list)+len(c))
	for _, ch := range c {
		i, found := slices.BinarySearchFunc(list, ch.ref, func(o T, r model.Ref) int { return o.Ref().Compare(r) })
		out = append(out, list[:i]...)
		if ch.set != none {
			out = append(out, ch.set)
		}
		if found {
			i++
		}
		list = list[i:]
	}
	return append(out, list...)
}

// pooled turns changes of one cluster's services into changes of the fleet's.
func (c changes[T]) pooled(from map[model.Source]model.Snapshot) changes[*model.Service] {
	var links []model.Source
	for source := range from {
		if source.Kind() == model.LinkKind {
			links = append(links, source)
		}
	}
	slices.Sort(links)
	out := make(changes[*model.Service], 0, len(c))
	for _, ch := range c {
		fleet := change[*model.Service]{ref: ch.ref}
		fleet.ref.Source = model.LinkKind
		var parts []*model.Service
		for _, link := range links {
			ref := ch.ref
			ref.Source = link
			if part, ok := model.Find(from[link].Services, ref); ok {
				parts = append(parts, part)
			}
		}
		if len(parts) > 0 {
			fleet.set = pool(parts)
		}
		out = append(out, fleet)
	}
	return out
}
