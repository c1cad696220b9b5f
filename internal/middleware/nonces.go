package middleware

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

const (
	nonceLife = 5 * time.Minute
	maxNonces = 1 << 14 // of which counts are remembered
)

// nonces makes what a client must prove its knowledge about, and sees that no proof is used twice (RFC 7616 §5.5). A
// nonce is its time, something random, and a MAC of both, so none need be remembered before it is used.
type nonces struct {
	key   []byte
	start time.Time

	mu     sync.Mutex
	counts *lru[string, uint64] // the highest count that was used with a nonce
}

func newNonces() *nonces {
	n := &nonces{key: make([]byte, sha256.Size), start: time.Now(), counts: newLRU[string, uint64](maxNonces)}
	_, _ = rand.Read(n.key) // never fails: see its documentation
	return n
}

func (n *nonces) make() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(time.Since(n.start)))
	b = append(b, rand.Text()[:16]...)
	return base64.RawURLEncoding.EncodeToString(append(b, n.mac(b)...))
}

func (n *nonces) mac(b []byte) []byte {
	h := hmac.New(sha256.New, n.key)
	_, _ = h.Write(b)
	return h.Sum(nil)[:16]
}

// use reports whether a count of a nonce is used for the first time, and the nonce is one of ours and not too old.
// Counts must grow; a client that sends several requests at once may have to try one of them again.
func (n *nonces) use(nonce string, count uint64) bool {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 8+16+16 || !hmac.Equal(n.mac(b[:24]), b[24:]) {
		return false
	}
	made := time.Duration(binary.BigEndian.Uint64(b))
	if time.Since(n.start)-made > nonceLife {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	highest := n.counts.at(nonce)
	if count <= *highest {
		return false
	}
	*highest = count
	return true
}
