package storetest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/internal/store"
)

// twin is the dumbest store there is. Its versions are those that the real one gave.
type twin map[string]store.Item

func (m twin) allows(key string, ifVersion uint64) bool {
	return ifVersion == store.Any || ifVersion == m[key].Version
}

func (m twin) list(prefix string) []store.Item {
	var items []store.Item
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(key, prefix) {
			items = append(items, m[key])
		}
	}
	return items
}

// testModel runs the same random calls on the store and on its twin, and compares every answer.
func testModel(t *testing.T, open Open) {
	s, want := fresh(t, open), twin{}
	keys := rapid.SampledFrom([]string{"a", "a/b", "a/c", "b"})
	rapid.Check(t, func(rt *rapid.T) {
		key := keys.Draw(rt, "key")
		ifVersion := rapid.SampledFrom([]uint64{0, store.Any, want[key].Version, 1}).Draw(rt, "ifVersion")
		switch rapid.SampledFrom([]string{"put", "delete", "list"}).Draw(rt, "call") {
		case "put":
			value := []byte(rapid.StringN(0, 4, -1).Draw(rt, "value"))
			version, err := s.Put(t.Context(), key, value, ifVersion)
			if ok := want.allows(key, ifVersion); ok != (err == nil) {
				rt.Fatalf("Put = %v, allowed is %v", err, ok)
			} else if ok {
				want[key] = store.Item{Key: key, Value: value, Version: version}
			}
		case "delete":
			_, exists := want[key]
			err := s.Delete(t.Context(), key, ifVersion)
			if ok := exists && want.allows(key, ifVersion); ok != (err == nil) {
				rt.Fatalf("Delete = %v, allowed is %v", err, ok)
			} else if ok {
				delete(want, key)
			} else if exists == errors.Is(err, store.ErrNotFound) {
				rt.Fatalf("Delete = %v, exists is %v", err, exists)
			}
		case "list":
			got, err := s.List(t.Context(), key)
			if diff := cmp.Diff(want.list(key), got); err != nil || diff != "" {
				rt.Fatalf("List: %v\n%s", err, diff)
			}
		}
	})
}
