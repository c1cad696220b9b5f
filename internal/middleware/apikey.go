package middleware

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/model"
)

// maxCredential is the length of the longest key or password that is looked at, in bytes. Hashing more is work that
// strangers could order for nothing.
const maxCredential = 1024

// apiKey admits requests that carry one of the keys. The key is looked for in the field, then in the query, then in the
// cookie, as far as the definition names them; the first that is found decides.
type apiKey struct {
	source    credentialSource
	hashes    [][sha256.Size]byte
	keys      KeyVerifier
	scope     string // "": keys is not asked
	identity  string // canonical; "": none
	keep      bool
	challenge string
}

func newAPIKey(s *Set, _ place, spec *model.APIKey) (Func, error) {
	k := &apiKey{keys: s.keys, scope: spec.Scope, keep: spec.KeepKey}
	var err error
	k.source, err = newCredentialSource("apiKey", model.TokenSource{
		Header: spec.Header, Query: spec.Query, Cookie: spec.Cookie,
	})
	if err != nil {
		return nil, err
	}
	if k.identity, err = identityName("apiKey.identityHeader", spec.IdentityHeader); err != nil {
		return nil, err
	}
	if k.hashes, err = parseHashes("apiKey.hashes", spec.Hashes); err != nil {
		return nil, err
	}
	switch {
	case len(k.hashes) == 0 && k.scope == "":
		return nil, fieldError("apiKey", "admits no key; give hashes or scope")
	case k.scope != "" && k.keys == nil:
		return nil, fieldError("apiKey.scope", "this instance has no key store; give hashes")
	case k.identity != "" && k.identity == k.source.Header:
		return nil, fieldError("apiKey.identityHeader", "%s holds the key; choose another", k.identity)
	}
	k.challenge = `ApiKey realm="fairlead"`
	if k.source.Header == "Authorization" {
		k.source.Scheme = "Bearer"
		k.challenge = `Bearer realm="fairlead"`
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !k.admit(r) {
				w.Header().Set("WWW-Authenticate", k.challenge)
				refuse(w, http.StatusUnauthorized, "refused_by_apiKey")
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// parseHashes reads the SHA-256 sums of keys.
func parseHashes(place string, list []model.Secret) ([][sha256.Size]byte, error) {
	hashes := make([][sha256.Size]byte, len(list))
	for i, s := range list {
		b, err := hex.DecodeString(strings.TrimSpace(s.Reveal()))
		if err != nil || len(b) != sha256.Size {
			return nil, fieldError(fmt.Sprintf("%s[%d]", place, i),
				"is not a SHA-256 sum; give 64 hexadecimal digits, for example what sha256sum prints of the key")
		}
		copy(hashes[i][:], b)
	}
	return hashes, nil
}

// admit checks the key, hides it from the service, and says there who its owner is.
func (k *apiKey) admit(r *http.Request) bool {
	if k.identity != "" {
		removeIdentity(r.Header, k.identity)
	}
	owner, ok := k.verify(k.source.first(r))
	if !ok {
		return false
	}
	if !k.keep {
		k.source.remove(r)
	}
	if k.identity != "" && owner != "" && httpguts.ValidHeaderFieldValue(owner) {
		r.Header.Set(k.identity, owner)
	}
	return true
}

// verify looks at every hash, so that its duration tells nothing about which one was near.
func (k *apiKey) verify(key string) (owner string, ok bool) {
	if key == "" || len(key) > maxCredential {
		return "", false
	}
	sum := sha256.Sum256([]byte(key))
	found := 0
	for i := range k.hashes {
		found |= subtle.ConstantTimeCompare(sum[:], k.hashes[i][:])
	}
	if found == 1 {
		return "", true
	}
	if k.scope == "" {
		return "", false
	}
	return k.keys.VerifyKey(key, k.scope)
}
