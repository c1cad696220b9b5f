package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// step is one thing that happens. It is a line of words, and the same line makes the same step.
type step struct {
	words []string
	taken bool
	at    time.Duration // when it was taken
}

func (s step) String() string { return strings.Join(s.words, " ") }

func stepf(format string, args ...any) step {
	return step{words: strings.Fields(fmt.Sprintf(format, args...))}
}

// verb is what a first word does with the rest.
type verb struct {
	words int // at least
	does  func(w *world, words []string) error
}

// verbs are the steps. EDGE, ADDR and CLUSTER may be "*", which is each.
//
//	wait DURATION
//	set CLUSTER [+NAME WORD...]... [-NAME]...   the cluster changes, all in one: see claim for the words
//	ready CLUSTER N                             of three endpoints of each of its services, N are ready
//	cut EDGE ADDR [PART]                        of the bytes under way, that part arrives
//	snip EDGE ADDR PART                         of the next change that is sent, that part arrives; the connection breaks
//	stall EDGE ADDR                             nothing moves; nobody is told
//	slow EDGE ADDR DURATION                     every packet takes that long, or up to twice
//	heal EDGE ADDR                              as in the beginning
//	crash NAME, start NAME [VARIANT]            an instance (by its address) or an edge (with its grants: see grantOf)
//	quit EDGE                                   it ends as a signal would end it
//	spoil EDGE CLUSTER HOW                      its disk: see disk.spoil
//	revoke EDGE CLUSTER, admit EDGE CLUSTER     its key
//	break CLUSTER, mend CLUSTER                 its orchestrator cannot be read
//	show EDGE [HOST/PATH]...                    what it knows, and which routes answer (scripts only)
func verbs() map[string]verb {
	return map[string]verb{
		"wait":  {1, wait},
		"set":   {2, set},
		"ready": {2, ready},
		"cut":   {2, onCables(func(c *cable, words []string) error { return c.fail(words) })},
		"snip": {3, onCables(func(c *cable, words []string) error {
			part, err := strconv.ParseFloat(words[0], 64)
			c.set(func() { c.snip = part })
			return err
		})},
		"stall": {2, onCables(func(c *cable, _ []string) error { c.to(stalled, 0); return nil })},
		"slow": {3, onCables(func(c *cable, words []string) error {
			d, err := time.ParseDuration(words[0])
			c.set(func() { c.delay = max(usualDelay, d) })
			return err
		})},
		"heal": {2, onCables(func(c *cable, _ []string) error {
			c.to(open, 1)
			c.set(func() { c.delay, c.snip = usualDelay, 0 })
			return nil
		})},
		"crash":  {1, crash},
		"start":  {1, start},
		"quit":   {1, func(w *world, words []string) error { return onEdge(w, words[0], (*edge).quit) }},
		"spoil":  {3, spoil},
		"revoke": {2, onKeys((*cluster).revoke)},
		"admit":  {2, onKeys((*cluster).admit)},
		"break":  {1, onCluster(func(c *cluster) { c.set(func() { c.down = true }) })},
		"mend":   {1, onCluster(func(c *cluster) { c.set(func() { c.down = false }) })},
		"show":   {1, show},
	}
}

// take does the step.
func (s step) take(w *world) {
	if err := s.try(w); err != nil {
		w.broken("script", "%s: %v", s, err)
	}
}

func (s step) try(w *world) error {
	known := verbs()
	v, ok := known[s.words[0]]
	if !ok {
		return fmt.Errorf("unknown step; there are %v", slices.Sorted(maps.Keys(known)))
	}
	if len(s.words) <= v.words {
		return fmt.Errorf("%d words after the first are too few", len(s.words)-1)
	}
	return v.does(w, s.words[1:])
}

func wait(_ *world, words []string) error {
	d, err := time.ParseDuration(words[0])
	time.Sleep(d)
	return err
}

func set(w *world, words []string) error {
	c := w.cluster(words[0])
	if c == nil {
		return fmt.Errorf("no cluster %s", words[0])
	}
	var sets []claim
	var dels []string
	for _, word := range words[1:] {
		switch {
		case word[0] == '-':
			dels = append(dels, word[1:])
		case word[0] == '+':
			sets = append(sets, claim{name: word[1:]})
		case len(sets) == 0:
			return fmt.Errorf("%q is of no route", word)
		default:
			if err := sets[len(sets)-1].with(word); err != nil {
				return err
			}
		}
	}
	c.set(func() { c.become(sets, dels) })
	return nil
}

