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
	b := &builder{source: source, snapshot: model.Snapshot{Source: source}, around: surroundings{
		transports: map[string]*model.Transport{}, streams: map[string]model.Stream{},
	}}
	for _, o := range options {
		o(b)
	}
	docs = slices.Clone(docs)
	slices.SortStableFunc(docs, func(a, c *Document) int { return cmp.Compare(a.file, c.file) })
	b.expect(docs)
	for _, d := range docs { // before the services, which may name those of other files
		b.addTransports(d.transports)
		b.addStreams(d.tcp.transports)
	}
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
	claimed  map[claim]document.Position
}

// expect makes room.
func (b *builder) expect(docs []*Document) {
	parts, routes := 0, 0
	for _, d := range docs {
		parts += len(d.parts)
		routes += len(d.routers)
	}
	b.claimed = make(map[claim]document.Position, parts)
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
		if !b.first(p.claim, p.kind, p.at) {
			continue
		}
		m := p.made
		if p.looked {
			m, _ = p.make(&b.around)
		}
		switch {
		case m.service != nil:
			b.snapshot.Services = append(b.snapshot.Services, m.service)
		case m.middleware != nil:
			b.snapshot.Middlewares = append(b.snapshot.Middlewares, m.middleware)
		case m.route != nil:
			b.snapshot.Routes = append(b.snapshot.Routes, m.route)
		case m.certificate != nil:
			b.snapshot.Certificates = append(b.snapshot.Certificates, m.certificate)
		case m.options != nil:
			b.snapshot.TLSOptions = append(b.snapshot.TLSOptions, m.options)
		}
		b.snapshot.Problems = append(b.snapshot.Problems, m.problems...)
	}
}

// first reports whether an object is the first that claims its name; to others it reports a conflict.
func (b *builder) first(c claim, kind string, at document.Position) bool {
	earlier, ok := b.claimed[c]
	if !ok {
		b.claimed[c] = at
		return true
	}
	b.snapshot.Problems = append(b.snapshot.Problems, model.Problem{
		Object: model.Object{Kind: kind, Ref: model.Ref{
			Name: model.Name{Name: c.name}, Source: b.source, Lane: laneOf(c.section),
		}},
		Field: c.section + "." + c.name, Code: model.Conflict, At: at.String(),
		Message: fmt.Sprintf("the name is already used in %s; this one is ignored, rename it", earlier),
	})
	return false
}

// addTransports reads http.serversTransports. They are no objects of the model: services have them.
func (b *builder) addTransports(entries []entry[serversTransport]) {
	const section = "http.serversTransports"
	for i := range entries {
		e := &entries[i]
		if !b.first(claim{section, e.name}, model.KindTransport, e.at) {
			continue
		}
		o := begin(b.source, &b.around, model.KindTransport, section, e)
		if t := o.transport(&e.spec); o.faulty() {
			b.around.transports[e.name] = nil
		} else {
			b.around.transports[e.name] = t
		}
		b.conclude(o)
	}
}

// conclude reports what is wrong with a transport.
func (b *builder) conclude(o *object) {
	o.conclude("services that use it are not served")
	b.snapshot.Problems = append(b.snapshot.Problems, o.problems...)
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
