package sim

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
	"github.com/fairlead/fairlead/internal/route"
)

// sabotage is one small way in which the system could be wrong, and the invariant that it breaks.
type sabotage struct {
	name   string
	breaks string
	hooks  hooks
	steps  string // where only rare steps show it; "": seeds
}

// TestSabotage proves that the checks can fail: each sabotage is found, as what it is. And there is one for each
// invariant.
func TestSabotage(t *testing.T) {
	const seeds = 20
	all := slices.Concat(sabotagedLinks(), sabotagedSinks(), sabotagedTables(), sabotagedRest())
	caught := map[string]bool{"script": true}
	for _, s := range all {
		caught[s.breaks] = true
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var found []violation
			for seed := uint64(1); seed <= seeds; seed++ {
				steps := planOf(seed)
				if s.steps != "" {
					steps = parse(s.steps)
				}
				found = play(t, seed, steps, s.hooks)
				if slices.ContainsFunc(found, func(v violation) bool { return v.invariant == s.breaks }) {
					return
				}
			}
			t.Errorf("%q was not broken in %d seeds; in the last: %v", s.breaks, seeds, found)
		})
	}
	for _, name := range invariants {
		if !caught[name] {
			t.Errorf("nothing proves that the check of %q can fail", name)
		}
	}
}

func sabotagedLinks() []sabotage {
	const route = `"set":{"route"`
	return []sabotage{
		{"a line of a stream is lost", "whole states", hooks{wire: func(p []byte) []byte {
			lines := bytes.SplitAfter(p, []byte("\n"))
			if i := slices.IndexFunc(lines, func(l []byte) bool { return bytes.Contains(l, []byte(route)) }); i >= 0 {
				lines = slices.Delete(lines, i, i+1)
			}
			return bytes.Join(lines, nil)
		}}, ""},
		{"a secret on the wire", "no secrets", hooks{wire: func(p []byte) []byte {
			return append([]byte(`{"note":"`+marker+`"}`+"\n"), p...)
		}}, "wait 1s"},
		{"published before synced", "whole states", hooks{follow: publishing(func(s model.Snapshot) []model.Snapshot {
			half := s
			half.Routes = s.Routes[:len(s.Routes)/2]
			return []model.Snapshot{half, s}
		})}, ""},
		{"what is wrong is not said", "bad objects", hooks{follow: publishing(func(s model.Snapshot) []model.Snapshot {
			s.Problems = nil
			return []model.Snapshot{s}
		})}, ""},
		{"the grant is not asked", "whole states", hooks{grant: func(link.Grant) link.Grant {
			return link.Grant{Hosts: []string{"*"}, Services: []string{"*"}, EntryPoints: []string{"web", "websecure"}}
		}}, ""},
		{"a silent link counts as up", "silence", hooks{leaky: true}, "wait 2s\nstall east fra-1\nwait 4s"},
		{"a revoked key goes on", "revoked", hooks{loyal: true}, "wait 2s\nrevoke east fra\nwait 4s"},
		{"the cluster is not told of conflicts", "convergence", hooks{mute: true},
			"set ams +shop host=shop.example service=shop priority=10\n" +
				"set osl +other host=shop.example service=osl/other priority=10"},
		{"a fault lasts", "convergence", hooks{endless: true}, "cut east lon-1"},
		{"a cluster shows what it does not know yet", "whole states", hooks{hasty: true},
			"wait 2s\nbreak lon\ncrash lon-1\nstart lon-1\nwait 30s"},
	}
}

// publishing is a hook that changes what a provider publishes.
func publishing(change func(model.Snapshot) []model.Snapshot) func(provider.Provider) provider.Provider {
	return func(p provider.Provider) provider.Provider { return meddler{p, change} }
}

type meddler struct {
	next   provider.Provider
	change func(model.Snapshot) []model.Snapshot
}

func (m meddler) Run(ctx context.Context, publish func(model.Snapshot)) error {
	return m.next.Run(ctx, func(s model.Snapshot) {
		for _, s := range m.change(s) {
			publish(s)
		}
	})
}

