package dynamic

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// join adds what another workload says of an object that is defined already; false: it says something else.
func (b *builder) join(c claim, h holder, m *made) bool {
	switch {
	case m.isNothing(): // what is wrong with it is told
		return true
	case m.service == nil:
		x, y := *h.made, *m
		x.problems, y.problems = nil, nil
		return reflect.DeepEqual(x, y)
	}
	s := b.snapshot.Services[h.index]
	if !alike(s, m.service) {
		return false
	}
	if len(m.service.Endpoints) == 0 {
		return true
	}
	if !h.joined { // it is a document's own, and may be published
		own := *s
		own.Endpoints = slices.Clone(s.Endpoints)
		s, h.joined = &own, true
		b.snapshot.Services[h.index], b.claimed[c] = s, h
		b.joined = append(b.joined, s)
	}
	s.Protocol = cmp.Or(s.Protocol, m.service.Protocol)
	s.Endpoints = append(s.Endpoints, m.service.Endpoints...)
	return true
}

// alike reports whether two services are the same but for their endpoints. One without any may speak anything.
func alike(a, b *model.Service) bool {
	x, y := *a, *b
	if len(a.Endpoints) == 0 || len(b.Endpoints) == 0 {
		x.Protocol, y.Protocol = "", ""
	}
	x.Endpoints, y.Endpoints = nil, nil
	return reflect.DeepEqual(x, y)
}

// settle leaves of endpoints with the same address the first.
func (b *builder) settle() {
	for _, s := range b.joined {
		slices.SortStableFunc(s.Endpoints, func(a, b model.Endpoint) int { return cmp.Compare(a.Addr, b.Addr) })
		s.Endpoints = slices.CompactFunc(s.Endpoints, func(a, b model.Endpoint) bool { return a.Addr == b.Addr })
	}
}
