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
	TLS         *document.Node `doc:"tls"` // empty is not the same as absent
	Timeouts    timeouts       `doc:"timeouts"`
	Export      *document.Node `doc:"export"`
}

type timeouts struct {
	Header time.Duration `doc:"header"`
	Total  time.Duration `doc:"total"`
}

func (router) gaps() []gap {
	return []gap{
		{"parentRefs", left}, // the parent's rule and middlewares would not be applied
		{"observability", ignored},
	}
}

func decodeRouter(n *document.Node) (r router, mistakes []document.Mistake) {
	if n.Kind != document.Null {
		mistakes = document.Decode(n, &r)
	}
	return r, mistakes
}

func (o *object) route(spec *router) *model.Route {
	r := &model.Route{
		Name: o.ref.Name, Source: o.ref.Source, EntryPoints: o.entryPoints(spec.EntryPoints),
		Match: o.match(spec), Priority: spec.Priority, TLS: o.tls(spec.TLS), Timeouts: o.timeouts(spec.Timeouts),
		Export: o.export(spec.Export),
	}
	if r.Priority == 0 {
		r.Priority = len(spec.Rule)
	}
	for i, name := range spec.Middlewares {
		r.Middlewares = append(r.Middlewares, o.in("middlewares", i).ref(name))
	}
	if spec.Service == "" {
		o.in("service").invalid("say which service the route leads to")
	} else {
		r.Backends = []model.Backend{{Service: o.in("service").ref(spec.Service), Weight: 1}}
	}
	return r
}

func (o *object) entryPoints(names []string) []string {
	for i, name := range names {
		if name == "" {
			o.in("entryPoints", i).invalid("the name of the entry point is empty")
		}
	}
	names = slices.Sorted(slices.Values(names))
	return slices.Compact(names)
}

func (o *object) match(spec *router) model.Match {
	switch spec.RuleSyntax {
	case "", "v3", "default":
	case "v2":
		o.in("ruleSyntax").unsupported(left)
		return model.Match{}
	default:
		o.in("ruleSyntax").invalid(`%q is no rule syntax; the only one is "v3"`, spec.RuleSyntax)
		return model.Match{}
	}
	if spec.Rule == "" {
		o.in("rule").invalid("say which requests the route is for, such as Host(`a.example`) or PathPrefix(`/`)")
		return model.Match{}
	}
	m, err := ParseRule(spec.Rule)
	if err != nil {
		o.drop(model.InvalidRule, "rule", o.in("rule").at(), err.Error())
	}
	return m
}

// tls reports whether the route is for requests over TLS. As in Traefik a bare true stands for an empty map.
func (o *object) tls(n *document.Node) bool {
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
	var spec struct {
		Options string `doc:"options"`
	}
	o.mistakes(prefixed("tls", document.Decode(n, &spec)), []gap{{"tls.certResolver", ignored}, {"tls.domains", ignored}})
	if spec.Options != "" && spec.Options != "default" {
		o.in("tls", "options").unsupported(left) // they may ask for client certificates
	}
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

// export reads true, false, or {as: name}.
func (o *object) export(n *document.Node) model.Export {
	switch {
	case n == nil || n.Kind == document.Null:
		return model.Export{}
	case n.Kind == document.Scalar:
		offered, err := strconv.ParseBool(n.Text)
		if err != nil {
			o.in("export").invalid(`expected true, false or {as: "namespace/name"}`)
		}
		return model.Export{Offered: offered}
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
