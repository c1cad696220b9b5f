package dynamic

import (
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// Locate returns where the document defines an object, as "file:line", whatever the object's source: the place of the
// field, or of the deepest part of it that is written, or of the object's name. Field is what the finder of a problem
// calls it, from the object on: "services", "apiKey.hashes[2]", or "". False: the document has no such object.
//
// The model holds no places, so that an object that only moved in its file is not a changed one.
func (d *Document) Locate(object model.Object, field string) (at string, ok bool) {
	o := d.find(object)
	if o == nil {
		return "", false
	}
	if object.Kind == model.KindRoute && field == "services" {
		field = "service" // a route of this format has one
	}
	var path []any
	for name := range strings.FieldsFuncSeq(field, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		path = append(path, name)
	}
	return o.in(path...).at().String(), true
}

// find returns where an object of the model is written; nil: not here.
func (d *Document) find(wanted model.Object) *object {
	if wanted.Name.Namespace != "" {
		return nil
	}
	name := wanted.Name.Name
	type section struct {
		lane model.Lane
		kind string
	}
	switch (section{wanted.Lane, wanted.Kind}) {
	case section{model.LaneHTTP, model.KindRoute}:
		return named(d.routers, name)
	case section{model.LaneHTTP, model.KindService}:
		return named(d.services, name)
	case section{model.LaneHTTP, model.KindMiddleware}:
		return named(d.middlewares, name)
	case section{model.LaneTCP, model.KindRoute}:
		return named(d.tcp.routers, name)
	case section{model.LaneTCP, model.KindService}:
		return named(d.tcp.services, name)
	case section{model.LaneTCP, model.KindMiddleware}:
		return named(d.tcp.middlewares, name)
	case section{model.LaneUDP, model.KindRoute}:
		return named(d.udp.routers, name)
	case section{model.LaneUDP, model.KindService}:
		return named(d.udp.services, name)
	case section{model.LaneHTTP, model.KindTLSOptions}:
		return named(d.tls.options, name)
	case section{model.LaneHTTP, model.KindCertificate}:
		if o := named(d.tls.certificates, name); o != nil {
			return o
		}
		return named(d.tls.stores, name)
	case section{model.LaneHTTP, model.KindTransport}:
		return named(d.transports, name)
	case section{model.LaneTCP, model.KindTransport}:
		return named(d.tcp.transports, name)
	}
	return nil
}

func named[T any](entries []entry[T], name string) *object {
	for _, e := range entries {
		if e.name == name {
			return &object{node: e.node, at: e.at}
		}
	}
	return nil
}
