package dynamic

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// joint is what all workloads of a source say together, object by object. Who enters or leaves touches the objects
// that it defines; settle makes those anew, and no others.
type joint struct {
	source   model.Source
	objects  map[claim]*shared
	touched  []*shared
	problems map[any][]model.Problem // by what has any: a *shared, a *decodedWorkload
	told     bool                    // they are as the snapshot has them
	snapshot model.Snapshot
}

// shared is an object, and who defines it.
type shared struct {
	claim   claim
	by      []*definition // in the order in which they count
	made    made          // of all of them together, without problems
	touched bool
}

// definition is what one workload says of an object.
type definition struct {
	*part
	of *decodedWorkload
	// alike says whether it is like first, which was the first definition when they were last compared.
	first *made
	alike bool
}

func newJoint(source model.Source) *joint {
	return &joint{
		source: source, objects: map[claim]*shared{}, problems: map[any][]model.Problem{}, told: true,
		snapshot: model.Snapshot{Source: source},
	}
}

func (j *joint) enter(d *decodedWorkload) {
	j.tell(d, d.problems)
	for i := range d.parts {
		p := &d.parts[i]
		s := j.objects[p.claim]
		if s == nil {
			s = &shared{claim: p.claim}
			j.objects[p.claim] = s
		}
		at, _ := slices.BinarySearchFunc(s.by, d, func(o *definition, d *decodedWorkload) int {
			return cmp.Or(o.of.order(&d.Workload), -1) // what it says again comes after what it said
		})
		s.by = slices.Insert(s.by, at, &definition{part: p, of: d})
		j.touch(s)
	}
}

func (j *joint) leave(d *decodedWorkload) {
	j.tell(d, nil)
	for i := range d.parts {
		if s := j.objects[d.parts[i].claim]; s != nil { // else it is gone already
			s.by = slices.DeleteFunc(s.by, func(o *definition) bool { return o.of == d })
			j.touch(s)
		}
	}
}

func (j *joint) touch(s *shared) {
	if !s.touched {
		s.touched = true
		j.touched = append(j.touched, s)
	}
}

// tell replaces the problems of one who has, or had, some.
func (j *joint) tell(who any, problems []model.Problem) {
	if len(problems) == 0 && len(j.problems[who]) == 0 {
		return
	}
	j.told = false
	delete(j.problems, who)
	if len(problems) > 0 {
		j.problems[who] = problems
	}
}

// settle returns what the workloads say now. The lists are the caller's own.
func (j *joint) settle() model.Snapshot {
	var left, came model.Snapshot
	for _, s := range j.touched {
		s.touched = false
		now, problems := s.unite(j.source)
		j.tell(s, problems)
		if !reflect.DeepEqual(s.made, now) {
			s.made.put(&left)
			now.put(&came)
			s.made = now
		}
		if len(s.by) == 0 {
			delete(j.objects, s.claim)
		}
	}
	j.touched = nil
	left.Sort()
	came.Sort()
	s := &j.snapshot
	s.Services = replace(s.Services, left.Services, came.Services)
	s.Routes = replace(s.Routes, left.Routes, came.Routes)
	s.Middlewares = replace(s.Middlewares, left.Middlewares, came.Middlewares)
	s.Transports = replace(s.Transports, left.Transports, came.Transports)
	s.Certificates = replace(s.Certificates, left.Certificates, came.Certificates)
	s.TLSOptions = replace(s.TLSOptions, left.TLSOptions, came.TLSOptions)
	if !j.told {
		s.Problems = nil
		for _, problems := range j.problems {
			s.Problems = append(s.Problems, problems...)
		}
		slices.SortFunc(s.Problems, model.Problem.Compare)
		s.Problems, j.told = slices.Compact(s.Problems), true
	}
	return s.WithOwnLists()
}

// unite makes an object of its definitions: the first, and the endpoints of those that are like it.
func (s *shared) unite(source model.Source) (made, []model.Problem) {
	var (
		problems []model.Problem
		now      union
		first    *made
		at       document.Position // of the first
	)
	for _, d := range s.by {
		m := &d.made
		problems = append(problems, m.problems...)
		switch {
		case m.isNothing(): // what is wrong with it is told
		case first == nil:
			first, now.made, at = m, *m, d.at
		case !d.like(first, m) || !now.take(m.service):
			problems = append(problems, d.conflict(source, differs(at)))
		}
	}
	now.settle()
	return now.made, problems
}

// union is an object in the making.
type union struct {
	made
	joined bool // its service is no workload's own
}

// take adds the endpoints of another service; false: they speak something else.
func (u *union) take(o *model.Service) bool {
	switch {
	case o == nil || len(o.Endpoints) == 0:
		return true
	case len(u.service.Endpoints) > 0 && u.service.Protocol != o.Protocol:
		return false
	case !u.joined: // it may be published
		own := *u.service
		own.Endpoints = slices.Clone(own.Endpoints)
		u.service, u.joined = &own, true
	}
	u.service.Protocol = cmp.Or(u.service.Protocol, o.Protocol)
	u.service.Endpoints = append(u.service.Endpoints, o.Endpoints...)
	return true
}

// settle leaves of endpoints with the same address the first.
func (u *union) settle() {
	u.problems = nil
	if u.joined {
		all := u.service.Endpoints
		slices.SortStableFunc(all, func(a, b model.Endpoint) int { return cmp.Compare(a.Addr, b.Addr) })
		u.service.Endpoints = slices.CompactFunc(all, func(a, b model.Endpoint) bool { return a.Addr == b.Addr })
	}
}

// like reports whether what it says is what the first definition says, but for the endpoints of a service, and what
// they speak.
func (d *definition) like(first, m *made) bool {
	if d.first != first {
		x, y := *first, *m
		x.problems, y.problems = nil, nil
		x.service, y.service = bare(x.service), bare(y.service)
		d.first, d.alike = first, reflect.DeepEqual(x, y)
	}
	return d.alike
}

func bare(s *model.Service) *model.Service {
	if s == nil {
		return nil
	}
	own := *s
	own.Protocol, own.Endpoints = "", nil
	return &own
}

// differs tells of an object that is ignored for another workload's.
func differs(first document.Position) string {
	const what = "%s defines it otherwise, and goes first; this one is ignored: write both alike, or rename it"
	return fmt.Sprintf(what, first)
}

// replace returns a sorted list without what left it, and with what came. Both are sorted, too.
func replace[T interface{ Ref() model.Ref }](list, left, came []T) []T {
	if len(list)-len(left)+len(came) == 0 {
		return nil
	}
	next := make([]T, 0, len(list)-len(left)+len(came))
	upTo := func(o T) { // most of the list is neither read nor compared
		i, _ := slices.BinarySearchFunc(list, o.Ref(), func(o T, r model.Ref) int { return o.Ref().Compare(r) })
		next, list = append(next, list[:i]...), list[i:]
	}
	for len(left)+len(came) > 0 {
		if len(came) == 0 || len(left) > 0 && left[0].Ref().Compare(came[0].Ref()) <= 0 {
			upTo(left[0])
			left, list = left[1:], list[1:]
			continue
		}
		upTo(came[0])
		next, came = append(next, came[0]), came[1:]
	}
	return append(next, list...)
}
