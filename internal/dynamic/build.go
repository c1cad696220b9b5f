package dynamic

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// Option changes how Build works.
type Option func(*builder)

// WithFiles lets middlewares read the files that they name (usersFile, hashesFile). Without it, to name one is a
// problem.
func WithFiles(read func(name string) ([]byte, error)) Option {
	return func(b *builder) { b.around.read = read }
}

// Build turns the documents of one source into a snapshot without a version. Where two files define an object of the
// same name, that of the file whose name sorts first is served; within the result nothing depends on the order of docs.
func Build(source model.Source, docs []*Document, options ...Option) model.Snapshot {
	b := newBuilder(source)
	for _, o := range options {
		o(b)
	}
	docs = slices.Clone(docs)
	slices.SortStableFunc(docs, func(a, c *Document) int { return cmp.Compare(a.file, c.file) })
	return b.build(docs)
}

func newBuilder(source model.Source) *builder {
	return &builder{source: source, snapshot: model.Snapshot{Source: source}}
}

// build is Build of documents in the order in which they claim names.
func (b *builder) build(docs []*Document) model.Snapshot {
	b.expect(docs)
	for _, d := range docs {
		b.add(d)
	}
	b.settle()
	b.snapshot.Sort()
	b.snapshot.Problems = slices.Compact(b.snapshot.Problems)
	return b.snapshot
}

type builder struct {
	source   model.Source
	around   surroundings
	snapshot model.Snapshot
	claimed  map[claim]holder
	// shared says that documents may define the same object, if they define it alike; see [Workloads].
	shared bool
	joined []*model.Service // with endpoints of several documents
}

// holder is who claimed a name first.
type holder struct {
	at   document.Position
	made *made
	// index is where the object stands in its list of the snapshot. A joined service is no document's own any more.
	index  int
	joined bool
}

// expect makes room.
func (b *builder) expect(docs []*Document) {
	parts, routes := 0, 0
	for _, d := range docs {
		parts += len(d.parts)
		routes += len(d.routers)
	}
	b.claimed = make(map[claim]holder, parts)
	b.snapshot.Routes = make([]*model.Route, 0, routes)
}

func (b *builder) add(d *Document) {
	for _, m := range d.mistakes {
		b.problem(code(m), m.Field, m.At, m.Message)
	}
	for _, u := range d.unsupported {
		b.problem(model.Unsupported, u.field, u.at, "this is not supported yet; it is ignored")
	}
	for i := range d.parts {
		p := &d.parts[i]
		earlier, taken := b.claimed[p.claim]
		if taken && !b.shared {
			b.conflict(p.claim, p.kind, p.at, earlier)
			continue
		}
		m := &p.made
		if p.looked {
			anew, _ := p.make(&b.around)
			m = &anew
		}
		b.snapshot.Problems = append(b.snapshot.Problems, m.problems...)
		switch {
		case !taken && (!b.shared || !m.isNothing()):
			b.claimed[p.claim] = holder{at: p.at, made: m, index: b.put(m)}
		case taken && !b.join(p.claim, earlier, m):
			b.conflict(p.claim, p.kind, p.at, earlier)
		}
	}
}

// put adds an object to its list of the snapshot, and returns where it stands there.
func (b *builder) put(m *made) (index int) {
	s := &b.snapshot
	switch {
	case m.service != nil:
		s.Services = append(s.Services, m.service)
		return len(s.Services) - 1
	case m.middleware != nil:
		s.Middlewares = append(s.Middlewares, m.middleware)
	case m.route != nil:
		s.Routes = append(s.Routes, m.route)
	case m.transport != nil:
		s.Transports = append(s.Transports, m.transport)
	case m.certificate != nil:
		s.Certificates = append(s.Certificates, m.certificate)
	case m.options != nil:
		s.TLSOptions = append(s.TLSOptions, m.options)
	}
	return 0
}

// conflict reports an object whose name is claimed.
func (b *builder) conflict(c claim, kind string, at document.Position, earlier holder) {
	message := fmt.Sprintf("the name is already used in %s; this one is ignored, rename it", earlier.at)
	if b.shared {
		message = fmt.Sprintf("%s defines it otherwise, and goes first; this one is ignored: write both alike, or rename it",
			earlier.at)
	}
	b.snapshot.Problems = append(b.snapshot.Problems, model.Problem{
		Object: model.Object{Kind: kind, Ref: model.Ref{
			Name: model.Name{Name: c.name}, Source: b.source, Lane: laneOf(c.section),
		}},
		Field: c.section + "." + c.name, Code: model.Conflict, At: at.String(), Message: message,
	})
}

// problem reports what belongs to no object.
func (b *builder) problem(code model.Code, field string, at document.Position, message string) {
	b.snapshot.Problems = append(b.snapshot.Problems, model.Problem{
		Object: model.Object{Kind: model.KindSource, Ref: model.Ref{Source: b.source}},
		Field:  field, Code: code, Message: message, At: at.String(),
	})
}

func code(m document.Mistake) model.Code {
	if m.Unknown {
		return model.UnknownField
	}
	return model.InvalidField
}
