package api

import (
	"cmp"
	"math"
	"net/http"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

func (s *server) services(w http.ResponseWriter, r *http.Request) error {
	v := s.lookAtHosts()
	used := v.used()
	services := make([]Service, 0, len(v.snapshot.Services))
	wanted := r.URL.Query()["name"]
	for _, service := range v.snapshot.Services {
		if passes(wanted, service.Name.String(), service.Ref().String()) { // live state is asked for only where it is wanted
			by, isUsed := used[service]
			services = append(services, s.service(v, service, by, isUsed))
		}
	}
	cluster := r.URL.Query()["cluster"]
	return answerList(w, r, services, func(s Service) ([]string, string) {
		for _, e := range s.Endpoints {
			if passes(cluster, e.Cluster) {
				return []string{s.Name, s.Name + "@" + s.Source}, e.Cluster
			}
		}
		return []string{s.Name, s.Name + "@" + s.Source}, v.home(model.Source(s.Source))
	})
}

// used returns the services that served routes lead to, weighted services among them, and how their endpoints are
// reached; nil: as by default.
func (v *view) used() map[*model.Service]*model.Transport {
	used := make(map[*model.Service]*model.Transport)
	var mark func(list []model.Backend, from model.Source)
	mark = func(list []model.Backend, from model.Source) {
		for _, b := range list {
			s := v.weighted(b.Service, from)
			if _, known := used[s]; s != nil && !known {
				used[s] = nil
				mark(s.Backends, s.Source)
			}
		}
	}
	for _, rule := range v.rules {
		for i := range rule.Backends {
			rule.Backends[i].Services(func(s *model.Service, by *model.Transport) bool {
				used[s] = by
				return true
			})
		}
		mark(rule.Route.Backends, rule.Route.Source)
	}
	return used
}

// weighted finds the weighted service that a reference in an object of a source names; nil: none.
func (v *view) weighted(ref model.Ref, from model.Source) *model.Service {
	source := cmp.Or(ref.Source, from)
	for _, s := range v.snapshot.Services[v.first(ref.Name):] {
		if s.Name != ref.Name {
			break
		}
		if s.Lane == ref.Lane && len(s.Backends) > 0 && (s.Source == source || s.Source.Kind() == string(source)) {
			return s
		}
	}
	return nil
}

// first returns where in the snapshot the services of a name begin.
func (v *view) first(name model.Name) int {
	i, _ := slices.BinarySearchFunc(v.snapshot.Services, name, func(s *model.Service, n model.Name) int {
		return cmp.Or(s.Name.Compare(n), 1) // never equal: the first of several
	})
	return i
}

// service shows a service; used says whether a served route leads to it.
func (s *server) service(v *view, m *model.Service, by *model.Transport, used bool) Service {
	shown := Service{
		Name: m.Name.String(), Source: string(m.Source), Lane: m.Lane.Label(), Protocol: string(protocolOf(m)),
		Used: used, Endpoints: v.endpoints(m),
	}
	if len(m.Backends) > 0 {
		shown.Backends, shown.Use = backends(m.Backends), string(m.Use)
	}
	if used && len(m.Backends) == 0 {
		// The pool only looks at live state that the proxy's own pool of this service holds: it adds nothing, and starts no
		// check.
		pool := s.Hosts.Pool(m, by)
		defer pool.Close()
		portions, reason := pool.Portions()
		shown.Clusters, shown.Reason = v.shares(portions), string(reason)
	}
	return shown
}

// protocolOf returns what a service's endpoints speak; of a weighted one, what its lane is for.
func protocolOf(s *model.Service) model.Protocol {
	if s.Lane == model.LaneHTTP {
		return cmp.Or(s.Protocol, model.HTTP)
	}
	return cmp.Or(s.Protocol, model.Protocol(s.Lane))
}

func (v *view) shares(portions []upstream.Portion) []ClusterShare {
	var shares []ClusterShare
	for _, p := range portions {
		shares = append(shares, ClusterShare{
			Cluster: v.cluster(p.Cluster), Tier: p.Tier, Weight: p.Weight, Share: round(p.Share),
			Healthy: round(p.Healthy), Capacity: round(p.Capacity), Why: p.Why,
		})
	}
	return shares
}

// round leaves three digits: what is shown should not change with the last bit.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }

func (v *view) endpoints(s *model.Service) []Endpoint {
	var endpoints []Endpoint
	for _, e := range s.Endpoints {
		h := v.hosts[upstream.IDOf(s, &e)]
		endpoints = append(endpoints, Endpoint{
			Address: e.Addr, Cluster: v.cluster(e.Cluster), Zone: e.Zone, Weight: e.Weight, Gateway: e.Gateway,
			State: cmp.Or(string(e.State), "ready"), Health: string(cmp.Or(h.Health, upstream.Unknown)),
			EjectedUntil: h.Ejected, HeldUntil: h.Held, LastError: h.LastError,
		})
	}
	return endpoints
}
