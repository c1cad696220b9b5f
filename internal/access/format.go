package access

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"hash/crc32"
	"strings"
)

// The parts of a presented key, in characters.
const (
	prefix    = "flk_"
	idLen     = 12 // 60 bits
	secretLen = 52 // 256 bits
	sumLen    = 8  // CRC-32 in hexadecimal
	sumAt     = len(prefix) + idLen + 1 + secretLen
	keyLen    = sumAt + 1 + sumLen
)

// alphabet is that of RFC 4648 base 32, in lower case: no character needs quoting anywhere, and a double click takes
// the whole key.
const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// newID returns a random id.
func newID() string { return randomText(idLen*5/8 + 1)[:idLen] }

// newSecret returns a random secret.
func newSecret() string { return randomText(256 / 8) }

// randomText returns so many random bytes as text.
func randomText(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw) // never fails, see crypto/rand
	return base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(raw)
}

// format writes a key as it is presented.
func format(id, secret string) string {
	key := prefix + id + "_" + secret
	return fmt.Sprintf("%s_%08x", key, checksum(key))
}

// parse takes a presented key apart. It reports whether the key is one that [format] could have written, of whatever id
// and secret; it allocates nothing.
func parse(key string) (id, secret string, ok bool) {
	if len(key) != keyLen || key[:len(prefix)] != prefix || key[len(prefix)+idLen] != '_' || key[sumAt] != '_' {
		return "", "", false
	}
	id, secret = key[len(prefix):len(prefix)+idLen], key[len(prefix)+idLen+1:sumAt]
	if !isText(id) || !isText(secret) {
		return "", "", false
	}
	sum := checksum(key[:sumAt])
	for i := keyLen - 1; i > sumAt; i-- {
		if key[i] != "0123456789abcdef"[sum&15] {
			return "", "", false
		}
		sum >>= 4
	}
	return id, secret, true
}

// isText reports whether s has characters of the alphabet only.
func isText(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// checksum is the CRC-32 (IEEE) of s. It is written out because the library's would have s copied to the heap.
func checksum(s string) uint32 {
	sum := ^uint32(0)
	for i := range len(s) {
		sum = crc32.IEEETable[byte(sum)^s[i]] ^ sum>>8
	}
	return ^sum
}

// ID returns the id of a presented key that is well formed, for people who want to know which key they hold. It says
// nothing about whether the key is good.
func ID(presented string) (id string, ok bool) {
	id, _, ok = parse(strings.TrimSpace(presented))
	return id, ok
}
