package catalog

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/model"
)

// After every edit, what the catalog patched is what Merge makes from nothing; what did not change kept its pointer;
// and nothing that was ever handed in or out has been written to.
func TestUpdateAgreesWithMerge(t *testing.T) {
	order := []model.Source{"link/rome", "file/b"}
	rapid.Check(t, func(t *rapid.T) {
		c := New(Options{Order: order})
		var published ledger
		published.add(t, c.Current())
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			before, parts := c.Current(), partsOf(c)
			published.addAll(t, edit(t, c))
			published.add(t, c.Current())
			want := Merge(order, c.from)
			if diff := cmp.Diff(encode(t, want), encode(t, unversioned(c.Current()))); diff != "" {
				t.Fatalf("the catalog differs from Merge:\n%s", diff)
			}
			checkPointers(t, before, parts, c)
		}
		published.check(t)
	})
}

// edit lets one source say something, and returns what was handed over.
func edit(t *rapid.T, c *Catalog) []*model.Snapshot {
	source := rapid.SampledFrom(sources).Draw(t, "source")
	switch rapid.SampledFrom([]string{"set", "set", "set", "fail", "expire", "forget"}).Draw(t, "edit") {
	case "set":
		s := drawSnapshot(t, source)
		prev := c.from[source]
		s.Version = prev.Version + 1
		model.Reuse(&prev, &s)
		c.Set(s)
		return []*model.Snapshot{&s}
	case "fail":
		c.Fail(source, errors.New(rapid.SampledFrom([]string{"refused", "timed out"}).Draw(t, "why")))
	case "expire":
		c.expire(source, c.failing[source].since)
	case "forget":
		c.Forget(source)
	}
	return nil
}

// partsOf returns, for every service of the fleet, what each cluster says of it.
func partsOf(c *Catalog) map[model.Name][]*model.Service {
	parts := make(map[model.Name][]*model.Service)
	for _, source := range sources {
		if source.Kind() != model.LinkKind {
			continue
		}
		for _, s := range c.from[source].Services {
			parts[s.Name] = append(parts[s.Name], s)
		}
	}
	return parts
}

// checkPointers demands that objects of one source are that source's own, and that a service of the fleet is the one
// from before where no cluster's part of it changed.
func checkPointers(t *rapid.T, before *model.Snapshot, oldParts map[model.Name][]*model.Service, c *Catalog) {
	t.Helper()
	after, parts := c.Current(), partsOf(c)
	for _, r := range after.Routes {
		if own, _ := model.Find(c.from[r.Source].Routes, r.Ref()); own != r {
			t.Fatalf("the route %v is a copy", r.Ref())
		}
	}
	for _, s := range after.Services {
		want, _ := model.Find(c.from[s.Source].Services, s.Ref())
		if s.Source == model.LinkKind {
			if !slices.Equal(oldParts[s.Name], parts[s.Name]) {
				continue
			}
			want, _ = model.Find(before.Services, s.Ref())
		}
		if want != s {
			t.Fatalf("the service %v is a copy", s.Ref())
		}
	}
}

// ledger remembers what was published, and how it looked.
type ledger struct {
	snapshots []*model.Snapshot
	looks     []string
	pointers  [][]*model.Route
}

func (l *ledger) add(t *rapid.T, s *model.Snapshot) {
	kept := *s // the slices stay shared: those are what must not be written
	l.snapshots = append(l.snapshots, &kept)
	l.looks = append(l.looks, encode(t, s))
	l.pointers = append(l.pointers, slices.Clone(s.Routes))
}

func (l *ledger) addAll(t *rapid.T, list []*model.Snapshot) {
	for _, s := range list {
		l.add(t, s)
	}
}

func (l *ledger) check(t *rapid.T) {
	t.Helper()
	for i, s := range l.snapshots {
		if diff := cmp.Diff(l.looks[i], encode(t, s)); diff != "" {
			t.Fatalf("a published snapshot was written to:\n%s", diff)
		}
		if !slices.Equal(l.pointers[i], s.Routes) {
			t.Fatal("the routes of a published snapshot were exchanged")
		}
	}
}
