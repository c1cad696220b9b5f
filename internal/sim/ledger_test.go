package sim

import (
	"encoding/json"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/model"
)

// ledger knows every object and every snapshot that was ever published, and what they looked like then.
type ledger struct {
	w *world

	mu        sync.Mutex
	digests   map[any]uint64 // by pointer
	objects   []any          // in the order in which they came
	snapshots []listed
	fresh     [2]int // of objects and snapshots, those that were looked at again since they came
}

// listed is a snapshot's lists as they are and as they were.
type listed struct {
	who     string
	is, was model.Snapshot
}

func newLedger(w *world) *ledger { return &ledger{w: w, digests: map[any]uint64{}} }

// enter notes a snapshot that is published.
func (l *ledger) enter(who string, s *model.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	enterAll(l, who, s.Routes)
	enterAll(l, who, s.Services)
	enterAll(l, who, s.Middlewares)
	if len(s.Problems) > 0 {
		l.w.secretFree("a problem of "+who, encode(s.Problems))
	}
	was := *s
	was.Routes, was.Services = slices.Clone(s.Routes), slices.Clone(s.Services)
	was.Middlewares, was.Problems = slices.Clone(s.Middlewares), slices.Clone(s.Problems)
	l.snapshots = append(l.snapshots, listed{who, *s, was})
}

func enterAll[T comparable](l *ledger, who string, objects []T) {
	for _, o := range objects {
		if _, known := l.digests[o]; known {
			continue
		}
		data := encode(o)
		l.w.secretFree("a snapshot of "+who, data)
		if slices.Contains(edgeNames, who) && strings.Contains(string(data), inner) {
			l.w.broken("no secrets", "%s knows an endpoint inside a cluster: %s", who, data)
		}
		l.digests[o] = digest(data)
		l.objects = append(l.objects, o)
	}
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func digest(data []byte) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write(data)
	return sum.Sum64()
}

// same reports whether two objects had the same content when they were published.
func (l *ledger) same(a, b any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.digests[a] == l.digests[b]
}

// check holds what was published against what it is now; everything, or what came since the last time.
//
// Invariant 1: published means immutable.
func (l *ledger) check(everything bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if everything {
		l.fresh = [2]int{}
	}
	for _, o := range l.objects[l.fresh[0]:] {
		if data := encode(o); digest(data) != l.digests[o] {
			l.w.broken("immutable", "an object changed after it was published; now it is %s", data)
		}
	}
	for _, s := range l.snapshots[l.fresh[1]:] {
		if !slices.Equal(s.is.Routes, s.was.Routes) || !slices.Equal(s.is.Services, s.was.Services) ||
			!slices.Equal(s.is.Middlewares, s.was.Middlewares) || !slices.Equal(s.is.Problems, s.was.Problems) {
			l.w.broken("immutable", "a list of a snapshot of %s changed after it was published", s.who)
		}
	}
	l.fresh = [2]int{len(l.objects), len(l.snapshots)}
}
