package route_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// dice makes choices from bytes: of a fuzzer, or at random.
type dice struct{ bytes []byte }

func randomDice(seed uint64) *dice {
	r := rand.New(rand.NewPCG(seed, 1))
	bytes := make([]byte, 20_000)
	for i := range bytes {
		bytes[i] = byte(r.Uint32())
	}
	return &dice{bytes}
}

// roll returns a number below n; 0 when there are no more bytes.
func (d *dice) roll(n int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % n
}

func pick[T any](d *dice, from ...T) T { return from[d.roll(len(from))] }

// The worlds of the random snapshots and requests are small, so that they meet.
func (d *dice) source() model.Source {
	return pick[model.Source](d, "file", "docker/a", "link/x", "link/y")
}
func (d *dice) name() model.Name {
	return model.Name{Namespace: pick(d, "", "ns"), Name: pick(d, "a", "b", "c", "d", "e")}
}

func (d *dice) lane() model.Lane {
	return pick(d, model.LaneHTTP, model.LaneHTTP, model.LaneTCP, model.LaneUDP)
}

func (d *dice) ref(lane model.Lane) model.Ref {
	source := pick[model.Source](d, "", "", "", "file", "docker/a", "link/x", "docker", "link")
	return model.Ref{Name: d.name(), Source: source, Lane: lane}
}

func (d *dice) pattern() string {
	return pick(d, "a.test", "b.test", "*.a.test", "x.a.test", "*.test", "y.b.test", "test", "*", "*.")
}
func (d *dice) host() string {
	return pick(d, "a.test", "b.test", "x.a.test", "y.b.test", "z.x.a.test", "test", "", ".test", "c.test")
}
func (d *dice) path() string {
	return pick(d, "/", "/a", "/ab", "/a/b", "/abc", "/b", "", "/a/", "/é", "/a/b/c")
}

func (d *dice) rawQuery() string {
	return pick(d, "", "k=v", "k", "k=", "k=w&k=v", "k=%76", "%6b=v", "k=v;", "k=v%", "&&k=v", "k=+v", "k=%20v", "=v&j=v")
}
func (d *dice) regexp() string { return pick(d, "a", "^/a", `^x\.`, "^$", "test$", "(", "v") }

// streamLeaf is leaf for the lane of TCP.
func (d *dice) streamLeaf() model.Match {
	switch d.roll(5) {
	case 0:
		return model.Leaf(model.HostSNIRegexp, d.regexp())
	case 1:
		return model.Leaf(model.ALPN, pick(d, "h2", "postgresql"))
	case 2:
		return model.Leaf(model.ClientIP, pick(d, "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"))
	}
	return model.Leaf(model.HostSNI, d.pattern())
}

func (d *dice) leaf() model.Match {
	test := pick(d, model.Host, model.Path, model.PathPrefix, model.Host, model.PathPrefix, model.Host, model.HostRegexp,
		model.PathRegexp, model.Method, model.Header, model.HeaderRegexp, model.Query, model.QueryRegexp, model.ClientIP)
	m := model.Leaf(test, d.regexp())
	switch test {
	case model.Host:
		m.Value = d.pattern()
	case model.Path, model.PathPrefix:
		m.Value = d.path()
	case model.Method:
		m.Value = pick(d, "GET", "PUT")
	case model.Header:
		m.Key, m.Value = pick(d, "X-A", "X-B"), pick(d, "a", "v")
	case model.Query:
		m.Key, m.Value = pick(d, "k", "j"), pick(d, "v", "", " v")
	case model.HeaderRegexp:
		m.Key = "X-A"
	case model.QueryRegexp:
		m.Key = "k"
	case model.ClientIP:
		m.Value = pick(d, "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32")
	}
	return m
}

func (d *dice) match(lane model.Lane, depth int) model.Match {
	if lane == model.LaneUDP {
		return model.Match{} // there is nothing to ask of a datagram
	}
	op := pick(d, model.All, model.Is, model.Is, model.Any, model.Not, model.All)
	if op == model.Is || depth == 0 {
		if lane == model.LaneTCP {
			return d.streamLeaf()
		}
		return d.leaf()
	}
	m := model.Match{Op: op}
	n := pick(d, 2, 2, 3, 0, 1)
	if op == model.Not {
		n = pick(d, 1, 1, 1, 1, 0)
	}
	for range n {
		m.Of = append(m.Of, d.match(lane, depth-1))
	}
	return m
}

func (d *dice) route(name model.Name, source model.Source, lane model.Lane) *model.Route {
	r := &model.Route{
		Name: name, Source: source, Lane: lane, Match: d.match(lane, 3), Priority: d.roll(4), TLS: d.roll(4) == 3,
		EntryPoints: pick(d, nil, []string{"web"}, []string{"admin", "web"}),
		Backends:    d.backends(lane),
		Export:      model.Export{Offered: d.roll(2) == 1},
		Broken:      d.roll(8) == 7,
	}
	if d.roll(3) == 2 {
		r.Since = time.Unix(int64(d.roll(3)), 0)
	}
	if lane == model.LaneHTTP && d.roll(4) == 3 {
		r.Parents = []model.Ref{d.ref(lane), d.ref(lane)}
	}
	for range d.roll(3) {
		r.Middlewares = append(r.Middlewares, d.ref(lane))
	}
	return r
}

