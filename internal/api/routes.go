package api

import (
	"net/http"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

func (s *server) routes(w http.ResponseWriter, r *http.Request) error {
	v := s.look()
	codes := make(map[model.Ref][]string)
	for _, p := range v.problems {
		if p.Object.Kind == model.KindRoute {
			codes[p.Object.Ref] = append(codes[p.Object.Ref], string(p.Code))
		}
	}
	routes := make([]Route, 0, len(v.snapshot.Routes))
	for _, route := range v.snapshot.Routes {
		routes = append(routes, v.route(route, codes[route.Ref()]))
	}
	return answerList(w, r, routes, func(r Route) ([]string, string) {
		return []string{r.Name, r.Name + "@" + r.Source}, r.Cluster
	})
}

// route shows a route. codes are those of its problems.
func (v *view) route(r *model.Route, codes []string) Route {
	rule := v.rules[r.Ref()]
	shown := Route{
		Name: r.Name.String(), Source: string(r.Source), Lane: r.Lane.Label(), Cluster: v.home(r.Source),
		Rule: r.Match.String(), Priority: r.Priority, EntryPoints: r.EntryPoints, TLS: r.TLS, Passthrough: r.Passthrough,
		Backends: backends(r.Backends),
		Since:    r.Since, Served: rule != nil && !rule.Broken, Status: "ok",
	}
	for _, m := range r.Middlewares {
		shown.Middlewares = append(shown.Middlewares, m.String())
	}
	if r.Export.Offered {
		shown.ExportedAs = r.ExportedAs().String()
	}
	if len(codes) > 0 {
		shown.Status = "problem"
		slices.Sort(codes)
		shown.Problems = slices.Compact(codes)
	}
	return shown
}

func backends(list []model.Backend) []Backend {
	out := make([]Backend, 0, len(list))
	for _, b := range list {
		out = append(out, Backend{b.Service.String(), b.Weight})
	}
	return out
}