func ready(w *world, words []string) error {
	n, err := strconv.Atoi(words[1])
	return cmp.Or(err, onCluster(func(c *cluster) { c.set(func() { c.ready = n }) })(w, words[:1]))
}

// fail cuts the cable.
func (c *cable) fail(words []string) error {
	part := 1.0
	if len(words) > 0 {
		var err error
		if part, err = strconv.ParseFloat(words[0], 64); err != nil {
			return err
		}
	}
	c.to(cut, part)
	return nil
}

// onCables does something to the cables between the edges and the addresses that the first two words name.
func onCables(do func(c *cable, words []string) error) func(*world, []string) error {
	return func(w *world, words []string) error {
		found := false
		for _, e := range w.edges {
			for _, c := range w.clusters {
				for _, addr := range c.addresses() {
					if words[0] != "*" && words[0] != e.name || words[1] != "*" && words[1] != addr {
						continue
					}
					found = true
					if err := do(w.net.cable(e.name, addr), words[2:]); err != nil {
						return err
					}
				}
			}
		}
		if !found {
			return fmt.Errorf("no cable from %s to %s", words[0], words[1])
		}
		return nil
	}
}

func onCluster(do func(*cluster)) func(*world, []string) error {
	return func(w *world, words []string) error {
		for _, c := range w.clusters {
			if words[0] == "*" || words[0] == c.name {
				do(c)
			}
		}
		return nil
	}
}

func onKeys(do func(c *cluster, edge string)) func(*world, []string) error {
	return func(w *world, words []string) error {
		return onCluster(func(c *cluster) { do(c, words[0]) })(w, words[1:])
	}
}

func onEdge(w *world, name string, do func(*edge)) error {
	e := w.edge(name)
	if e == nil {
		return fmt.Errorf("no edge %s", name)
	}
	do(e)
	return nil
}

func crash(w *world, words []string) error {
	if i := w.instance(words[0]); i != nil {
		if i.stop != nil {
			i.stop()
		}
		return nil
	}
	return onEdge(w, words[0], (*edge).crash)
}

func start(w *world, words []string) error {
	if i := w.instance(words[0]); i != nil {
		i.start()
		return nil
	}
	e := w.edge(words[0])
	if e == nil {
		return fmt.Errorf("no edge %s", words[0])
	}
	if e.life != nil {
		return nil
	}
	if len(words) > 1 {
		variant, err := strconv.Atoi(words[1])
		if err != nil {
			return err
		}
		e.variant = variant
	}
	e.start()
	synctest.Wait() // nothing has come over the network yet
	e.checkRestart()
	return nil
}

func spoil(w *world, words []string) error {
	return onEdge(w, words[0], func(e *edge) {
		for _, c := range w.clusters {
			if words[1] == "*" || words[1] == c.name {
				e.disks[c.name].spoil(words[2])
				e.last = nil
			}
		}
	})
}

// show writes down what an edge knows.
func show(w *world, words []string) error {
	e := w.edge(words[0])
	if e == nil || e.life == nil {
		return fmt.Errorf("no edge %s", words[0])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range e.life.links {
		line := fmt.Sprintf("%s %s:", e.name, t.cluster.name)
		if t.last != nil {
			for _, r := range t.last.Routes {
				line += " " + r.Name.String()
			}
		}
		if t.failing {
			line += " (stale)"
		}
		w.shown = append(w.shown, line)
		if t.last == nil {
			continue
		}
		for _, p := range t.last.Problems {
			w.shown = append(w.shown, fmt.Sprintf("    %s %s %s", p.Object.Kind, p.Object.Name, p.Code))
		}
	}
	for _, p := range e.life.plane.table.Problems() {
		w.shown = append(w.shown, fmt.Sprintf("%s %s: %s", e.name, p.Code, p.Object.Ref))
	}
	for _, word := range words[1:] {
		host, path, _ := strings.Cut(word, "/")
		q := &route.Request{EntryPoint: "web", Default: true, Method: "GET", Host: host, Path: "/" + path}
		var chosen *model.Route
		if rule, ok := e.life.plane.table.Match(q); ok {
			chosen = rule.Route
		}
		w.shown = append(w.shown, fmt.Sprintf("%s %s: %s", e.name, word, refOf(chosen)))
	}
	return nil
}