func (d *dice) backends(lane model.Lane) (list []model.Backend) {
	for range pick(d, 1, 1, 2, 0, 3) {
		list = append(list, model.Backend{Service: d.ref(lane), Weight: d.roll(4)})
	}
	return list
}

func (d *dice) service(name model.Name, source model.Source, lane model.Lane) *model.Service {
	s := &model.Service{Name: name, Source: source, Lane: lane}
	if d.roll(3) == 2 {
		s.Backends = d.backends(lane)
		s.Use = pick(d, model.ByWeight, model.ByWeight, model.ByClient, model.Failover, model.Mirror)
		s.Aware = d.roll(4) == 3
	} else {
		s.Endpoints = []model.Endpoint{{Addr: "10.0.0.1:" + strconv.Itoa(d.roll(256)), Weight: 1}}
		if d.roll(4) == 3 {
			s.Transport = d.ref(lane)
		}
	}
	if d.roll(6) == 5 {
		s.Middlewares = []model.Ref{d.ref(lane)}
	}
	return s
}

func (d *dice) middleware(name model.Name, source model.Source, lane model.Lane) *model.Middleware {
	m := &model.Middleware{Name: name, Source: source, Lane: lane, Headers: &model.Headers{}}
	if d.roll(4) == 3 {
		m.Headers, m.Chain = nil, &model.Chain{Middlewares: []model.Ref{d.ref(lane), d.ref(lane)}}
	}
	return m
}

func (d *dice) snapshot(n int) *model.Snapshot {
	s := &model.Snapshot{Order: []model.Source{"link/y", "file"}}
	for range n {
		s = d.edit(s)
	}
	return s
}

// edit returns a copy of s with one object added, changed or taken away; now and then, with another order.
func (d *dice) edit(before *model.Snapshot) *model.Snapshot {
	s := *before
	s.Version++
	switch name, source, lane := d.name(), d.source(), d.lane(); d.roll(18) {
	case 0:
		s.Order = pick(d, []model.Source{"file"}, []model.Source{"link/x", "docker/a", "link/y"}, nil)
	case 1, 2, 3, 4:
		s.Services = replace(d, s.Services, d.service(name, pick(d, source, "link"), lane))
	case 5, 6, 7:
		s.Middlewares = replace(d, s.Middlewares, d.middleware(name, source, lane))
	case 8:
		if len(s.Routes) > 1 { // a twin of another, which may lead elsewhere
			r := *s.Routes[d.roll(len(s.Routes))]
			r.Name, r.Source, r.Backends = name, source, d.backends(r.Lane)
			s.Routes = replace(d, s.Routes, &r)
		}
	case 9, 10:
		s.Transports = replace(d, s.Transports, &model.Transport{Name: name, Source: source, Lane: lane})
	default:
		s.Routes = replace(d, s.Routes, d.route(name, source, lane))
	}
	return &s
}

// replace returns a sorted list with object in the place of the one of its name, or, sometimes, without that.
func replace[T interface{ Ref() model.Ref }](d *dice, list []T, object T) []T {
	list = slices.Clone(list)
	i, found := slices.BinarySearchFunc(list, object.Ref(), func(o T, r model.Ref) int { return o.Ref().Compare(r) })
	switch {
	case !found:
		return slices.Insert(list, i, object)
	case d.roll(3) == 2:
		return slices.Delete(list, i, i+1)
	}
	list[i] = object
	return list
}

func (d *dice) request() *route.Request {
	q := &route.Request{
		Lane: d.lane(), ALPN: pick(d, nil, []string{"h2", "http/1.1"}, []string{"postgresql"}),
		EntryPoint: pick(d, "web", "admin", "other"), TLS: d.roll(2) == 0, Method: pick(d, "GET", "PUT"),
		Host: d.host(), Path: d.path(), RawQuery: d.rawQuery(),
		ClientIP: netip.MustParseAddr(pick(d, "10.1.0.1", "10.2.0.1", "2001:db8::1", "192.0.2.1")),
		Header:   http.Header{"X-A": pick(d, nil, []string{"a"}, []string{"b", "v"}), "X-B": {"v"}},
	}
	q.Default = q.EntryPoint != "admin"
	return q
}

// show renders a table's answers.
func show(t *route.Table, requests []*route.Request) string {
	var out strings.Builder
	for _, p := range t.Problems() {
		fmt.Fprintln(&out, p)
	}
	for _, q := range requests {
		fmt.Fprintf(&out, "%s %s%s?%s\n", q.Lane, q.Host, q.Path, q.RawQuery)
		for _, step := range t.Explain(q) {
			fmt.Fprintln(&out, " ", step)
			if step.Rule == nil {
				continue
			}
			if step.Rule.Broken {
				fmt.Fprintln(&out, "    broken")
			}
			for _, b := range step.Rule.Backends {
				fmt.Fprintln(&out, "   ", showBackend(b), b.Service.Endpoints)
				b.Services(func(s *model.Service, by *model.Transport) bool {
					fmt.Fprintf(&out, "      %s %v by %p\n", s.Ref(), s.Endpoints, by)
					return true
				})
			}
			for _, m := range step.Rule.Middlewares {
				fmt.Fprintf(&out, "    %s %p\n", m.Ref(), m)
			}
		}
	}
	return out.String()
}
