package dynamic

import (
	"cmp"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

// Documents builds snapshots of the documents of one source, time and again. Each is what [Build] makes of them; but
// where one of many documents changed, it costs what that one has, and a copy of the lists.
type Documents struct {
	source model.Source
	docs   []*Document // of the last snapshot, in the order in which they claim names
	last   model.Snapshot
	found  map[*part]*made // what parts became that looked around
	apart  bool            // each part became an object, and has its name alone
}

// NewDocuments returns what builds snapshots of a source.
func NewDocuments(source model.Source) *Documents { return &Documents{source: source} }

// Build turns documents into a snapshot, as [Build] does. It keeps the snapshot's lists: they must not be changed.
func (m *Documents) Build(docs []*Document, options ...Option) model.Snapshot {
	docs = inOrder(docs)
	b := newBuilder(m.source, options)
	if !m.exchange(b, docs) {
		b = newBuilder(m.source, options)
		m.last = b.build(docs)
		m.apart = b.apart && distinct(m.last.Certificates) // which two sections have
	}
	m.docs, m.found = docs, b.found
	return m.last
}

// exchange takes out of the last snapshot what the documents were that changed, and puts in what they are; false: it is
// not as simple as that, since there are conflicts or mistakes.
func (m *Documents) exchange(b *builder, docs []*Document) bool {
	if !m.apart {
		return false
	}
	var left, came model.Snapshot
	for was, is := range differing(m.docs, docs) {
		if !was.put(&left, func(p *part) *made { return m.found[p] }) || !is.put(&came, b.within) {
			return false
		}
	}
	left.Sort()
	came.Sort()
	s := m.last
	ok := exchanged(&s.Services, left.Services, came.Services) && exchanged(&s.Routes, left.Routes, came.Routes) &&
		exchanged(&s.Middlewares, left.Middlewares, came.Middlewares) &&
		exchanged(&s.Transports, left.Transports, came.Transports) &&
		exchanged(&s.Certificates, left.Certificates, came.Certificates) &&
		exchanged(&s.TLSOptions, left.TLSOptions, came.TLSOptions)
	if ok {
		m.last = s
	}
	return ok
}

// differing calls f with each document that is not the same in both lists, or looks around, as it was and as it is;
// nil: it was not, or is no more.
func differing(before, after []*Document) func(f func(was, is *Document) bool) {
	return func(f func(was, is *Document) bool) {
		for len(before)+len(after) > 0 {
			var was, is *Document
			switch d := compareFirst(before, after); {
			case d < 0:
				was, before = before[0], before[1:]
			case d > 0:
				is, after = after[0], after[1:]
			default:
				was, is, before, after = before[0], after[0], before[1:], after[1:]
			}
			if (was != is || was.looks()) && !f(was, is) {
				return
			}
		}
	}
}

func compareFirst(a, b []*Document) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	case a[0] == b[0]:
		return 0
	}
	return cmp.Compare(a[0].file, b[0].file)
}

// looks reports whether parts of it look around.
func (d *Document) looks() bool {
	return slices.ContainsFunc(d.parts, func(p part) bool { return p.looked })
}

// put adds the objects of a document, which may be nil, to a snapshot; found says what parts became that looked around.
// False: there are mistakes, or objects whose names are not known beforehand.
func (d *Document) put(s *model.Snapshot, found func(*part) *made) bool {
	if d == nil {
		return true
	}
	if len(d.mistakes)+len(d.unsupported) > 0 {
		return false
	}
	for i := range d.parts {
		p := &d.parts[i]
		m := &p.made
		if p.looked {
			m = found(p)
		}
		if m.isNothing() || len(m.problems) > 0 {
			return false
		}
		m.put(s)
	}
	return true
}

// exchanged puts what came in the place of what left; false: names are claimed twice then. All lists are sorted, and
// what left is in the list.
func exchanged[T interface {
	comparable
	Ref() model.Ref
}](list *[]T, left, came []T) bool {
	if len(left)+len(came) == 0 {
		return true
	}
	for i, o := range came {
		if i > 0 && came[i-1].Ref() == o.Ref() {
			return false
		}
		if _, taken := model.Find(*list, o.Ref()); taken {
			if _, gone := model.Find(left, o.Ref()); !gone {
				return false
			}
		}
	}
	*list = replace(*list, left, came)
	return true
}

// distinct reports whether no two of a sorted list have the same reference.
func distinct[T interface{ Ref() model.Ref }](list []T) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1].Ref() == list[i].Ref() {
			return false
		}
	}
	return true
}
