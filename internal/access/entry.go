package access

import (
	"crypto/subtle"
	"sync/atomic"
	"time"
)

// entry is a key as Authorize reads it. It is immutable, but for the use that all versions of one key share.
type entry struct {
	record
	version uint64
	slots   [2]slot
	use     *use
}

// slot is one of a key's secrets. A slot that is not used has no session, and a hash that no secret has.
type slot struct {
	hash    hash
	ends    time.Time // zero: never
	session *Session
}

// newEntry prepares a record. Sessions whose secret is still the key's go on; old's other sessions end, and all of them
// if the key is revoked. old may be nil.
func newEntry(r record, version uint64, old *entry) *entry {
	e := &entry{record: r, version: version, use: &use{}}
	if old != nil {
		e.use = old.use
	}
	for i, s := range r.Secrets {
		e.slots[i] = slot{hash: s.Hash, ends: earlier(s.Until, r.Expires), session: newSession(r.ID, r.Owner)}
		if old == nil {
			continue
		}
		if before := old.match(s.Hash); before != nil && !before.session.ended() {
			e.slots[i].session = before.session
		}
	}
	if !r.Revoked.IsZero() {
		e.end()
	}
	if old != nil {
		for _, before := range old.slots {
			if now := e.match(before.hash); before.session != nil && (now == nil || now.session != before.session) {
				before.session.end()
			}
		}
	}
	return e
}

// match returns the slot that has the hash, or nil. It takes the same time whatever the hash.
func (e *entry) match(h hash) *slot {
	var found *slot
	for i := range e.slots {
		if subtle.ConstantTimeCompare(e.slots[i].hash[:], h[:]) == 1 && e.slots[i].session != nil {
			found = &e.slots[i]
		}
	}
	return found
}

// end ends all sessions of the key.
func (e *entry) end() {
	for _, s := range e.slots {
		if s.session != nil {
			s.session.end()
		}
	}
}

// endOver ends the sessions whose time is over, and returns when the next one's will be (zero: never).
func (e *entry) endOver(now time.Time) time.Time {
	var next time.Time
	for i := range e.slots {
		switch s := &e.slots[i]; {
		case s.session == nil || s.ends.IsZero():
		case s.over(now):
			s.session.end()
		default:
			next = earlier(next, s.ends)
		}
	}
	return next
}

// shown returns the key with the newest use that this instance knows of.
func (e *entry) shown() Key {
	key := e.Key
	if seen := e.use.last(); seen.After(key.LastUsed) {
		key.LastUsed = seen
	}
	return key
}

// over reports whether the slot's time is over.
func (s *slot) over(now time.Time) bool { return !s.ends.IsZero() && !now.Before(s.ends) }

// earlier returns the earlier of two moments, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// use is when a key was last accepted, in seconds of Unix time; 0 is never.
type use struct{ seen atomic.Int64 }

// note writes at most once a second, so that busy cores do not fight over one cache line.
func (u *use) note(now time.Time) {
	if second := now.Unix(); u.seen.Load() < second {
		u.seen.Store(second)
	}
}

func (u *use) last() time.Time {
	if second := u.seen.Load(); second > 0 {
		return time.Unix(second, 0).UTC()
	}
	return time.Time{}
}
