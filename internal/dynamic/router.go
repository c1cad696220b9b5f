package dynamic

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

type router struct {
	EntryPoints []string       `doc:"entryPoints"`
	Rule        string         `doc:"rule"`
	RuleSyntax  string         `doc:"ruleSyntax"`
	Service     string         `doc:"service"`
	Priority    int            `doc:"priority"`
	Middlewares []string       `doc:"middlewares"`
	ParentRefs  []string       `doc:"parentRefs"`
	TLS         *document.Node `doc:"tls"` // empty is not the same as absent
	Timeouts    timeouts       `doc:"timeouts"`
	Observe     *observability `doc:"observability"`
	Export      *document.Node `doc:"export"`
}

// observability says what is told of a route's requests. What it does not say, the entry point does.
type observability struct {
	AccessLogs     *bool  `doc:"accessLogs"`
	Metrics        *bool  `doc:"metrics"`
	Tracing        *bool  `doc:"tracing"`
	TraceVerbosity string `doc:"traceVerbosity"`
}

func (o *object) observability(spec *observability) model.Observability {
	if spec == nil {
		return model.Observability{}
	}
	detailed, ok := map[string]model.Switch{"": "", "minimal": model.Off, "detailed": model.On}[spec.TraceVerbosity]
	if !ok {
		o.in("observability", "traceVerbosity").invalid(`%q is unknown; write "minimal" or "detailed"`, spec.TraceVerbosity)
	}
	return model.Observability{
		Detailed:   detailed,
		AccessLogs: model.SwitchOf(spec.AccessLogs), Metrics: model.SwitchOf(spec.Metrics),
		Tracing: model.SwitchOf(spec.Tracing),
	}
}

func (router) gaps() []gap { return nil }

type timeouts struct {
	Header time.Duration `doc:"header"`
	Total  time.Duration `doc:"total"`
}

// route makes a route of a router; false: its rule cannot be read, so nobody knows which requests are its own. With
// another fault it is broken, and has what could be read of it.
func (o *object) route(spec *router) (r *model.Route, ok bool) {
	match, ok := o.match(spec)
	r = &model.Route{
		Name: o.ref.Name, Source: o.ref.Source, EntryPoints: o.entryPoints(spec.EntryPoints),
		Match: match, Priority: spec.Priority, Timeouts: o.timeouts(spec.Timeouts), Export: o.export(spec.Export),
	}
	r.Observability = o.observability(spec.Observe)
	o.tls(r, spec.TLS)
	if r.Priority == 0 {
		r.Priority = len(spec.Rule)
	}
	for i, name := range spec.Middlewares {
		if ref := o.in("middlewares", i).ref(name); !ref.Name.IsZero() {
			r.Middlewares = append(r.Middlewares, ref)
		}
	}
	o.place(r, spec)
	if spec.Service == "" {
		o.parent(r) // or it becomes none, and is told when all routes are put together
	} else if ref := o.in("service").ref(spec.Service); !ref.Name.IsZero() {
		r.Backends = []model.Backend{{Service: ref, Weight: 1}}
	}
	if o.misnamed || o.in("export").isBlamed() {
		// The route takes its requests from followers, too, but is told to none: under which name is not known.
		r.Export, r.Backends = model.Export{Offered: r.Export.Offered}, nil
	}
	r.Broken = o.faulty()
	return r, ok && !o.in("parentRefs").isBlamed() // a child that has lost a parent has lost its guard
}

// place reads under which routes the route is served. What these say is not for it to say.
func (o *object) place(r *model.Route, spec *router) {
	for i, name := range spec.ParentRefs {
		if ref := o.in("parentRefs", i).ref(name); !ref.Name.IsZero() {
			r.Parents = append(r.Parents, ref)
		}
	}
	if len(spec.ParentRefs) == 0 {
		return
	}
	const theirs = "the route has those of its parents; take it away"
	if len(spec.EntryPoints) > 0 {
		o.in("entryPoints").invalid(theirs)
	}
	if r.TLS {
		o.in("tls").invalid(theirs)
	}
	if spec.Observe != nil {
		o.in("observability").invalid(theirs)
	}
	if r.Export.Offered {
		o.in("export").invalid("the route is served under its parents only; take it away")
	}
}

