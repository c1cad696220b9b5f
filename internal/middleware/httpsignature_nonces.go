package middleware

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

const (
	maxNonceLength = 256     // in bytes
	maxUsedNonces  = 1 << 15 // in the time that a signature is good; no more requests with a nonce are admitted then
)

// usedNonces sees that none is used twice while its signature is good. It outlives the handler.
type usedNonces struct {
	life time.Duration // for which a nonce is remembered at least

	mu         sync.Mutex
	since      time.Time // when young was begun
	young, old map[[sha256.Size]byte]struct{}
}

type nonceUse int

const (
	nonceIsNew nonceUse = iota
	nonceUsed
	noRoom
)

// use is for signatures that are good in all else: strangers fill no memory. "" is no nonce.
func (u *usedNonces) use(key, nonce string, now time.Time) nonceUse {
	if nonce == "" {
		return nonceIsNew
	}
	id := sha256.Sum256(fmt.Appendf(nil, "%q %q", key, nonce))
	u.mu.Lock()
	defer u.mu.Unlock()
	if passed := now.Sub(u.since); passed >= u.life {
		if u.old = u.young; passed >= 2*u.life {
			u.old = nil
		}
		u.young, u.since = map[[sha256.Size]byte]struct{}{}, now
	}
	_, isYoung := u.young[id]
	_, isOld := u.old[id]
	switch {
	case isYoung || isOld:
		return nonceUsed
	case len(u.young) >= maxUsedNonces:
		return noRoom
	}
	u.young[id] = struct{}{}
	return nonceIsNew
}
