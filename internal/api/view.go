package api

import (
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
)

// view is what the instance's parts say at one moment.
type view struct {
	self     string // the own cluster
	snapshot *model.Snapshot
	rules    map[model.Ref]*route.Rule
	problems []reported
	hosts    map[upstream.ID]upstream.HostState // see lookAtHosts
	now      time.Time
}

// reported is a problem and who found it: the id of a follower's key, or "" for this instance.
type reported struct {
	model.Problem
	by string
}

// look asks the parts. The snapshot and the rules are of one generation.
func (s *server) look() *view {
	v := &view{self: s.Cluster, now: time.Now()}
	var rules []*route.Rule
	for {
		v.snapshot = s.Proxy.Snapshot()
		rules = s.Proxy.Rules()
		if v.snapshot == s.Proxy.Snapshot() {
			break
		}
	}
	if v.snapshot == nil {
		v.snapshot = new(model.Snapshot)
	}
	v.rules = make(map[model.Ref]*route.Rule, len(rules))
	for _, rule := range rules {
		if rule != nil {
			v.rules[rule.Route.Ref()] = rule
		}
	}
	v.problems = s.everythingWrong()
	return v
}

// lookAtHosts is look, and asks for the state of every host, too: there may be very many.
func (s *server) lookAtHosts() *view {
	v := s.look()
	if s.Hosts == nil { // nothing lives, see Explain
		return v
	}
	states := s.Hosts.States()
	v.hosts = make(map[upstream.ID]upstream.HostState, len(states))
	for _, h := range states {
		v.hosts[h.ID] = h
	}
	return v
}

// everythingWrong returns what is wrong here, and what followers say of the exported objects.
func (s *server) everythingWrong() (all []reported) {
	if s.Problems != nil {
		for _, p := range s.Problems() {
			all = append(all, reported{Problem: p})
		}
	}
	if s.Exporter != nil {
		for _, r := range s.Exporter.Reports() {
			for _, p := range r.Problems {
				all = append(all, reported{p, r.Key})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b reported) int { return a.Compare(b.Problem) })
	return all
}

// cluster returns a cluster's name; model and upstream call this instance's own "".
func (v *view) cluster(name string) string {
	if name == "" {
		return v.self
	}
	return name
}

// home returns the cluster that a source's objects were learned from.
func (v *view) home(source model.Source) string {
	if source.Kind() == model.LinkKind {
		return source.Instance() // "" for what is pooled from several clusters
	}
	return v.self
}