// parent checks a route without a service, which leads to its children.
func (o *object) parent(r *model.Route) {
	if r.Export.Offered {
		o.in("export").invalid("the route has no service that could be offered")
	}
	if r.Timeouts != (model.Timeouts{}) {
		o.in("timeouts").invalid("the route has no service to wait for; give them to its children")
	}
}

func (o *object) entryPoints(names []string) (given []string) {
	for i, name := range names {
		if name == "" {
			o.in("entryPoints", i).invalid("the name of the entry point is empty")
		} else {
			given = append(given, name)
		}
	}
	slices.Sort(given)
	return slices.Compact(given)
}

// match reads the rule; false: it cannot be read, or is not the whole of it.
func (o *object) match(spec *router) (model.Match, bool) {
	switch spec.RuleSyntax {
	case "", "v3", "default":
	case "v2":
		o.in("ruleSyntax").unsupported(left)
		return model.Match{}, false
	default:
		o.in("ruleSyntax").invalid(`%q is no rule syntax; the only one is "v3"`, spec.RuleSyntax)
		return model.Match{}, false
	}
	if spec.Rule == "" {
		o.in("rule").invalid("say which requests the route is for, such as Host(`a.example`) or PathPrefix(`/`)")
		return model.Match{}, false
	}
	m, err := ParseRule(spec.Rule)
	if err != nil {
		o.fault(model.InvalidRule, "rule", o.in("rule").at(), err.Error())
	}
	return m, err == nil
}

// tls reads whether the route is for requests over TLS, and on which terms. As in Traefik a bare true stands for an
// empty map.
func (o *object) tls(r *model.Route, n *document.Node) {
	var spec struct {
		Options string      `doc:"options"`
		Domains []tlsDomain `doc:"domains"`
	}
	r.TLS = o.asksTLS(n, &spec)
	o.terms(r, spec.Options, spec.Domains)
}

// asksTLS reports whether there is TLS, and decodes what is said of it.
func (o *object) asksTLS(n *document.Node, spec any) bool {
	switch {
	case n == nil || n.Kind == document.Null:
		return false
	case n.Kind == document.Scalar:
		on, err := strconv.ParseBool(n.Text)
		if err != nil {
			o.in("tls").invalid("expected a map, true or false")
		}
		return on
	}
	o.mistakes(prefixed("tls", document.Decode(n, spec)), []gap{{"tls.certResolver", ignored}})
	return true
}

// prefixed gives mistakes inside a value their path from the object.
func prefixed(name string, mistakes []document.Mistake) []document.Mistake {
	for i := range mistakes {
		if field := &mistakes[i].Field; *field == "" {
			*field = name
		} else {
			*field = name + "." + *field
		}
	}
	return mistakes
}

func (o *object) timeouts(spec timeouts) model.Timeouts {
	o.in("timeouts", "header").notNegative(spec.Header)
	o.in("timeouts", "total").notNegative(spec.Total)
	return model.Timeouts(spec)
}

func (p place) notNegative(d time.Duration) {
	if d < 0 {
		p.invalid("%s is negative", d)
	}
}

// export reads true, false, or {as: name}. What is neither counts as true.
func (o *object) export(n *document.Node) model.Export {
	switch {
	case n == nil || n.Kind == document.Null:
		return model.Export{}
	case n.Kind == document.Scalar:
		offered, err := strconv.ParseBool(n.Text)
		if err != nil {
			o.in("export").invalid(`expected true, false or {as: "namespace/name"}`)
		}
		return model.Export{Offered: offered || err != nil}
	}
	var spec struct {
		As string `doc:"as"`
	}
	o.mistakes(prefixed("export", document.Decode(n, &spec)), nil)
	e := model.Export{Offered: true}
	if spec.As != "" {
		e.As = model.ParseName(spec.As)
		if err := errors.Join(checkName(e.As.Name), checkNamespace(e.As.Namespace)); err != nil {
			o.in("export", "as").invalid(`%q is no fleet-wide name; write "name" or "namespace/name"`, spec.As)
		}
	}
	return e
}

func checkNamespace(namespace string) error {
	if namespace == "" {
		return nil
	}
	return checkName(namespace)
}
