package middleware

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"runtime"
	"sync"
)

// maxVerified is how many passwords are remembered as verified, over all middlewares.
const maxVerified = 4096

// passwords verifies passwords. A hash made for passwords takes some 50 ms, and basic authentication sends the password
// with every request, so those that were right are remembered: not as they are, but as a MAC under a key that never
// leaves the process. The hash that the password was right for is part of it, so nothing is remembered for a user whose
// password was changed.
type passwords struct {
	sums  *sums
	slots chan struct{} // as many hashes at once as leave half the processors to others

	mu    sync.Mutex
	known *lru[[sha256.Size]byte, struct{}]
}

func newPasswords() *passwords {
	return &passwords{
		sums:  newSums(),
		slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		known: newLRU[[sha256.Size]byte, struct{}](maxVerified),
	}
}

// match reports whether the password is a's. It is false when ctx ends before there was time to find out.
func (p *passwords) match(ctx context.Context, a account, password string) bool {
	if len(password) > maxCredential {
		return false
	}
	sum := p.sums.of(a.hash, password)
	if p.verified(sum) {
		return true
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return false
	}
	if p.verified(sum) { // by a request that came just before
		return true
	}
	if !a.encoded.MatchesPassword(password) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known.at(sum)
	return true
}

func (p *passwords) verified(sum [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known.has(sum)
}

// sums makes what passwords are remembered by.
type sums struct{ macs sync.Pool } // of *mac

type mac struct {
	hash.Hash
	in, out []byte
}

func newSums() *sums {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails: see its documentation
	return &sums{sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, key)} }}}
}

// of returns the MAC of a password for what it belongs to, which has no zero byte in it.
func (s *sums) of(owner, password string) (sum [sha256.Size]byte) {
	m := s.macs.Get().(*mac)
	defer s.macs.Put(m)
	m.Reset()
	m.in = append(append(append(m.in[:0], owner...), 0), password...)
	_, _ = m.Write(m.in)
	m.out = m.Sum(m.out[:0])
	copy(sum[:], m.out)
	clear(m.in) // no password stays in the pool
	return sum
}
