package model

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Sorting by numbers is the order that Compare says, whatever the names have in common, and whatever was there before.
func TestSortObjects(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := []byte("same-begin-"[:random.IntN(12)])
		for range random.IntN(4) {
			b = append(b, "\x00a\xffz"[random.IntN(4)])
		}
		return string(b)
	}
	var last []*Route
	for range 5000 {
		list := make([]*Route, random.IntN(20))
		namespaces := []string{"", word(), word()}[:1+random.IntN(3)]
		for i := range list {
			list[i] = &Route{
				Name:   Name{namespaces[random.IntN(len(namespaces))], word()},
				Source: Source("file/" + word()), Lane: []Lane{LaneHTTP, "tcp"}[random.IntN(2)],
			}
		}
		if random.IntN(2) == 0 { // much as before
			kept := slices.Clone(last)
			for range min(random.IntN(3), len(kept)) {
				kept = slices.Delete(kept, len(kept)/2, len(kept)/2+1)
			}
			list = slices.Insert(kept, random.IntN(len(kept)+1), list[:len(list)/8]...)
		}
		given := slices.Clone(list)
		sorted := slices.SortedFunc(slices.Values(list), func(a, b *Route) int { return a.Ref().Compare(b.Ref()) })
		fresh := sortObjects(last, list)
		if !slices.EqualFunc(list, sorted, func(a, b *Route) bool { return a.Ref() == b.Ref() }) {
			t.Fatalf("got %v, want %v", refs(list), refs(sorted))
		}
		for _, r := range given {
			if !slices.Contains(last, r) && !slices.Contains(fresh, r) {
				t.Fatalf("%v is new, and not said to be", r.Ref())
			}
		}
		last = list
	}
}

func refs(list []*Route) (refs []Ref) {
	for _, r := range list {
		refs = append(refs, r.Ref())
	}
	return refs
}
