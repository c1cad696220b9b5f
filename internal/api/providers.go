package api

import (
	"maps"
	"net/http"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
)

const statusAwaited = "awaited"

func (s *server) providers(w http.ResponseWriter, r *http.Request) error {
	v := s.look()
	return answerList(w, r, s.sources(v), func(p Provider) ([]string, string) {
		return []string{p.Source}, v.home(model.Source(p.Source))
	})
}

// sources returns the sources that are configured, or of which anything is known.
func (s *server) sources(v *view) []Provider {
	merged := s.Catalog.Current() // not what is served: before a generation is, this is where to see why
	known := make(map[model.Source]*Provider)
	get := func(source model.Source) *Provider {
		if known[source] == nil {
			known[source] = &Provider{Source: string(source), Status: "ok"}
		}
		return known[source]
	}
	for _, source := range merged.Order {
		get(source)
	}
	for name, f := range s.Followers {
		get(model.LinkSource(name)).Revision = f.State().Revision
	}
	for _, r := range merged.Routes {
		get(r.Source).Routes++
	}
	for _, m := range merged.Middlewares {
		get(m.Source).Middlewares++
	}
	for _, service := range merged.Services {
		for _, source := range sourcesOf(service) {
			get(source).Services++
		}
	}
	for _, p := range merged.Problems {
		get(p.Object.Source).tell(p)
	}
	for _, p := range v.problems {
		if _, found := slices.BinarySearchFunc(merged.Problems, p.Problem, model.Problem.Compare); !found && p.by == "" {
			get(p.Object.Source).Problems++ // found by the data plane
		}
	}
	delete(known, "") // nobody's, or several clusters'
	delete(known, model.LinkKind)
	out := make([]Provider, 0, len(known))
	for _, source := range slices.Sorted(maps.Keys(known)) {
		p := *known[source]
		h := s.Catalog.History(source)
		p.Changed, p.Error, p.Reconnects = h.Changed.UTC(), h.Failure, h.Again
		if source.Kind() == model.LinkKind {
			if f, ok := s.Followers[source.Instance()]; ok {
				p.Reconnects = f.State().Reconnects
			}
		}
		if !s.isReady() && p.silent() {
			p.Status = statusAwaited
		}
		out = append(out, p)
	}
	return out
}

// sourcesOf returns who a service comes from: for one that is pooled from several clusters, all of them.
func sourcesOf(s *model.Service) []model.Source {
	if s.Source != model.LinkKind {
		return []model.Source{s.Source}
	}
	var sources []model.Source
	for _, e := range s.Endpoints {
		sources = append(sources, model.LinkSource(e.Cluster))
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}

// tell counts a problem of a source or its objects.
func (p *Provider) tell(found model.Problem) {
	p.Problems++
	if found.Object.Kind != model.KindSource {
		return
	}
	switch found.Code {
	case model.Stale:
		p.Status, p.Since = "stale", found.Since
	case model.Late:
		p.Status = "late"
	}
}

// silent reports whether nothing is known of a source.
func (p *Provider) silent() bool {
	return p.Status == "ok" && p.Routes+p.Services+p.Middlewares+p.Problems == 0 && p.Revision == 0
}
