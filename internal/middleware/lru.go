package middleware

// lru is a map of at most limit entries, which forgets the least recently used. It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	limit   int
	entries map[K]*entry[K, V]
	ring    entry[K, V] // its next is the newest, its prev the oldest
}

type entry[K comparable, V any] struct {
	key        K
	value      V
	prev, next *entry[K, V]
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	l := &lru[K, V]{limit: limit, entries: map[K]*entry[K, V]{}}
	l.ring.prev, l.ring.next = &l.ring, &l.ring
	return l
}

// has reports whether k is known, which counts as a use.
func (l *lru[K, V]) has(k K) bool {
	e, ok := l.entries[k]
	if ok {
		e.unlink()
		l.first(e)
	}
	return ok
}

// at returns the place of k's value, which is zero when k is new.
func (l *lru[K, V]) at(k K) *V {
	e, ok := l.entries[k]
	switch {
	case ok:
		e.unlink()
	case len(l.entries) < l.limit:
		e = &entry[K, V]{key: k}
		l.entries[k] = e
	default: // the oldest becomes the new one
		e = l.ring.prev
		e.unlink()
		delete(l.entries, e.key)
		*e = entry[K, V]{key: k}
		l.entries[k] = e
	}
	l.first(e)
	return &e.value
}

func (l *lru[K, V]) first(e *entry[K, V]) {
	e.prev, e.next = &l.ring, l.ring.next
	e.next.prev, l.ring.next = e, e
}

func (e *entry[K, V]) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}