// sink is a hook between provider.Run and the catalog: it may do anything with what comes by.
type sink struct {
	next provider.Sink
	set  func(next provider.Sink, before, s model.Snapshot) // nil: pass it on
	fail func(next provider.Sink, source model.Source, err error)
	last model.Snapshot
}

func (k *sink) Set(s model.Snapshot) {
	before := k.last
	k.last = s
	if k.set == nil {
		k.next.Set(s)
		return
	}
	k.set(k.next, before, s)
}

func (k *sink) Fail(source model.Source, err error) {
	if k.fail == nil {
		k.next.Fail(source, err)
		return
	}
	k.fail(k.next, source, err)
}

func setting(set func(next provider.Sink, before, s model.Snapshot)) func(provider.Sink) provider.Sink {
	return func(next provider.Sink) provider.Sink { return &sink{next: next, set: set} }
}

func failing(fail func(next provider.Sink, source model.Source, err error)) func(provider.Sink) provider.Sink {
	return func(next provider.Sink) provider.Sink { return &sink{next: next, fail: fail} }
}

// cloned returns the snapshot with routes of its own, each changed.
func cloned(s model.Snapshot, change func(*model.Route)) model.Snapshot {
	s.Routes = slices.Clone(s.Routes)
	for i, r := range s.Routes {
		c := *r
		change(&c)
		s.Routes[i] = &c
	}
	return s
}

func sabotagedSinks() []sabotage {
	return []sabotage{
		{"every object is made anew", "pointers", hooks{said: setting(func(next provider.Sink, _, s model.Snapshot) {
			next.Set(cloned(s, func(*model.Route) {}))
		})}, ""},
		{"claims grow young", "claim ages", hooks{said: setting(func(next provider.Sink, _, s model.Snapshot) {
			next.Set(cloned(s, func(r *model.Route) { r.Since = time.Now() }))
		})}, ""},
		{"an old snapshot comes again", "newest wins", hooks{said: setting(func(next provider.Sink, last, s model.Snapshot) {
			next.Set(s)
			if last.Version > 0 {
				next.Set(last)
			}
		})}, ""},
		{"a secret in a snapshot", "no secrets", hooks{said: setting(func(next provider.Sink, _, s model.Snapshot) {
			s.Problems = append(s.Problems, model.Problem{Message: "the key " + marker + " is wrong"})
			next.Set(s)
		})}, "wait 1s"},
		{"a damaged cache is not spoken of", "restored", hooks{said: setting(func(next provider.Sink, _, s model.Snapshot) {
			s.Problems = slices.DeleteFunc(slices.Clone(s.Problems), func(p model.Problem) bool {
				return p.Code == model.InvalidFile
			})
			next.Set(s)
		})}, "wait 3s\ncrash east\nspoil east * flip\nstart east\nwait 1s"},
		{"failures are not passed on", "stale", hooks{kept: failing(func(provider.Sink, model.Source, error) {})}, ""},
		{"what is connected is called stale", "stale", hooks{kept: setting(func(next provider.Sink, _, s model.Snapshot) {
			next.Set(s)
			next.Fail(s.Source, errReset)
		})}, ""},
		{"a source that fails loses what it said", "kept", hooks{
			kept: failing(func(next provider.Sink, source model.Source, err error) {
				next.Set(model.Snapshot{Source: source, Version: 1})
				next.Fail(source, err)
			}),
		}, ""},
		{"a route outside the grant is served", "grant", hooks{kept: setting(func(next provider.Sink, _, s model.Snapshot) {
			next.Set(cloned(s, func(r *model.Route) { r.Match = model.Match{} }))
		})}, ""},
		{"a restart loses a route", "restart", hooks{kept: setting(func(next provider.Sink, before, s model.Snapshot) {
			if before.Version == 0 && len(s.Routes) > 0 && time.Since(s.Routes[0].Since) > time.Second {
				s.Routes = nil
			}
			next.Set(s)
		})}, "wait 3s\ncrash east\nstart east"},
	}
}

