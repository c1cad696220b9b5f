package dynamic

import (
	"slices"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// Document is one file of a source, parsed and decoded. It is immutable and may be built from again and again.
type Document struct {
	source      model.Source
	file        string
	routers     []entry[router]
	services    []entry[service]
	middlewares []entry[middleware]
	transports  []entry[serversTransport]
	tcp         tcpDocument
	udp         udpDocument
	tls         tlsDocument
	parts       []part             // what these add to a snapshot
	mistakes    []document.Mistake // outside those
	unsupported []unsupported
}

// entry is one named object of a section. Everything that is not mistaken is in its spec.
type entry[T any] struct {
	name     string
	path     string // as the owner writes it; "": that of the section, and the name
	at       document.Position
	node     *document.Node
	spec     T
	mistakes []document.Mistake
}

// unsupported is an object of a section that is not served yet.
type unsupported struct {
	field string
	at    document.Position
}

type fileSpec struct {
	HTTP httpSpec `doc:"http"`
	TCP  tcpSpec  `doc:"tcp"`
	UDP  udpSpec  `doc:"udp"`
	TLS  tlsSpec  `doc:"tls"`
}

type httpSpec struct {
	Routers           *document.Node `doc:"routers"`
	Services          *document.Node `doc:"services"`
	Middlewares       *document.Node `doc:"middlewares"`
	ServersTransports *document.Node `doc:"serversTransports"`
	Models            *document.Node `doc:"models"`
}

// Decode reads one file of a source; the extension of its name says the format. The error, if there is one, is a
// *document.SyntaxError. All other mistakes become problems in Build.
func Decode(source model.Source, file string, data []byte) (*Document, error) {
	root, err := document.Parse(file, data)
	if err != nil {
		return nil, err
	}
	return DecodeTree(source, file, root), nil
}

// DecodeTree is Decode of what was parsed already, or was never text: labels, the keys of a store. Place is where it
// comes from, for people.
func DecodeTree(source model.Source, place string, root *document.Node) *Document {
	d := decodeTree(source, place, root)
	d.addParts()
	return d
}

// decodeTree is DecodeTree of a document that has no parts yet.
func decodeTree(source model.Source, place string, root *document.Node) *Document {
	var spec fileSpec
	d := &Document{source: source, file: place, mistakes: document.Decode(root, &spec)}
	d.routers = section(d, "http.routers", spec.HTTP.Routers, decodeSpec[router])
	d.services = section(d, "http.services", spec.HTTP.Services, decodeService)
	d.middlewares = section(d, "http.middlewares", spec.HTTP.Middlewares, decodeMiddleware)
	d.transports = section(d, "http.serversTransports", spec.HTTP.ServersTransports, decodeSpec[serversTransport])
	d.refuse("http.models", spec.HTTP.Models, 1)
	d.tcp = decodeTCP(d, &spec.TCP)
	d.udp = decodeUDP(d, &spec.UDP)
	d.tls = decodeTLS(d, &spec.TLS)
	return d
}

// Files returns the files that the document refers to (usersFile, bodyFile, …), sorted, each once. A provider that
// watches the document watches them too.
func (d *Document) Files() []string {
	var files []string
	for _, m := range d.middlewares {
		if r, ok := m.spec.spec.(interface{ files() []string }); ok {
			files = append(files, r.files()...)
		}
	}
	for i := range d.transports {
		files = append(files, d.transports[i].spec.files()...)
	}
	for i := range d.tcp.transports {
		files = append(files, d.tcp.transports[i].spec.TLS.files()...)
	}
	files = append(files, d.tls.files()...)
	files = slices.DeleteFunc(files, func(name string) bool { return name == "" })
	slices.Sort(files)
	return slices.Compact(files)
}

func section[T any](
	d *Document, path string, n *document.Node, decode func(*document.Node) (T, []document.Mistake),
) []entry[T] {
	if n == nil || n.Kind == document.Null {
		return nil
	}
	if n.Kind != document.Map {
		d.mistakes = append(d.mistakes, document.Mistake{
			At: n.At, Field: path, Message: "expected a map of names, found " + n.Kind.String(),
		})
		return nil
	}
	entries := make([]entry[T], 0, len(n.Fields))
	for _, f := range n.Fields {
		e := entry[T]{name: f.Name, at: f.At, node: f.Value}
		e.spec, e.mistakes = decode(f.Value)
		entries = append(entries, e)
	}
	return entries
}

// refuse notes the objects of a section that is not served yet; levels is how deep they lie.
func (d *Document) refuse(path string, n *document.Node, levels int) {
	if n == nil || isEmpty(n) {
		return
	}
	if levels == 0 || n.Kind != document.Map {
		d.unsupported = append(d.unsupported, unsupported{path, n.At})
		return
	}
	for _, f := range n.Fields {
		if levels == 1 {
			d.unsupported = append(d.unsupported, unsupported{path + "." + f.Name, f.At})
			continue
		}
		d.refuse(path+"."+f.Name, f.Value, levels-1)
	}
}

// isEmpty reports whether a value asks for nothing: null, false, 0, "" and what is empty.
func isEmpty(n *document.Node) bool {
	switch n.Kind {
	case document.Scalar:
		return n.Text == "" || n.Text == "0" || n.Text == "false"
	case document.List:
		return len(n.Items) == 0
	case document.Map:
		return len(n.Fields) == 0
	}
	return true
}
