package model

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Sorting by numbers is the order that Compare says, whatever the names have in common.
func TestSortObjects(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := []byte("same-begin-"[:random.IntN(12)])
		for range random.IntN(4) {
			b = append(b, "\x00a\xffz"[random.IntN(4)])
		}
		return string(b)
	}
	for range 2000 {
		list := make([]*Route, random.IntN(20))
		namespaces := []string{"", word(), word()}[:1+random.IntN(3)]
		for i := range list {
			list[i] = &Route{
				Name:   Name{namespaces[random.IntN(len(namespaces))], word()},
				Source: Source("file/" + word()), Lane: []Lane{LaneHTTP, "tcp"}[random.IntN(2)],
			}
		}
		sorted := slices.SortedFunc(slices.Values(list), func(a, b *Route) int { return a.Ref().Compare(b.Ref()) })
		sortObjects(list)
		if !slices.EqualFunc(list, sorted, func(a, b *Route) bool { return a.Ref() == b.Ref() }) {
			t.Fatalf("got %v, want %v", refs(list), refs(sorted))
		}
	}
}

func refs(list []*Route) (refs []Ref) {
	for _, r := range list {
		refs = append(refs, r.Ref())
	}
	return refs
}
