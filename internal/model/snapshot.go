package model

import (
	"cmp"
	"reflect"
	"slices"
)

// Snapshot is everything known at one moment, by one source or by all of them merged.
type Snapshot struct {
	// Source is who says it; "" when merged.
	Source Source `json:"source,omitempty"`
	// Version grows with every change of this source (or of the catalog), from 1. It orders; it does not survive
	// restarts.
	Version     uint64        `json:"version"`
	Services    []*Service    `json:"services,omitempty"`    // sorted by Ref, each once
	Routes      []*Route      `json:"routes,omitempty"`      // sorted by Ref, each once
	Middlewares []*Middleware `json:"middlewares,omitempty"` // sorted by Ref, each once
	// Transports, Certificates and TLSOptions are of the instance's own sources: they cross no link. Sorted by Ref, each
	// once.
	Transports   []*Transport   `json:"transports,omitempty"`
	Certificates []*Certificate `json:"certificates,omitempty"`
	TLSOptions   []*TLSOptions  `json:"tlsOptions,omitempty"`
	Problems     []Problem      `json:"problems,omitempty"` // sorted
	// Order is the precedence of the sources, first wins; those it does not name come after all that it names, as
	// equals. Merged snapshots only.
	Order []Source `json:"order,omitempty"`
}

type object interface {
	comparable
	Ref() Ref
}

// Sort brings the snapshot into the order that its fields promise. Whoever makes one calls it before publishing. What
// is in order is only read, so objects that were published before may be among the new ones.
func (s *Snapshot) Sort() { s.SortAfter(&Snapshot{}) }

// SortAfter is Sort of a snapshot that comes after another one, which is sorted. Only what is not in both is looked at.
func (s *Snapshot) SortAfter(last *Snapshot) {
	services := sortObjects(last.Services, s.Services)
	routes := sortObjects(last.Routes, s.Routes)
	sortObjects(last.Middlewares, s.Middlewares)
	sortObjects(last.Transports, s.Transports)
	sortObjects(last.Certificates, s.Certificates)
	sortObjects(last.TLSOptions, s.TLSOptions)
	slices.SortFunc(s.Problems, Problem.Compare)
	for _, svc := range services {
		slices.SortFunc(svc.Endpoints, func(a, b Endpoint) int { return cmp.Compare(a.Addr, b.Addr) })
		slices.SortFunc(svc.Balance.Shares, func(a, b Share) int { return cmp.Compare(a.Cluster, b.Cluster) })
	}
	for _, route := range routes {
		slices.Sort(route.EntryPoints)
	}
}

// Reuse replaces each object of next by its equal in prev, so that what did not change keeps its pointer. Both must be
// sorted; next must not be published yet. It reports whether anything differs, apart from the version.
func Reuse(prev, next *Snapshot) (changed bool) {
	services := reuse(prev.Services, next.Services)
	routes := reuse(prev.Routes, next.Routes)
	middlewares := reuse(prev.Middlewares, next.Middlewares)
	transports := reuse(prev.Transports, next.Transports)
	certificates := reuse(prev.Certificates, next.Certificates)
	options := reuse(prev.TLSOptions, next.TLSOptions)
	return services || routes || middlewares || transports || certificates || options ||
		!slices.Equal(prev.Problems, next.Problems) || !slices.Equal(prev.Order, next.Order)
}

func reuse[T object](prev, next []T) (changed bool) {
	i := 0
	for j, obj := range next {
		if i < len(prev) && prev[i] == obj { // nothing is read of most objects
			i++
			continue
		}
		ref := obj.Ref()
		for i < len(prev) && prev[i].Ref().Compare(ref) < 0 {
			i++
		}
		if i == len(prev) || prev[i].Ref() != ref {
			changed = true
			continue
		}
		if prev[i] != obj {
			if reflect.DeepEqual(prev[i], obj) {
				next[j] = prev[i]
			} else {
				changed = true
			}
		}
		i++
	}
	return changed || len(prev) != len(next)
}

// Recall replaces each object of next that is in said, too, by what was published for it: published has, in said's
// place, objects that are equal to said's. All are sorted; next must not be published yet.
func Recall(said, published, next *Snapshot) {
	recall(said.Services, published.Services, next.Services)
	recall(said.Routes, published.Routes, next.Routes)
	recall(said.Middlewares, published.Middlewares, next.Middlewares)
	recall(said.Transports, published.Transports, next.Transports)
	recall(said.Certificates, published.Certificates, next.Certificates)
	recall(said.TLSOptions, published.TLSOptions, next.TLSOptions)
}

func recall[T object](said, published, next []T) {
	i := 0
	for j, obj := range next {
		if i < len(said) && said[i] != obj {
			ref := obj.Ref()
			for i < len(said) && said[i] != obj && said[i].Ref().Compare(ref) < 0 {
				i++
			}
		}
		if i < len(said) && said[i] == obj {
			next[j] = published[i]
			i++
		}
	}
}

// WithOwnLists returns the snapshot with lists of its own, of the same objects.
func (s Snapshot) WithOwnLists() Snapshot {
	s.Services, s.Routes, s.Middlewares = slices.Clone(s.Services), slices.Clone(s.Routes), slices.Clone(s.Middlewares)
	s.Transports, s.Certificates = slices.Clone(s.Transports), slices.Clone(s.Certificates)
	s.TLSOptions, s.Problems, s.Order = slices.Clone(s.TLSOptions), slices.Clone(s.Problems), slices.Clone(s.Order)
	return s
}

// Find returns the object of a sorted list that ref names.
func Find[T object](list []T, ref Ref) (T, bool) {
	i, ok := slices.BinarySearchFunc(list, ref, func(o T, r Ref) int { return o.Ref().Compare(r) })
	if !ok {
		var none T
		return none, false
	}
	return list[i], true
}
