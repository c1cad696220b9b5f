package dynamic

import (
	"slices"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

type tcpSpec struct {
	Routers           *document.Node `doc:"routers"`
	Services          *document.Node `doc:"services"`
	Middlewares       *document.Node `doc:"middlewares"`
	ServersTransports *document.Node `doc:"serversTransports"`
	Models            *document.Node `doc:"models"`
}

// tcpDocument is what a file says of connections.
type tcpDocument struct {
	routers     []entry[tcpRouter]
	services    []entry[tcpService]
	middlewares []entry[tcpMiddleware]
	transports  []entry[tcpTransport]
}

func decodeTCP(d *Document, spec *tcpSpec) tcpDocument {
	d.refuse("tcp.models", spec.Models, 1)
	return tcpDocument{
		routers:     section(d, "tcp.routers", spec.Routers, decodeSpec[tcpRouter]),
		services:    section(d, "tcp.services", spec.Services, decodeSpec[tcpService]),
		middlewares: section(d, "tcp.middlewares", spec.Middlewares, decodeSpec[tcpMiddleware]),
		transports:  section(d, "tcp.serversTransports", spec.ServersTransports, decodeSpec[tcpTransport]),
	}
}

func decodeSpec[T any](n *document.Node) (spec T, mistakes []document.Mistake) {
	if n.Kind != document.Null {
		mistakes = document.Decode(n, &spec)
	}
	return spec, mistakes
}

type tcpRouter struct {
	EntryPoints []string       `doc:"entryPoints"`
	Middlewares []string       `doc:"middlewares"`
	Service     string         `doc:"service"`
	Rule        string         `doc:"rule"`
	RuleSyntax  string         `doc:"ruleSyntax"`
	Priority    int            `doc:"priority"`
	TLS         *document.Node `doc:"tls"` // empty is not the same as absent
	Export      *document.Node `doc:"export"`
}

func (tcpRouter) gaps() []gap { return nil }

// tcpRoute makes a route of a router for connections; false: its rule cannot be read.
func (o *object) tcpRoute(spec *tcpRouter) (*model.Route, bool) {
	r := &model.Route{
		Name: o.ref.Name, Source: o.ref.Source, Lane: model.LaneTCP, EntryPoints: o.entryPoints(spec.EntryPoints),
		Priority: spec.Priority, Export: o.export(spec.Export),
	}
	match, ok := o.tcpMatch(spec)
	r.Match = match
	if r.Priority == 0 {
		r.Priority = tcpPriority(spec.Rule, match)
	}
	o.tcpTLS(r, spec.TLS)
	if ok && !r.TLS && namesHosts(&match) {
		o.in("rule").invalid("only TLS tells the name of a host; add tls: {}, or tls: {passthrough: true}, " +
			"or ask for HostSNI(`*`)")
	}
	for i, name := range spec.Middlewares {
		if ref := o.in("middlewares", i).ref(name); !ref.Name.IsZero() {
			r.Middlewares = append(r.Middlewares, ref)
		}
	}
	o.lead(r, spec.Service)
	return r, ok
}

// lead sets the one service that a stream route leads to, and whether the route is broken.
func (o *object) lead(r *model.Route, service string) {
	if service == "" {
		o.in("service").invalid("say which service the route leads to")
	} else if ref := o.in("service").ref(service); !ref.Name.IsZero() {
		r.Backends = []model.Backend{{Service: ref, Weight: 1}}
	}
	if o.misnamed || o.in("export").isBlamed() {
		r.Export, r.Backends = model.Export{Offered: r.Export.Offered}, nil // see route
	}
	r.Broken = o.faulty()
}

func (o *object) tcpMatch(spec *tcpRouter) (model.Match, bool) {
	switch spec.RuleSyntax {
	case "", "v3", "default":
	default:
		o.in("ruleSyntax").invalid(`%q is no rule syntax that is served; the only one is "v3"`, spec.RuleSyntax)
		return model.Match{}, false
	}
	if spec.Rule == "" {
		o.in("rule").invalid("say which connections the route is for, such as HostSNI(`a.example`) or HostSNI(`*`)")
		return model.Match{}, false
	}
	m, err := ParseTCPRule(spec.Rule)
	if err != nil {
		o.fault(model.InvalidRule, "rule", o.in("rule").at(), err.Error())
	}
	return m, err == nil
}

// tcpPriority is that of a rule for which none is given: as in Traefik its length, and the last for what takes every
// connection.
func tcpPriority(rule string, m model.Match) int {
	if m.Op == model.Is && m.Test == model.HostSNI && m.Value == "*" {
		return -1
	}
	return len(rule)
}

// namesHosts reports whether the rule asks for what only TLS tells.
func namesHosts(m *model.Match) bool {
	if m.Op == model.Is {
		return m.Test == model.HostSNI && m.Value != "*" || m.Test == model.HostSNIRegexp || m.Test == model.ALPN
	}
	return slices.ContainsFunc(m.Of, func(o model.Match) bool { return namesHosts(&o) })
}

// tcpTLS reads whether the route is for TLS, who ends it, and on which terms.
func (o *object) tcpTLS(r *model.Route, n *document.Node) {
	var spec struct {
		Passthrough bool        `doc:"passthrough"`
		Options     string      `doc:"options"`
		Domains     []tlsDomain `doc:"domains"`
	}
	r.TLS = o.asksTLS(n, &spec)
	r.Passthrough = spec.Passthrough
	o.terms(r, spec.Options, spec.Domains)
}
