package route_test

import (
	"cmp"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// twin chooses the route that serves q in the simplest way: sort them all by the written order, take the first that
// accepts q; and says whether it is broken. It shares nothing with what it is compared with.
func twin(s *model.Snapshot, q *route.Request, exported bool) (r *model.Route, broken bool) {
	return twinUnder(nil, s, q, exported)
}

// twinUnder is twin among the children of a route.
func twinUnder(parent *model.Route, s *model.Snapshot, q *route.Request, exported bool) (r *model.Route, broken bool) {
	routes := slices.SortedFunc(slices.Values(s.Routes), func(a, b *model.Route) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(twinRank(s, a.Source), twinRank(s, b.Source)),
			a.Since.Compare(b.Since), twinPlain(a)-twinPlain(b), cmp.Compare(a.Name.Namespace, b.Name.Namespace),
			cmp.Compare(a.Name.Name, b.Name.Name), cmp.Compare(a.Source, b.Source))
	})
	for _, r := range routes {
		here := len(r.EntryPoints) == 0 && q.Default || slices.Contains(r.EntryPoints, q.EntryPoint)
		secure := !r.TLS || q.TLS
		if q.Lane == model.LaneTCP {
			secure = r.TLS == q.TLS
		}
		if exported {
			here = r.Export.Offered
		}
		if parent != nil {
			here, secure = twinIsChild(r, parent), true
		} else if len(r.Parents) > 0 {
			continue
		}
		if r.Lane == q.Lane && here && secure && twinValid(r.Match) && twinAccepts(r.Match, q) {
			both := len(r.Backends) > 0 && slices.ContainsFunc(s.Routes, func(o *model.Route) bool { return twinIsChild(o, r) })
			guarded := twinHas(s, r.Middlewares, r.Source, 0) &&
				twinGuarded(s, r.Backends, r.Source, make(map[*model.Service]bool))
			return r, r.Broken || both || !guarded
		}
	}
	return nil, false
}

// twinPlain is 1 for a route that takes more than what comes over TLS.
func twinPlain(r *model.Route) int {
	if r.TLS {
		return 0
	}
	return 1
}

func twinIsChild(r, parent *model.Route) bool {
	return r.Lane == parent.Lane && slices.ContainsFunc(r.Parents, func(ref model.Ref) bool {
		source := cmp.Or(ref.Source, r.Source)
		return ref.Name == parent.Name && (source == parent.Source || string(source) == parent.Source.Kind())
	})
}

func twinRank(s *model.Snapshot, source model.Source) int {
	if i := slices.Index(s.Order, source); i >= 0 {
		return i
	}
	return len(s.Order)
}

// twinHas reports whether all the middlewares are there, and do not lead in circles.
func twinHas(s *model.Snapshot, refs []model.Ref, from model.Source, depth int) bool {
	for _, ref := range refs {
		m, ok := twinFind(s, s.Middlewares, ref, from)
		if !ok || depth > 20 {
			return false
		}
		if m.Chain != nil && !twinHas(s, m.Chain.Middlewares, m.Source, depth+1) {
			return false
		}
	}
	return true
}

// twinReaches reports whether the transport is there that a service names, if it names one.
func twinReaches(s *model.Snapshot, svc *model.Service) bool {
	_, ok := twinFind(s, s.Transports, svc.Transport, svc.Source)
	return ok || svc.Transport == (model.Ref{})
}

// twinGuarded reports whether all the middlewares are there of all the services.
func twinGuarded(
	s *model.Snapshot, backends []model.Backend, from model.Source, seen map[*model.Service]bool,
) bool {
	for _, b := range backends {
		svc, ok := twinFind(s, s.Services, b.Service, from)
		if !ok || seen[svc] || !twinReaches(s, svc) {
			continue
		}
		seen[svc] = true
		if !twinHas(s, svc.Middlewares, svc.Source, 0) || !twinGuarded(s, svc.Backends, svc.Source, seen) {
			return false
		}
	}
	return true
}

// twinFind finds what a reference means.
func twinFind[T interface{ Ref() model.Ref }](s *model.Snapshot, list []T, ref model.Ref, from model.Source) (T, bool) {
	var meant []T
	for _, o := range list {
		own := o.Ref()
		if own.Name != ref.Name || own.Lane != ref.Lane {
			continue
		}
		if own.Source == cmp.Or(ref.Source, from) {
			return o, true
		}
		if own.Source.Kind() == string(ref.Source) {
			meant = append(meant, o)
		}
	}
	if len(meant) == 0 {
		var none T
		return none, false
	}
	return slices.MinFunc(meant, func(a, b T) int {
		x, y := a.Ref().Source, b.Ref().Source
		return cmp.Or(cmp.Compare(twinRank(s, x), twinRank(s, y)), cmp.Compare(x, y))
	}), true
}

func twinValid(m model.Match) bool {
	if strings.HasSuffix(string(m.Test), "Regexp") {
		_, err := regexp.Compile(m.Value)
		return err == nil
	}
	return !slices.ContainsFunc(m.Of, func(o model.Match) bool { return !twinValid(o) })
}

func twinAccepts(m model.Match, q *route.Request) bool {
	accepts := func(o model.Match) bool { return twinAccepts(o, q) }
	refuses := func(o model.Match) bool { return !twinAccepts(o, q) }
	find := func(s string) bool { return regexp.MustCompile(m.Value).MatchString(s) }
	switch m.Op {
	case model.All:
		return !slices.ContainsFunc(m.Of, refuses)
	case model.Any:
		return slices.ContainsFunc(m.Of, accepts)
	case model.Not:
		return len(m.Of) == 1 && refuses(m.Of[0])
	}
	switch query, _ := url.ParseQuery(q.RawQuery); m.Test {
	case model.Host:
		_, rest, _ := strings.Cut(q.Host, ".")
		return q.Host == m.Value || rest != "" && !strings.HasPrefix(q.Host, ".") && "*."+rest == m.Value
	case model.HostSNI:
		if m.Value == "*" {
			return true
		}
		m.Test = model.Host
		return twinAccepts(m, q)
	case model.ALPN:
		return slices.Contains(q.ALPN, m.Value)
	case model.HostRegexp, model.HostSNIRegexp:
		return find(q.Host)
	case model.Path:
		return q.Path == m.Value
	case model.PathPrefix:
		return strings.HasPrefix(q.Path, m.Value)
	case model.PathRegexp:
		return find(q.Path)
	case model.Method:
		return q.Method == m.Value
	case model.Header:
		return slices.Contains(q.Header.Values(m.Key), m.Value)
	case model.HeaderRegexp:
		return slices.ContainsFunc(q.Header.Values(m.Key), find)
	case model.Query:
		return slices.Contains(query[m.Key], m.Value)
	case model.QueryRegexp:
		return slices.ContainsFunc(query[m.Key], find)
	}
	return netip.MustParsePrefix(m.Value).Contains(q.ClientIP)
}
