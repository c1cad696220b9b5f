package providertest

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/model"
)

// Run checks that a provider keeps the principles of package provider.
func Run(t *testing.T, h Harness) {
	for _, check := range []struct {
		name string
		run  func(*testing.T, Place)
	}{
		{"publishes what is there when it starts", start},
		{"publishes an empty place", startEmpty},
		{"publishes complete snapshots after every change", changes},
		{"honours an empty snapshot", empties},
		{"keeps what it knows while the place cannot be read", breaks},
		{"starts at a place that cannot be read yet", startBroken},
		{"keeps the pointers of what did not change", pointers},
		{"reports a bad object and serves the others", spoils},
		{"publishes again when it is started again", restarts},
	} {
		t.Run(check.name, func(t *testing.T) {
			ignore := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
			check.run(t, h.Start(t))
		})
	}
}

func rule(host string) string { return "Host(`" + host + ".example`)" }

func rules(names ...string) map[string]string {
	m := map[string]string{}
	for _, name := range names {
		m[name] = rule(name)
	}
	return m
}

func start(t *testing.T, p Place) {
	p.Set(rules("b", "a"))
	r, _ := record(t, p)
	s := r.next(false)
	if got := names(s); len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("the first snapshot has the routes %v, want a and b", got)
	}
	for _, route := range s.Routes {
		if want := model.Leaf(model.Host, route.Name.Name+".example").String(); route.Match.String() != want {
			t.Errorf("route %s matches %s, want %s", route.Name, route.Match, want)
		}
		if len(route.Backends) != 1 {
			t.Errorf("route %s has %d backends, want 1", route.Name, len(route.Backends))
		}
	}
}

func startEmpty(t *testing.T, p Place) {
	r, _ := record(t, p)
	if got := names(r.next(false)); len(got) != 0 {
		t.Errorf("an empty place published %v", got)
	}
}

func changes(t *testing.T, p Place) {
	r, _ := record(t, p)
	r.next(false)
	have := rules()
	for _, want := range []map[string]string{
		rules("a"), rules("a", "b", "c"), rules("b", "c"), rules("x", "y"), rules("x", "y", "z"),
	} {
		p.Set(want)
		r.until(have, want, false)
		have = want
	}
	p.Set(map[string]string{"x": rule("x"), "y": rule("other"), "z": rule("z")})
	for {
		s := r.until(have, have, false)
		if y, ok := model.Find(s.Routes, ref(p, "y")); ok && y.Match.String() == rule("other") {
			break
		}
	}
}

func ref(p Place, name string) model.Ref {
	return model.Ref{Name: model.Name{Name: name}, Source: p.Source}
}

func empties(t *testing.T, p Place) {
	p.Set(rules("a", "b"))
	r, _ := record(t, p)
	r.until(nil, rules("a", "b"), false)
	p.Set(nil)
	r.until(rules("a", "b"), nil, false)
	p.Set(rules("c"))
	r.until(nil, rules("c"), false)
}

func breaks(t *testing.T, p Place) {
	have := rules("a", "b")
	p.Set(have)
	r, _ := record(t, p)
	first := r.until(nil, have, false)
	for range 3 {
		p.Break()
		if !p.Waits {
			r.failure(have)
		}
		p.Heal()
		if p.Waits {
			continue
		}
		again := r.until(have, have, true)
		if again.Version <= first.Version || again.Routes[0] != first.Routes[0] {
			t.Error("what is read again is not the same routes with a higher version")
		}
		first = again
	}
	p.Set(rules("a", "c"))
	r.until(have, rules("a", "c"), true)
}

func startBroken(t *testing.T, p Place) {
	p.Set(rules("a"))
	p.Break()
	r, _ := record(t, p)
	if !p.Waits {
		if e := r.take(); e.failure == nil {
			t.Fatalf("published %v from a place that cannot be read", names(e.snapshot))
		}
	}
	p.Heal()
	r.until(rules("a"), rules("a"), true)
}

func pointers(t *testing.T, p Place) {
	p.Set(rules("a", "b"))
	r, _ := record(t, p)
	before := r.until(nil, rules("a", "b"), false)
	b, _ := model.Find(before.Routes, ref(p, "b"))
	p.Set(map[string]string{"a": rule("a"), "b": rule("other"), "c": rule("c")})
	after := r.until(rules("a", "b"), rules("a", "b", "c"), false)
	b2, _ := model.Find(after.Routes, ref(p, "b"))
	for p.Apart && b == b2 {
		after = r.until(rules("a", "b", "c"), rules("a", "b", "c"), false)
		b2, _ = model.Find(after.Routes, ref(p, "b"))
	}
	a, _ := model.Find(before.Routes, ref(p, "a"))
	a2, _ := model.Find(after.Routes, ref(p, "a"))
	if a == nil || a != a2 {
		t.Error("route a did not change, but its pointer did")
	}
	if b == b2 {
		t.Error("route b changed, but its pointer did not")
	}
	if b == nil || b.Match.String() != rule("b") {
		t.Error("a published route was changed")
	}
	if len(before.Services) == 0 || before.Services[0] != after.Services[0] {
		t.Error("service a did not change, but its pointer did")
	}
}

func spoils(t *testing.T, p Place) {
	if p.Spoil == nil {
		t.Skip("the place cannot hold a bad object")
	}
	p.Set(rules("a"))
	r, _ := record(t, p)
	r.until(nil, rules("a"), false)
	p.Spoil(rules("a", "b"))
	s := r.until(rules("a"), rules("a", "b"), false)
	for p.Apart && len(s.Problems) == 0 { // the good one was seen before the bad one
		s = r.until(rules("a", "b"), rules("a", "b"), false)
	}
	if len(s.Problems) == 0 {
		t.Error("a route that cannot be understood is left out without a word")
	}
	p.Set(rules("a", "b"))
	for len(s.Problems) > 0 {
		s = r.until(rules("a", "b"), rules("a", "b"), false)
	}
}

func restarts(t *testing.T, p Place) {
	p.Set(rules("a"))
	r, stop := record(t, p)
	r.until(nil, rules("a"), false)
	stop()
	p.Set(rules("a", "b"))
	r, _ = record(t, p)
	r.until(nil, rules("a", "b"), false)
}
