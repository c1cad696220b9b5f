package dynamic

import (
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// decode reads the labels of a workload, and keeps of what it reads what snapshots need.
func (w *Workloads) decode(one *Workload) *decodedWorkload {
	d := &decodedWorkload{Workload: *one}
	if doc := w.document(one); doc != nil {
		d.parts, d.problems = doc.parts, doc.problems()
	}
	for i := range d.parts {
		d.parts[i].make = nil // nothing is around workloads that would make it another; all that it was made from goes
	}
	return d
}

// document makes a document of a workload's labels; nil: it is not exposed, or has nothing to serve.
func (w *Workloads) document(one *Workload) *Document {
	texts, own := w.options.strip(one.Labels)
	at := document.Position{File: one.place()}
	enabled, mistakes := w.enabled(own, at)
	if !enabled || !w.options.constraint(one) {
		if len(mistakes) == 0 {
			return nil
		}
		return &Document{source: w.source, file: one.place(), mistakes: mistakes}
	}
	if mesh, _ := strconv.ParseBool(own["consulcatalog.connect"]); mesh && one.Mesh == "" {
		return &Document{source: w.source, file: one.place(), mistakes: []document.Mistake{{
			At: at, Field: "consulcatalog.connect", Message: "the provider is no part of the mesh, so this is not served; " +
				"set connectAware of providers.consulCatalog",
		}}}
	}
	root, flat := document.Flat(one.place(), '.', texts)
	c := completion{w: one, options: w.options, root: root, mistakes: map[claim][]document.Mistake{}}
	if len(texts) == 0 && own["enable"] == "" && !one.absent() {
		if _, mistake := one.address("", false); mistake != "" {
			return nil // nobody asked for it
		}
	}
	mistakes = append(mistakes, mistaken(own, at)...)
	c.complete()
	d := decodeTree(w.source, one.place(), root)
	d.mistakes = append(append(d.mistakes, flat...), mistakes...)
	blame(d.services, "http.services", c.mistakes)
	blame(d.routers, "http.routers", c.mistakes)
	blame(d.tcp.services, "tcp.services", c.mistakes)
	blame(d.tcp.routers, "tcp.routers", c.mistakes)
	blame(d.udp.services, "udp.services", c.mistakes)
	blame(d.udp.routers, "udp.routers", c.mistakes)
	d.addParts()
	for i := range d.parts {
		one.amend(&d.parts[i].made)
	}
	return d
}

// enabled reports whether a workload is to be served, as far as it says so itself.
func (w *Workloads) enabled(own map[string]string, at document.Position) (bool, []document.Mistake) {
	text, given := own["enable"]
	if !given {
		return w.options.ExposedByDefault, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, []document.Mistake{{
			At: at, Field: "enable", Message: strconv.Quote(text) + " is neither true nor false; it is not served",
		}}
	}
	return on, nil
}

// blame adds mistakes to the objects that they are about.
func blame[T any](entries []entry[T], section string, mistakes map[claim][]document.Mistake) {
	for i := range entries {
		e := &entries[i]
		e.mistakes = append(e.mistakes, mistakes[claim{section, e.name}]...)
	}
}

// amend says of what the labels made what the workload knows better.
func (w *Workload) amend(m *made) {
	for i := range m.problems { // as the labels write it
		m.problems[i].Field = strings.Replace(m.problems[i].Field, ".servers[0]", ".server", 1)
	}
	if m.service != nil && w.State != model.Ready {
		for i := range m.service.Endpoints {
			m.service.Endpoints[i].State = w.State
		}
	}
	if r := m.route; r != nil && r.Export.Offered && r.Export.As.IsZero() && len(r.Backends) > 0 && w.Namespace != "" {
		r.Export.As = model.Name{Namespace: w.Namespace, Name: r.Backends[0].Service.Name.Name}
		if r.Export.As.Name == w.Name && w.Short != "" {
			r.Export.As.Name = w.Short
		}
	}
}
