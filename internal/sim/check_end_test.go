package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// settling is how long everybody may take to agree when nothing is broken any more.
const settling = time.Minute

// converge mends what is broken, starts what is stopped, and waits: within a minute every edge knows exactly what every
// cluster exports, nothing is stale, and every cluster knows what the edges refuse.
func (w *world) converge() {
	if !w.hooks.endless {
		w.mend()
	}
	for _, c := range w.clusters {
		for _, i := range c.instances {
			i.start()
		}
	}
	for _, e := range w.edges {
		e.start()
	}
	var open []string
	for end := time.Now().Add(settling); time.Now().Before(end); {
		time.Sleep(time.Second)
		synctest.Wait()
		w.check()
		if open = w.unsettled(); len(open) == 0 || len(w.failed()) > 0 {
			return
		}
	}
	w.broken("convergence", "after %v:\n\t%s", settling, strings.Join(open, "\n\t"))
}

// unsettled says what is not yet as it must be.
func (w *world) unsettled() (open []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.edges {
		for _, t := range e.life.links {
			if why := t.unsettled(); why != "" {
				open = append(open, fmt.Sprintf("%s: %s", t, why))
			}
		}
		for _, p := range e.life.plane.catalog.Current().Problems {
			if p.Object.Kind == model.KindSource || p.Code == model.InvalidFile {
				open = append(open, fmt.Sprintf("%s: %s", e.name, p))
			}
		}
	}
	return open
}

func (t *tracked) unsettled() string {
	c, state := t.cluster, t.follower.State()
	c.mu.Lock()
	want, ready := c.now().under(t.grant), c.ready
	c.mu.Unlock()
	switch {
	case t.last == nil:
		return "nothing is known"
	case !state.Connected:
		return "not connected: " + state.LastError
	}
	if is := known(t.last); !is.sameRoutes(want) {
		return fmt.Sprintf("it knows %v, the cluster has %v", is, want)
	}
	for _, s := range t.last.Services {
		if has, total, known := t.follower.Capacity(s.Name); !known || total*ready != has*endpoints {
			return fmt.Sprintf("the capacity of %s is %d of %d, want %d of %d", s.Name, has, total, ready, endpoints)
		}
	}
	return t.untold(state.Address, want)
}

// untold says what the instance that the edge is connected to was not told, or told wrongly, of its routes' problems.
func (t *tracked) untold(addr string, want seen) string {
	problems := slices.Clone(want.problems)
	for _, p := range conflicts(t.life.plane.table, t.source) {
		problems = append(problems, p.Object.Name.String()+" "+string(p.Code))
	}
	slices.Sort(problems)
	var told []string
	for _, r := range t.life.edge.w.instance(addr).exporter.Reports() {
		if r.Key != t.life.edge.name {
			continue
		}
		for _, p := range r.Problems {
			told = append(told, p.Object.Name.String()+" "+string(p.Code))
		}
	}
	slices.Sort(told)
	if !slices.Equal(told, problems) {
		return fmt.Sprintf("the cluster was told %v, want %v", told, problems)
	}
	return ""
}
