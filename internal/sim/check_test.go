package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// check asks what must hold at any moment at which nothing moves. What is about publishing was asked when it happened,
// see observer_test.go.
func (w *world) check() {
	w.ledger.check(false)
	for _, c := range w.clusters {
		for _, i := range c.instances {
			if i.stop != nil {
				i.plane.check()
				i.checkBadRoutes()
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.edges {
		if e.life == nil {
			continue
		}
		for _, t := range e.life.links {
			t.check()
		}
		e.life.checkReady()
		fresh := e.life.plane.check()
		if fresh {
			e.life.checkWinners()
		}
		e.life.traffic.check()
		e.life.traffic.drive()
	}
}

// check judges one followed cluster.
func (t *tracked) check() {
	t.checkStale()
	t.checkKept()
	t.checkSilence()
	t.checkSaved()
}

// checkStale: a source is marked stale when it cannot be read, since then, and not otherwise (invariant 5).
func (t *tracked) checkStale() {
	w := t.life.edge.w
	var stale []model.Problem
	for _, p := range t.life.plane.catalog.Current().Problems {
		if p.Code == model.Stale && p.Object.Source == t.source {
			stale = append(stale, p)
		}
	}
	switch {
	case !t.failing && len(stale) > 0:
		w.broken("stale", "%s is marked stale, and can be read: %v", t, stale)
	case t.failing && len(stale) != 1:
		w.broken("stale", "%s cannot be read since %v, and is not marked stale", t, t.since)
	case t.failing && !stale[0].Since.Equal(t.since):
		w.broken("stale", "%s is marked stale since %v, want %v", t, stale[0].Since, t.since)
	}
	if t.follower.State().Connected && t.failing {
		w.broken("stale", "%s is connected and synced, and failing", t)
	}
}

// checkKept: whatever happens to a source, what it said last is served (invariant 5), by the same pointers
// (invariant 1).
func (t *tracked) checkKept() {
	var has, want []string
	for _, r := range t.life.plane.merged.Routes {
		if r.Source == t.source {
			has = append(has, fmt.Sprintf("%s %p", r.Name, r))
		}
	}
	if t.last != nil {
		for _, r := range t.last.Routes {
			want = append(want, fmt.Sprintf("%s %p", r.Name, r))
		}
	}
	if strings.Join(has, ",") != strings.Join(want, ",") {
		t.life.edge.w.broken("kept", "%s said %v last; served is %v", t, want, has)
	}
}

// noticed is how long after it went dark a connection may count as up: the heartbeat's limit, and what was under way.
const noticed = 3*time.Second + 100*time.Millisecond

// checkSilence: a link over which nothing comes is lost after three seconds, and one whose key was revoked as soon as
// the network brings the news (design §8, liveness and credentials).
func (t *tracked) checkSilence() {
	w, state := t.life.edge.w, t.follower.State()
	if t.dark == nil {
		t.dark = map[string]time.Time{}
	}
	for _, addr := range t.cluster.addresses() {
		if w.reaches(t.life.edge.name, addr) {
			delete(t.dark, addr)
		} else if _, was := t.dark[addr]; !was {
			t.dark[addr] = time.Now()
		}
	}
	if at, dark := t.dark[state.Address]; dark && state.Connected && time.Since(at) > noticed {
		w.broken("silence", "%s: %s is out of reach for %v, and counts as connected", t, state.Address, time.Since(at))
	}
	if at := t.cluster.revokedAt(t.life.edge.name); !at.IsZero() && state.Connected && time.Since(at) > noticed {
		w.broken("revoked", "%s: its key was revoked %v ago, and it is connected", t, time.Since(at))
	}
}

// checkSaved: what the cluster said is on the disk a second later (invariant 5), with the ages of the claims. What came
// from the disk is there; but a new grant may have made claims of it, which wait for the next connection.
func (t *tracked) checkSaved() {
	const soon = 1100 * time.Millisecond
	if t.lastAt.Equal(t.began) || time.Since(t.lastAt) < soon || t.disk.isSpoiled() {
		return
	}
	if !t.saved() {
		t.life.edge.w.broken("saved", "%s: what is known for %v is not on the disk", t, time.Since(t.lastAt))
	}
}

// checkReady: an edge is ready when each source has published or the start deadline has passed, not before, and not
// later (invariant 8).
func (l *life) checkReady() {
	var missing []string
	for _, t := range l.links {
		if t.last == nil {
			missing = append(missing, t.cluster.name)
		}
	}
	due := len(missing) == 0 || time.Since(l.started) >= startDeadline
	early := len(missing) > 0 && !l.readyAt.IsZero() && l.readyAt.Sub(l.started) < startDeadline
	switch {
	case l.readyAt.IsZero() && due:
		l.edge.w.broken("ready", "%s is not ready after %v", l.edge.name, time.Since(l.started))
	case early:
		l.edge.w.broken("ready", "%s was ready after %v, without %v", l.edge.name, l.readyAt.Sub(l.started), missing)
	}
}

// checkWinners: the table chooses what design §8 says, and nothing of a cluster is served outside its grant. Both are
// asked of a twin that tries all routes in turn.
func (l *life) checkWinners() {
	w, p := l.edge.w, l.plane
	sorted := preferred(p.merged.Routes, precedence)
	chosen := answers(p.table, w.requests)
	for i, q := range w.requests {
		if want := first(sorted, q); refOf(chosen[i]) != refOf(want) {
			w.broken("winners", "%s: %s goes to %s, want %s", l.edge.name, requestText(q), refOf(chosen[i]), refOf(want))
		}
		for _, r := range sorted {
			if !accepts(r, q) {
				continue
			}
			c := w.cluster(r.Source.Instance())
			g := l.edge.grant(c)
			if !grantsHost(g, q.Host) || !grantsPath(g, q.Path) || !grantsService(g, r.Backends[0].Service.Name) {
				w.broken("grant", "%s: %s of %s takes %s, which is not granted", l.edge.name, r.Name, c.name, requestText(q))
			}
		}
	}
}

// checkBadRoutes: a route that cannot be compiled is a Problem, and all others are served (invariant 6).
func (i *instance) checkBadRoutes() {
	table, w := i.plane.table, i.cluster.w
	served, problem := map[string]bool{}, map[string]bool{}
	for _, rule := range table.Rules() {
		if rule != nil {
			served[rule.Route.Name.String()] = true
		}
	}
	for _, p := range table.Problems() {
		if p.Code == model.InvalidRule {
			problem[p.Object.Name.String()] = true
		}
	}
	for _, r := range i.plane.merged.Routes {
		name, bad := r.Name.String(), strings.Contains(r.Match.String(), "PathRegexp(`"+badExpression+"`)")
		if served[name] == bad || problem[name] != bad {
			w.broken("bad objects", "%s: route %s is bad: %v; served: %v; a Problem: %v", i.addr, name, bad, served[name],
				problem[name])
		}
	}
}

// check: live state is what the requests made of it, whatever was compiled in between (invariant 3).
func (t *traffic) check() {
	t.mu.Lock()
	defer t.mu.Unlock()
	has := map[string]entry{}
	for _, s := range t.hosts.States() {
		has[s.Addr] = entry{s.Requests, s.Failures, s.InFlight, s.Ejected}
	}
	for _, id := range t.hostsOf() {
		if has[id.Addr] != t.books[id] {
			t.edge.w.broken("live state", "%s: host %s has %v, want %v", t.edge.name, id.Addr, has[id.Addr], t.books[id])
		}
	}
}

// checkRestart: an edge that starts with good disks and the grants it had serves what it served before, though it has
// heard of nobody yet; a claim that won is not lost to a younger one.
func (e *edge) checkRestart() {
	if e.last == nil || e.last.answers == nil || e.last.variant != e.variant {
		return
	}
	for i, r := range answers(e.life.plane.table, e.w.requests) {
		if refOf(r) != e.last.answers[i] {
			e.w.broken("restart", "%s: %s goes to %s; before it was started again, to %s", e.name,
				requestText(e.w.requests[i]), refOf(r), e.last.answers[i])
		}
	}
}
