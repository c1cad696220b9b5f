package sim

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// requests are asked of every table. They are few, but each kind of claim answers some of them.
func requests() []*route.Request {
	hosts := []string{"shop.example", "api.example", "b.fra.example", "outside.example"}
	for _, c := range clusterNames {
		hosts = append(hosts, "a."+c+".example")
	}
	var out []*route.Request
	for i, host := range hosts {
		for j, path := range []string{"/", "/x", "/xy", "/x/y", "/shared/z"} {
			q := &route.Request{EntryPoint: "web", Default: true, Method: "GET", Host: host, Path: path, Header: http.Header{}}
			if (i+j)%2 == 1 {
				q.EntryPoint, q.TLS = "websecure", true
			}
			if j == 3 {
				q.Header.Set("X-Team", "blue")
			}
			out = append(out, q)
		}
	}
	return out
}

func requestText(q *route.Request) string {
	return fmt.Sprintf("%s%s on %s", q.Host, q.Path, q.EntryPoint)
}

// answers returns the routes that a table chooses for the requests; nil: none.
func answers(t *route.Table, requests []*route.Request) []*model.Route {
	out := make([]*model.Route, len(requests))
	for i, q := range requests {
		own := *q // Match notes in it what it asked for
		if rule, ok := t.Match(&own); ok {
			out[i] = rule.Route
		}
	}
	return out
}

func refOf(r *model.Route) string {
	if r == nil {
		return "nothing"
	}
	return r.Ref().String()
}

// first is the twin of Match: the first route that accepts, in the order of preference.
func first(routes []*model.Route, q *route.Request) *model.Route {
	i := slices.IndexFunc(routes, func(r *model.Route) bool { return accepts(r, q) })
	if i < 0 {
		return nil
	}
	return routes[i]
}

// preferred sorts routes as design §8 has it: priority, precedence of the clusters, earlier claim, TLS, name.
func preferred(routes []*model.Route, order []model.Source) []*model.Route {
	rank := func(r *model.Route) int {
		if i := slices.Index(order, r.Source); i >= 0 {
			return i
		}
		return len(order)
	}
	return slices.SortedFunc(slices.Values(routes), func(a, b *model.Route) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(rank(a), rank(b)), a.Since.Compare(b.Since),
			overTLS(a)-overTLS(b), a.Ref().Compare(b.Ref()))
	})
}

// overTLS is 0 for a route that takes only requests over TLS, and 1 for others.
func overTLS(r *model.Route) int {
	if r.TLS {
		return 0
	}
	return 1
}

// accepts reports whether a route that has entry points accepts a request.
func accepts(r *model.Route, q *route.Request) bool {
	return (!r.TLS || q.TLS) && slices.Contains(r.EntryPoints, q.EntryPoint) && holds(&r.Match, q)
}

func holds(m *model.Match, q *route.Request) bool {
	switch m.Op {
	case model.Is:
		return test(m, q)
	case model.Any:
		for i := range m.Of {
			if holds(&m.Of[i], q) {
				return true
			}
		}
		return false
	}
	for i := range m.Of { // model.All; no claim has a negation
		if !holds(&m.Of[i], q) {
			return false
		}
	}
	return true
}

func test(m *model.Match, q *route.Request) bool {
	switch m.Test {
	case model.Host:
		return m.Value == q.Host
	case model.HostRegexp:
		return regexp.MustCompile(m.Value).MatchString(q.Host)
	case model.Path:
		return m.Value == q.Path
	case model.PathPrefix:
		return strings.HasPrefix(q.Path, m.Value)
	case model.PathRegexp:
		return regexp.MustCompile(m.Value).MatchString(q.Path)
	case model.Header:
		return slices.Contains(q.Header.Values(m.Key), m.Value)
	}
	panic("a claim has a test that requests_test.go does not know: " + m.Test)
}
