package dynamic

import (
	"cmp"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// part is one object that a document adds to the snapshot, with what is wrong with it. Most depend on nothing but the
// document: they are made when it is decoded, and every snapshot has the same ones.
type part struct {
	claim
	kind string
	at   document.Position // of its name
	// made is what it became, unless it looked around: then make makes it anew for each snapshot.
	made   made
	looked bool
	make   func(*surroundings) (m made, looked bool)
}

// claim is what an object is known by in a source.
type claim struct{ section, name string }

// made is what became of an object: at most one, and problems.
type made struct {
	service     *model.Service
	middleware  *model.Middleware
	route       *model.Route
	transport   *model.Transport
	certificate *model.Certificate
	options     *model.TLSOptions
	problems    []model.Problem
}

// isNothing reports that the object was too mistaken to be made.
func (m *made) isNothing() bool {
	return m.service == nil && m.middleware == nil && m.route == nil && m.transport == nil && m.certificate == nil &&
		m.options == nil
}

// put adds an object to its list of a snapshot.
func (m *made) put(s *model.Snapshot) {
	switch {
	case m.service != nil:
		s.Services = append(s.Services, m.service)
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
}

// surroundings are what objects may ask for that does not stand in their document.
type surroundings struct {
	read func(string) ([]byte, error) // nil: files cannot be read
}

// spec is an object as its owner wrote it.
type spec interface{ gaps() []gap }

// addParts makes the parts of a document.
func (d *Document) addParts() {
	addServices(d, "http.services", d.services, (*object).service)
	addServices(d, "tcp.services", d.tcp.services, (*object).tcpService)
	addServices(d, "udp.services", d.udp.services, (*object).udpService)
	addMiddlewares(d, "http.middlewares", d.middlewares, "routes that use it answer 503", (*object).middleware)
	addMiddlewares(d, "tcp.middlewares", d.tcp.middlewares, "routes that use it refuse their connections",
		(*object).tcpMiddleware)
	addRoutes(d, "http.routers", d.routers, "the route's requests are answered 503", (*object).route)
	addRoutes(d, "tcp.routers", d.tcp.routers, "the route's connections are refused", (*object).tcpRoute)
	addRoutes(d, "udp.routers", d.udp.routers, "the route's datagrams are dropped", (*object).udpRoute)
	addTransports(d, "http.serversTransports", d.transports, (*object).transport)
	addTransports(d, "tcp.serversTransports", d.tcp.transports, (*object).tcpTransport)
	addTLS(d)
}

func addServices[T spec](d *Document, section string, entries []entry[T], build func(*object, *T) *model.Service) {
	addWhole(d, model.KindService, section, entries, "the service is not served", build,
		func(m *made, s *model.Service) { m.service = s })
}

func addMiddlewares[T spec](
	d *Document, section string, entries []entry[T], without string, build func(*object, *T) *model.Middleware,
) {
	addWhole(d, model.KindMiddleware, section, entries, "the middleware is left out, and "+without, build,
		func(m *made, middleware *model.Middleware) { m.middleware = middleware })
}

func addTransports[T spec](d *Document, section string, entries []entry[T], build func(*object, *T) *model.Transport) {
	addWhole(d, model.KindTransport, section, entries, "services that use it are not served", build,
		func(m *made, t *model.Transport) { m.transport = t })
}

// addWhole makes objects that are left out where anything is wrong with them; broken says what follows from that.
func addWhole[T spec, O any](
	d *Document, kind, section string, entries []entry[T], broken string, build func(*object, *T) O, keep func(*made, O),
) {
	addSection(d, kind, section, entries, func(o *object, spec *T) (m made) {
		if whole := build(o, spec); !o.faulty() {
			keep(&m, whole)
		}
		o.conclude(broken)
		return m
	})
}

// addRoutes makes routes; one that build does not understand is left out: nobody knows which requests are its own.
func addRoutes[T spec](
	d *Document, section string, entries []entry[T], broken string, build func(*object, *T) (*model.Route, bool),
) {
	addSection(d, model.KindRoute, section, entries, func(o *object, spec *T) (m made) {
		if r, ok := build(o, spec); ok {
			m.route = r
			o.conclude(broken)
		} else {
			o.conclude("the route is not served")
		}
		return m
	})
}

func addSection[T spec](d *Document, kind, section string, entries []entry[T], build func(*object, *T) made) {
	for i := range entries {
		e := &entries[i]
		p := part{claim: claim{section, e.name}, kind: kind, at: e.at}
		p.make = func(around *surroundings) (made, bool) {
			o := begin(d.source, around, kind, section, e)
			m := build(o, &e.spec)
			m.problems = o.problems
			return m, o.looked
		}
		p.made, p.looked = p.make(new(surroundings))
		d.parts = append(d.parts, p)
	}
}

// begin starts an object, and reports the mistakes that were found when it was decoded.
func begin[T spec](source model.Source, around *surroundings, kind, section string, e *entry[T]) *object {
	o := &object{
		kind: kind, path: cmp.Or(e.path, section+"."+e.name), node: e.node, at: e.at, around: around,
		ref: model.Ref{Name: model.Name{Name: e.name}, Source: source, Lane: laneOf(section)},
	}
	if err := checkName(e.name); err != nil && e.path == "" { // what has a path has a name of our making
		o.misnamed = true
		o.fault(model.InvalidField, "", e.at, err.Error())
	}
	o.mistakes(e.mistakes, e.spec.gaps())
	return o
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
