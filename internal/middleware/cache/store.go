package cache

import (
	"container/list"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Store keeps answers up to a size; those that were not used for longest go first. It is safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	limit   int64 // in bytes
	used    int64
	entries map[string][]*list.Element // of *stored, by URI
	recent  list.List                  // the newest first
	filling map[string][]*filling      // by URI
	flights map[key]*flight
	private map[key]time.Time // of what is known not to be for all: until when nobody waits for others
}

type stored struct {
	uri   string
	entry *entry
}

// filling is an answer on its way into the store.
type filling struct {
	uri      string
	outdated bool // what it answers was changed meanwhile
}

const (
	maxVariants = 32      // of one URI: a service that says Vary: User-Agent must not take all
	maxPrivate  = 1 << 14 // the answers that are known not to be for all
	privateFor  = 30 * time.Second
)

// NewStore returns an empty store. Resize gives it room.
func NewStore() *Store {
	return &Store{
		entries: map[string][]*list.Element{}, filling: map[string][]*filling{}, flights: map[key]*flight{},
		private: map[key]time.Time{},
	}
}

// Resize says how many bytes may be kept.
func (s *Store) Resize(limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	s.shrink()
}

// find returns the answer for a request; nil: there is none. Others reports whether there are answers of the same
// address.
func (s *Store) find(k key, h http.Header) (e *entry, others bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *list.Element
	for _, at := range s.entries[k.uri] {
		candidate := at.Value.(*stored).entry
		if candidate.fits(k.variant, h) && (best == nil || candidate.received.After(e.received)) { // the latest: §4
			best, e = at, candidate
		}
		others = true
	}
	if best != nil {
		s.recent.MoveToFront(best)
	}
	return e, others
}

// begin says that an answer to the URI is being fetched.
func (s *Store) begin(uri string) *filling {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &filling{uri: uri}
	s.filling[uri] = append(s.filling[uri], f)
	return f
}

// end says that it is not any more.
func (s *Store) end(f *filling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := without(s.filling[f.uri], f)
	if s.filling[f.uri] = left; len(left) == 0 {
		delete(s.filling, f.uri)
	}
}

func without[T comparable](all []T, one T) (left []T) {
	for _, other := range all {
		if other != one {
			left = append(left, other)
		}
	}
	return left
}

// add keeps an answer in place of those to the same requests, unless it is outdated. It reports whether it did.
func (s *Store) add(f *filling, h http.Header, e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := e.size()
	if f.outdated || size > s.limit {
		return false
	}
	for _, at := range s.entries[f.uri] {
		if at.Value.(*stored).entry.fits(e.variant, h) {
			s.remove(at)
		}
	}
	if all := s.entries[f.uri]; len(all) >= maxVariants {
		s.remove(all[0])
	}
	s.entries[f.uri] = append(s.entries[f.uri], s.recent.PushFront(&stored{f.uri, e}))
	s.used += size
	s.shrink()
	return true
}

func (s *Store) shrink() {
	for s.used > s.limit && s.recent.Len() > 0 {
		s.remove(s.recent.Back())
	}
}

func (s *Store) remove(at *list.Element) {
	gone := s.recent.Remove(at).(*stored)
	s.used -= gone.entry.size()
	left := without(s.entries[gone.uri], at)
	if s.entries[gone.uri] = left; len(left) == 0 {
		delete(s.entries, gone.uri)
	}
}

// invalidate forgets every answer to a URI, and those on their way (RFC 9111 §4.4). It returns how many were kept.
func (s *Store) invalidate(uri string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forget(uri)
}

func (s *Store) forget(uri string) int {
	all := s.entries[uri]
	for _, at := range all {
		s.remove(at)
	}
	for _, f := range s.filling[uri] {
		f.outdated = true
	}
	return len(all)
}

// invalidatePrefix forgets every answer to the URIs that begin so.
func (s *Store) invalidatePrefix(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uri := range s.entries {
		if strings.HasPrefix(uri, prefix) {
			n += s.forget(uri)
		}
	}
	for uri := range s.filling {
		if strings.HasPrefix(uri, prefix) {
			s.forget(uri)
		}
	}
	return n
}
