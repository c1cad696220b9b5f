package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxOwner is the length of an owner's name in characters.
const maxOwner = 128

// Key is what may be known of a key. It has neither secrets nor their hashes, so it may be shown and sent.
type Key struct {
	ID     string  `json:"id"`    // public: it stands in logs and lists
	Owner  string  `json:"owner"` // for people: who uses it
	Scopes []Scope `json:"scopes"`

	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Revoked time.Time `json:"revoked,omitzero"` // zero: it is not
	// Rotated is when the present secret was made. Zero: with the key.
	Rotated time.Time `json:"rotated,omitzero"`
	// Overlap is until when the secret before the last rotation is accepted too. Zero or past: it is not.
	Overlap time.Time `json:"overlap,omitzero"`
	// LastUsed is when it was last accepted, to the second; by other replicas, as they said within the last minutes. Zero:
	// never.
	LastUsed time.Time `json:"lastUsed,omitzero"`
}

// State returns in one word how things stand with the key at a moment: "active", "revoked" or "expired".
func (k Key) State(now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked"
	case k.expired(now):
		return "expired"
	}
	return "active"
}

// expired reports whether the key's time is over. A key is no longer good at the very moment of Expires.
func (k Key) expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

// Spec is what a new key shall be.
type Spec struct {
	Owner   string    // 1 to 128 printable characters
	Scopes  []string  // scopes and roles; at least one, see [ParseScopes]
	Expires time.Time // zero: never
}

// newKey checks spec and makes a key of it.
func newKey(spec Spec, now time.Time) (Key, error) {
	scopes, err := ParseScopes(spec.Scopes)
	if err != nil {
		return Key{}, err
	}
	owner := strings.TrimSpace(spec.Owner)
	length := utf8.RuneCountInString(owner)
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	if length == 0 || length > maxOwner || strings.ContainsFunc(owner, unprintable) {
		return Key{}, fmt.Errorf("%w: a key's owner has 1 to %d printable characters", ErrInvalid, maxOwner)
	}
	if !spec.Expires.IsZero() && !spec.Expires.After(now) {
		return Key{}, fmt.Errorf("%w: the expiry %s is past", ErrInvalid, spec.Expires.Format(time.RFC3339))
	}
	key := Key{ID: newID(), Owner: owner, Scopes: scopes, Created: now}
	if !spec.Expires.IsZero() {
		key.Expires = spec.Expires.UTC().Round(0)
	}
	return key, nil
}

// record is a key as the store has it.
type record struct {
	Key
	Secrets []secret `json:"secrets"` // the present one first; at most two
}

// secret is one secret of a key.
type secret struct {
	Hash  hash      `json:"sha256"`
	Until time.Time `json:"until,omitzero"` // zero: as long as the key
}

// hash is the SHA-256 of a secret. A secret has 256 random bits, so no salt and no slow hash are needed: there is
// nothing to guess.
type hash [sha256.Size]byte

// hashOf returns the hash of a secret's text, which has secretLen characters. The copy is on the stack.
func hashOf(secret string) hash {
	var text [secretLen]byte
	return sha256.Sum256(text[:copy(text[:], secret)])
}

// MarshalText writes hexadecimal.
func (h hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads hexadecimal.
func (h *hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return errors.New("a hash of another length")
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// rotate puts a new secret first. The one before it stays good until the overlap ends, any older one is over.
func (r *record) rotate(next hash, now time.Time, overlap time.Duration) {
	previous := r.Secrets[0]
	r.Rotated, r.Overlap = now, time.Time{}
	r.Secrets = []secret{{Hash: next}}
	if overlap > 0 {
		previous.Until = now.Add(overlap)
		r.Overlap = previous.Until
		r.Secrets = append(r.Secrets, previous)
	}
}

// encodeRecord writes a record for the store.
func encodeRecord(r record) ([]byte, error) { return json.Marshal(r) }

// decodeRecord reads a record from the store. What it cannot vouch for it refuses: a key that this version does not
// understand must not be accepted by it.
func decodeRecord(id string, value []byte) (record, error) {
	var r record
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return record{}, fmt.Errorf("the record of key %s: %w", id, err)
	}
	bad := func(s Scope) bool { return !s.valid() }
	if r.ID != id || len(r.Secrets) == 0 || len(r.Secrets) > 2 || slices.ContainsFunc(r.Scopes, bad) {
		return record{}, fmt.Errorf("the record of key %s does not make sense", id)
	}
	return r, nil
}
