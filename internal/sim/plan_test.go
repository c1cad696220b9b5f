package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// plan makes the steps of a seed. It knows what it has broken, so that most of its steps mean something.
type plan struct {
	rng   *rand.Rand
	steps []step

	addrs  []string
	down   []string // edges and instances that are not running
	cables []string // "EDGE ADDR" that are not as in the beginning
	keys   []string // "EDGE CLUSTER" that are revoked
	broken []string // clusters whose orchestrator cannot be read
}

func planOf(seed uint64) []step {
	p := &plan{rng: rand.New(rand.NewPCG(seed, 0))}
	for place, c := range clusterNames {
		p.addrs = append(p.addrs, c+"-1")
		if place < 2 {
			p.addrs = append(p.addrs, c+"-2")
		}
	}
	for _, c := range clusterNames {
		p.change(c, 3)
	}
	p.add("wait %v", p.between(0, 3*time.Second))
	for n := 30 + p.rng.IntN(25); len(p.steps) < n; {
		p.next()
	}
	return p.steps
}

func (p *plan) add(format string, args ...any) { p.steps = append(p.steps, stepf(format, args...)) }

func (p *plan) between(low, high time.Duration) time.Duration {
	return between(p.rng, low, high).Round(time.Microsecond)
}

func pick[T any](p *plan, list []T) T { return list[p.rng.IntN(len(list))] }

// take removes one.
func take(p *plan, list *[]string) string {
	i := p.rng.IntN(len(*list))
	out := (*list)[i]
	*list = append((*list)[:i:i], (*list)[i+1:]...)
	return out
}

func (p *plan) next() {
	switch n := p.rng.IntN(100); {
	case n < 25:
		p.change(pick(p, clusterNames), 1+p.rng.IntN(3))
	case n < 45:
		p.onCable()
	case n < 55:
		p.runOrStop()
	case n < 60:
		p.onKey()
	case n < 64:
		p.onOrchestrator()
	case n < 67:
		p.add("ready %s %d", pick(p, clusterNames), 1+p.rng.IntN(endpoints))
	case n < 70:
		p.add("spoil %s %s %s", pick(p, edgeNames), pick(p, clusterNames), pick(p, []string{"flip", "truncate", "lose"}))
	case n < 72:
		p.isolate()
	case n < 92:
		p.add("wait %v", p.between(0, 300*time.Millisecond))
	default:
		p.add("wait %v", p.between(time.Second, 8*time.Second))
	}
}

func (p *plan) onCable() {
	if len(p.cables) > 0 && p.rng.IntN(3) == 0 {
		p.add("heal %s", take(p, &p.cables))
		return
	}
	addr := pick(p, p.addrs)
	cable := pick(p, edgeNames) + " " + addr
	part := p.rng.Float64()
	switch p.rng.IntN(4) {
	case 0:
		p.add("cut %s %.2f", cable, part)
	case 1:
		p.add("snip %s %.2f", cable, part)
		p.change(addr[:3], 3)
		return
	case 2:
		p.add("stall %s", cable)
	default:
		p.add("slow %s %v", cable, p.between(time.Millisecond, time.Second))
	}
	p.cables = append(p.cables, cable)
}

func (p *plan) runOrStop() {
	if len(p.down) > 0 && p.rng.IntN(2) == 0 {
		name := take(p, &p.down)
		if p.rng.IntN(4) == 0 && !strings.Contains(name, "-") {
			name += fmt.Sprint(" ", p.rng.IntN(variants))
		}
		p.add("start %s", name)
		return
	}
	name := pick(p, append(p.addrs[:len(p.addrs):len(p.addrs)], edgeNames...))
	verb := "crash"
	if !strings.Contains(name, "-") && p.rng.IntN(4) == 0 {
		verb = "quit"
	}
	p.add("%s %s", verb, name)
	p.down = append(p.down, name)
	if p.rng.IntN(2) == 0 {
		p.add("start %s", take(p, &p.down))
	}
}

func (p *plan) onKey() {
	if len(p.keys) > 0 && p.rng.IntN(2) == 0 {
		p.add("admit %s", take(p, &p.keys))
		return
	}
	key := pick(p, edgeNames) + " " + pick(p, clusterNames)
	p.add("revoke %s", key)
	p.keys = append(p.keys, key)
}

func (p *plan) onOrchestrator() {
	if len(p.broken) > 0 && p.rng.IntN(2) == 0 {
		p.add("mend %s", take(p, &p.broken))
		return
	}
	c := pick(p, clusterNames)
	p.add("break %s", c)
	p.broken = append(p.broken, c)
}

// isolate cuts an edge off and starts it again: it must live on its disks.
func (p *plan) isolate() {
	e := pick(p, edgeNames)
	p.add("cut %s *", e)
	p.add("wait %v", p.between(0, 5*time.Second))
	p.add("crash %s", e)
	p.add("start %s", e)
	p.add("wait %v", p.between(0, 15*time.Second))
	p.add("heal %s *", e)
}

// change makes up to that many changes of a cluster's routes, in one step.
func (p *plan) change(cluster string, most int) {
	words, named := []string{"set", cluster}, map[string]bool{}
	for range 1 + p.rng.IntN(most) {
		name := pick(p, []string{"home", "shop", "api", "blog", cluster + "/team", "docs"})
		if named[name] {
			continue
		}
		named[name] = true
		if p.rng.IntN(4) == 0 && name != "home" {
			words = append(words, "-"+name)
			continue
		}
		words = append(words, "+"+p.claim(cluster, name).String())
	}
	p.add("%s", strings.Join(words, " "))
}

// claim makes a route; most of them are within most grants.
func (p *plan) claim(cluster, name string) claim {
	one := func(n int) bool { return p.rng.IntN(n) == 0 }
	other := pick(p, clusterNames)
	c := claim{
		name: name, priority: 10 + 10*p.rng.IntN(2), guarded: one(4), private: one(12),
		hosts:   []string{pick(p, []string{"shop.example", "api.example", "a." + cluster + ".example"})},
		path:    pick(p, []string{"", "", "/x", "/x/y", "/shared/z"}),
		service: pick(p, []string{"shop", "api", cluster + "/" + name[strings.LastIndex(name, "/")+1:]}),
	}
	switch {
	case one(8):
		c.hosts = append(c.hosts, "b."+cluster+".example")
	case one(8):
		c.hosts = []string{"a." + other + ".example"}
	case one(10):
		c.hosts, c.regexp = nil, `^[a-z]+\.example$`
	case one(16):
		c.hosts = nil
	}
	switch {
	case one(10):
		c.expr = badExpression
	case one(10):
		c.expr = "[y-z]$"
	}
	if one(6) {
		c.team = "blue"
	}
	if one(12) {
		c.service = other + "/stolen"
	}
	switch {
	case one(6):
		c.points = []string{"websecure"}
	case one(8):
		c.points = []string{"internal", "web"}
	case one(12):
		c.points = []string{"internal"}
	}
	return c
}
