package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/link"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
)

// tracked is one followed cluster as one life of an edge knows it. It stands between provider.Run and the catalog, and
// judges everything that comes by.
type tracked struct {
	life     *life
	cluster  *cluster
	source   model.Source
	grant    link.Grant
	follower *link.Follower
	disk     *mount
	next     provider.Sink
	began    time.Time
	damaged  bool     // the disk was, when the edge started
	restored *written // what the disk held then; nil: nothing that can be used

	// Guarded by world.mu.
	seen    []seen         // the states of the cluster under the grant, as far as they were needed
	index   map[string]int // by epoch: the state that was known last
	last    *model.Snapshot
	lastAt  time.Time
	failing bool
	since   time.Time // the first failure after the last snapshot
	dark    map[string]time.Time
}

// Set implements provider.Sink.
func (t *tracked) Set(s model.Snapshot) {
	w, epoch := t.life.edge.w, t.follower.State().Epoch
	t.life.plane.heard(s)
	w.mu.Lock()
	t.checkWhole(&s, epoch)
	t.checkStart(&s)
	if t.last != nil {
		t.checkAges(&s)
		checkPointers(w, string(t.source), t.last, &s)
	}
	t.last, t.lastAt, t.failing = &s, time.Now(), false
	w.trace = append(w.trace, fmt.Sprintf("%v %s: %v", time.Since(w.began), t, known(&s)))
	w.mu.Unlock()
	t.next.Set(s)
}

// Fail implements provider.Sink.
func (t *tracked) Fail(source model.Source, err error) {
	w := t.life.edge.w
	w.mu.Lock()
	if !t.failing {
		t.failing, t.since = true, time.Now()
	}
	w.trace = append(w.trace, fmt.Sprintf("%v %s: %v", time.Since(w.began), t, err))
	w.mu.Unlock()
	t.next.Fail(source, err)
}

func (t *tracked) String() string { return fmt.Sprintf("%s of %s", t.life.edge.name, t.cluster.name) }

// expected returns a state of the cluster as this edge must see it, and whether there is one.
func (t *tracked) expected(i int) (seen, bool) {
	t.cluster.mu.Lock()
	defer t.cluster.mu.Unlock()
	if i >= len(t.cluster.history) {
		return seen{}, false
	}
	for len(t.seen) <= i {
		t.seen = append(t.seen, t.cluster.history[len(t.seen)].under(t.grant))
	}
	return t.seen[i], true
}

// checkWhole: an edge knows a state that the cluster had, all of it and nothing more, and of one epoch never an older
// one than before. The routes that it refuses, and no others, are Problems (invariant 6).
func (t *tracked) checkWhole(s *model.Snapshot, epoch string) {
	w, is := t.life.edge.w, known(s)
	oldest, older := t.index[epoch], -1
	var unlike []seen // of the same routes
	for i := 0; ; i++ {
		want, ok := t.expected(i)
		switch {
		case !ok && older >= 0:
			w.broken("newest wins", "%s went back to state %d of an epoch of which it knew state %d", t, older, oldest)
		case !ok && len(unlike) > 0:
			w.broken("bad objects", "%s has the problems %v, want %v", t, is.problems, unlike[0].problems)
		case !ok:
			before, _ := t.expected(oldest)
			w.broken("whole states", "%s knows what the cluster never had:\n\t%v\nbefore it was\n\t%v", t, is, before)
		case !is.sameRoutes(want):
			continue
		case !slices.Equal(is.problems, want.problems):
			unlike = append(unlike, want)
			continue
		case i < oldest:
			older = i
			continue
		default:
			t.index[epoch] = i
		}
		return
	}
}

// checkStart: an edge starts with what its disk had, and with the ages of the claims. A cache that cannot be used is a
// Problem until it is replaced (invariant 5).
func (t *tracked) checkStart(s *model.Snapshot) {
	w := t.life.edge.w
	if t.last != nil {
		return
	}
	said := slices.ContainsFunc(s.Problems, func(p model.Problem) bool { return p.Code == model.InvalidFile })
	if said != t.damaged {
		w.broken("restored", "%s: the cache is damaged: %v; a Problem says so: %v", t, t.damaged, said)
	}
	if t.restored == nil {
		return
	}
	if !time.Now().Equal(t.began) {
		w.broken("restored", "%s did not serve what its disk had at once, but %v after the start", t, time.Since(t.began))
		return
	}
	since := map[string]time.Time{}
	for _, r := range t.restored.Routes {
		since[version(r.Route.Name, r.Route.Timeouts.TotalMs)] = r.Since
	}
	for _, r := range s.Routes {
		at, had := since[version(r.Name.String(), stampOf(r))]
		if !had || !at.IsZero() && !at.Equal(r.Since) {
			w.broken("restored", "%s: route %s, claimed %v: the disk has %v (%v)", t, r.Name, r.Since, at, had)
		}
	}
}

// checkAges: a rule that a cluster has without a break keeps the age of its claim.
func (t *tracked) checkAges(s *model.Snapshot) {
	ages := map[string]time.Time{}
	for _, r := range t.last.Routes {
		ages[r.Match.String()] = r.Since
	}
	for _, r := range s.Routes {
		if at, held := ages[r.Match.String()]; held && !at.Equal(r.Since) {
			t.life.edge.w.broken("claim ages", "%s: %s was claimed at %v, and now at %v", t, r.Match, at, r.Since)
		}
	}
}

func version(route string, stamp int) string { return fmt.Sprintf("%s#%d", route, stamp) }

// saved reports whether the disk holds what is known now.
func (t *tracked) saved() bool {
	if t.last == nil {
		return true
	}
	w := t.disk.content()
	if w == nil {
		return false
	}
	since := map[string]time.Time{}
	for _, r := range w.Routes {
		if !r.Since.IsZero() { // else it is refused
			since[version(r.Route.Name, r.Route.Timeouts.TotalMs)] = r.Since
		}
	}
	return len(since) == len(t.last.Routes) && !slices.ContainsFunc(t.last.Routes, func(r *model.Route) bool {
		return !since[version(r.Name.String(), stampOf(r))].Equal(r.Since)
	})
}

// checkPointers: what did not change keeps its pointer (invariant 1).
func checkPointers(w *world, who string, before, after *model.Snapshot) {
	keeps(w, who, before.Routes, after.Routes)
	keeps(w, who, before.Services, after.Services)
	keeps(w, who, before.Middlewares, after.Middlewares)
}

func keeps[T interface {
	comparable
	Ref() model.Ref
}](w *world, who string, before, after []T) {
	for _, a := range after {
		b, had := model.Find(before, a.Ref())
		if had && a != b && w.ledger.same(a, b) {
			w.broken("pointers", "%s: %s did not change, and yet is another object", who, a.Ref())
		}
	}
}
