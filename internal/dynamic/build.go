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
	return newBuilder(source, options).build(inOrder(docs))
}

// inOrder returns documents in the order in which they claim names.
func inOrder(docs []*Document) []*Document {
	docs = slices.Clone(docs)
	slices.SortStableFunc(docs, func(a, c *Document) int { return cmp.Compare(a.file, c.file) })
	return docs
}

func newBuilder(source model.Source, options []Option) *builder {
	b := &builder{source: source, snapshot: model.Snapshot{Source: source}, apart: true}
	for _, o := range options {
		o(b)
	}
	return b
}

// build is Build of documents in the order in which they claim names.
func (b *builder) build(docs []*Document) model.Snapshot {
	b.expect(docs)
	for _, d := range docs {
		b.add(d)
	}
	b.snapshot.Sort()
	b.snapshot.Problems = slices.Compact(b.snapshot.Problems)
	return b.snapshot
}

type builder struct {
	source   model.Source
	around   surroundings
	snapshot model.Snapshot
	claimed  map[claim]document.Position // who claimed a name first
	found    map[*part]*made             // what parts became that look around
	apart    bool                        // each part became an object, and has its name alone
}

// expect makes room.
func (b *builder) expect(docs []*Document) {
	parts, routes := 0, 0
	for _, d := range docs {
		parts += len(d.parts)
		routes += len(d.routers)
	}
	b.claimed = make(map[claim]document.Position, parts)
	b.snapshot.Routes = slices.Grow(b.snapshot.Routes, routes)
}

func (b *builder) add(d *Document) {
	b.snapshot.Problems = append(b.snapshot.Problems, d.problems()...)
	for i := range d.parts {
		p := &d.parts[i]
		if earlier, taken := b.claimed[p.claim]; taken {
			message := fmt.Sprintf("the name is already used in %s; this one is ignored, rename it", earlier)
			b.snapshot.Problems = append(b.snapshot.Problems, p.conflict(b.source, message))
			b.apart = false
			continue
		}
		b.claimed[p.claim] = p.at
		m := &p.made
		if p.looked {
			m = b.within(p)
		}
		b.apart = b.apart && !m.isNothing()
		b.snapshot.Problems = append(b.snapshot.Problems, m.problems...)
		m.put(&b.snapshot)
	}
}

// within makes a part anew that looks around.
func (b *builder) within(p *part) *made {
	if b.found == nil {
		b.found = make(map[*part]*made)
	}
	m, _ := p.make(&b.around)
	b.found[p] = &m
	return &m
}

// conflict is the problem of an object that is ignored for another with its name.
func (p *part) conflict(source model.Source, message string) model.Problem {
	return model.Problem{
		Object: model.Object{Kind: p.kind, Ref: model.Ref{
			Name: model.Name{Name: p.name}, Source: source, Lane: laneOf(p.section),
		}},
		Field: p.section + "." + p.name, Code: model.Conflict, At: p.at.String(), Message: message,
	}
}

// problems are those that belong to no object.
func (d *Document) problems() (problems []model.Problem) {
	add := func(code model.Code, field string, at document.Position, message string) {
		problems = append(problems, model.Problem{
			Object: model.Object{Kind: model.KindSource, Ref: model.Ref{Source: d.source}},
			Field:  field, Code: code, Message: message, At: at.String(),
		})
	}
	for _, m := range d.mistakes {
		add(code(m), m.Field, m.At, m.Message)
	}
	for _, u := range d.unsupported {
		add(model.Unsupported, u.field, u.at, "this is not supported yet; it is ignored")
	}
	return problems
}

func code(m document.Mistake) model.Code {
	if m.Unknown {
		return model.UnknownField
	}
	return model.InvalidField
}