// compiling is a hook that compiles something else than it is given.
func compiling(change func(s *model.Snapshot)) func(*route.Table, *model.Snapshot) *route.Table {
	return func(prev *route.Table, s *model.Snapshot) *route.Table {
		other := *s
		change(&other)
		return route.Recompile(prev, &other)
	}
}

func sabotagedTables() []sabotage {
	return []sabotage{
		{"an object changes after it was published", "immutable", hooks{
			compile: func(prev *route.Table, s *model.Snapshot) *route.Table {
				if len(s.Routes) > 0 {
					s.Routes[0].Priority++
				}
				return route.Recompile(prev, s)
			},
		}, "wait 1s"},
		{"a list changes after it was published", "immutable", hooks{
			compile: func(prev *route.Table, s *model.Snapshot) *route.Table {
				slices.Reverse(s.Services)
				return route.Recompile(prev, s)
			},
		}, ""},
		{"a table is written over", "generations", hooks{
			compile: func(prev *route.Table, s *model.Snapshot) *route.Table {
				next := route.Recompile(prev, s)
				if prev != nil {
					*prev = *next
				}
				return next
			},
		}, ""},
		{"a table forgets a route", "compile", hooks{compile: compiling(func(s *model.Snapshot) {
			s.Routes = s.Routes[:max(0, len(s.Routes)-1)]
		})}, ""},
		{"precedence is turned round", "winners", hooks{compile: compiling(func(s *model.Snapshot) {
			if len(s.Order) > 0 {
				s.Order = []model.Source{"link/osl"}
			}
		})}, "wait 1s\nset ams +shop host=shop.example service=shop priority=10\n" +
			"set osl +shop host=shop.example service=api priority=10\nwait 1s"},
		{"the earlier claim does not count", "winners", hooks{compile: compiling(func(s *model.Snapshot) {
			if len(s.Routes) > len(clusterNames) {
				*s = cloned(*s, func(r *model.Route) { r.Since = time.Time{} })
			}
		})}, "wait 1s\nset osl +shop host=shop.example service=shop priority=10\nwait 1s\n" +
			"set mad +aaa host=shop.example service=api priority=10\nwait 1s"},
		{"one bad route spoils the others", "bad objects", hooks{compile: compiling(func(s *model.Snapshot) {
			if slices.ContainsFunc(s.Routes, func(r *model.Route) bool {
				return strings.Contains(r.Match.String(), "PathRegexp(`"+badExpression)
			}) {
				s.Routes = nil
			}
		})}, ""},
		{"rules are made anew", "pointers", hooks{compile: func(_ *route.Table, s *model.Snapshot) *route.Table {
			return route.Compile(s)
		}}, ""},
		{"merged in the order of a map", "order", hooks{
			merge: func(order []model.Source, from map[model.Source]model.Snapshot) *model.Snapshot {
				merged := catalog.Merge(order, from)
				merged.Routes = nil
				for source := range maps.Keys(from) {
					merged.Routes = append(merged.Routes, from[source].Routes...)
				}
				return merged
			},
		}, ""},
	}
}

func sabotagedRest() []sabotage {
	return []sabotage{
		{"live state is made anew", "live state", hooks{forget: true}, ""},
		{"a disk keeps nothing", "saved", hooks{disk: func([]byte) []byte { return nil }}, ""},
		{"a disk forgets claims", "saved", hooks{disk: func(data []byte) []byte {
			return bytes.ReplaceAll(data, []byte(`"since"`), []byte(`"hence"`))
		}}, ""},
		{"ready at once", "ready", hooks{catalog: func(o *catalog.Options) { o.Expect = nil }}, "wait 1ms"},
		{"never ready", "ready", hooks{catalog: func(o *catalog.Options) { o.StartDeadline = time.Hour }},
			"crash east\nspoil east * lose\ncut * *\nstart east\nwait 20s"},
	}
}
