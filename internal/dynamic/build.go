package dynamic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// Option changes how Build works.
type Option func(*builder)

// WithFiles lets middlewares read the files that they name (usersFile, hashesFile). Without it, to name one is a
// problem.
func WithFiles(read func(name string) ([]byte, error)) Option {
	return func(b *builder) { b.read = read }
}

// Build turns the documents of one source into a snapshot without a version. Where two files define an object of the
// same name, that of the file whose name sorts first is served; within the result nothing depends on the order of docs.
func Build(source model.Source, docs []*Document, options ...Option) model.Snapshot {
	b := &builder{
		snapshot: model.Snapshot{Source: source}, source: source, seen: map[objectKey]document.Position{},
		transports: map[string]*model.Transport{}, streams: map[string]model.Stream{},
	}
	for _, o := range options {
		o(b)
	}
	docs = slices.Clone(docs)
	slices.SortStableFunc(docs, func(a, c *Document) int { return cmp.Compare(a.file, c.file) })
	for _, d := range docs { // before the services, which may name those of other files
		b.addTransports(d)
	}
	for _, d := range docs {
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
	read     func(string) ([]byte, error) // nil: files cannot be read
	snapshot model.Snapshot
	seen     map[objectKey]document.Position
	// transports are those of all documents; nil: a mistaken one.
	transports map[string]*model.Transport
	streams    map[string]model.Stream // of tcp.serversTransports, by name
}

type objectKey struct {
	lane       model.Lane
	kind, name string
}

func (b *builder) add(d *Document) {
	for _, m := range d.mistakes {
		b.problem(code(m), m.Field, m.At, m.Message)
	}
	for _, u := range d.unsupported {
		b.problem(model.Unsupported, u.field, u.at, "this is not supported yet; it is ignored")
	}
	addServices(b, "http.services", d.services, (*object).service)
	addServices(b, "tcp.services", d.tcp.services, (*object).tcpService)
	addServices(b, "udp.services", d.udp.services, (*object).udpService)
	addMiddlewares(b, "http.middlewares", d.middlewares, "routes that use it answer 503", (*object).middleware)
	addMiddlewares(b, "tcp.middlewares", d.tcp.middlewares, "routes that use it refuse their connections",
		(*object).tcpMiddleware)
	addRoutes(b, "http.routers", d.routers, "the route's requests are answered 503", (*object).route)
	addRoutes(b, "tcp.routers", d.tcp.routers, "the route's connections are refused", (*object).tcpRoute)
	addRoutes(b, "udp.routers", d.udp.routers, "the route's datagrams are dropped", (*object).udpRoute)
}

// spec is an object as its owner wrote it.
type spec interface{ gaps() []gap }

func addServices[T spec](b *builder, section string, entries []entry[T], build func(*object, *T) *model.Service) {
	for i := range entries {
		if o := begin(b, model.KindService, section, &entries[i]); o != nil {
			if s := build(o, &entries[i].spec); !o.faulty() {
				b.snapshot.Services = append(b.snapshot.Services, s)
			}
			o.conclude("the service is not served")
		}
	}
}

func addMiddlewares[T spec](
	b *builder, section string, entries []entry[T], without string, build func(*object, *T) *model.Middleware,
) {
	for i := range entries {
		if o := begin(b, model.KindMiddleware, section, &entries[i]); o != nil {
			if m := build(o, &entries[i].spec); !o.faulty() {
				b.snapshot.Middlewares = append(b.snapshot.Middlewares, m)
			}
			o.conclude("the middleware is left out, and " + without)
		}
	}
}

// addRoutes makes routes; one that build does not understand is left out: nobody knows which requests are its own.
func addRoutes[T spec](
	b *builder, section string, entries []entry[T], broken string, build func(*object, *T) (*model.Route, bool),
) {
	for i := range entries {
		if o := begin(b, model.KindRoute, section, &entries[i]); o != nil {
			if r, ok := build(o, &entries[i].spec); ok {
				b.snapshot.Routes = append(b.snapshot.Routes, r)
				o.conclude(broken)
			} else {
				o.conclude("the route is not served")
			}
		}
	}
}

func (b *builder) addTransports(d *Document) {
	for i := range d.transports {
		e := &d.transports[i]
		if o := begin(b, model.KindTransport, "http.serversTransports", e); o != nil {
			if t := o.transport(&e.spec); o.faulty() {
				b.transports[e.name] = nil
			} else {
				b.transports[e.name] = t
			}
			o.conclude("services that use it are not served")
		}
	}
}

// laneOf returns the lane that a section such as "tcp.routers" is about.
func laneOf(section string) model.Lane {
	switch lane, _, _ := strings.Cut(section, "."); lane {
	case "tcp":
		return model.LaneTCP
	case "udp":
		return model.LaneUDP
	}
	return model.LaneHTTP
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

// begin starts an object of the snapshot and reports the mistakes that were found when it was decoded. Nil: there is
// another object of that name already.
func begin[T spec](b *builder, kind, section string, e *entry[T]) *object {
	o := &object{
		builder: b, kind: kind, path: section + "." + e.name, node: e.node, at: e.at,
		ref: model.Ref{Name: model.Name{Name: e.name}, Source: b.source, Lane: laneOf(section)},
	}
	key := objectKey{o.ref.Lane, kind, e.name}
	if first, ok := b.seen[key]; ok {
		message := fmt.Sprintf("the name is already used in %s; this one is ignored, rename it", first)
		o.report(model.Conflict, "", e.at, message)
		return nil
	}
	b.seen[key] = e.at
	if err := checkName(e.name); err != nil {
		o.misnamed = true
		o.fault(model.InvalidField, "", e.at, err.Error())
	}
	o.mistakes(e.mistakes, e.spec.gaps())
	return o
}
