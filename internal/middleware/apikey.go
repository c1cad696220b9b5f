package middleware

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
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
	header, query, cookie string
	hashes                [][sha256.Size]byte
	keys                  KeyVerifier
	scope                 string // "": keys is not asked
	identity              string // canonical; "": none
	keep                  bool
	challenge             string
}

func newAPIKey(s *Set, _ place, spec *model.APIKey) (Func, error) {
	k := &apiKey{query: spec.Query, cookie: spec.Cookie, keys: s.keys, scope: spec.Scope, keep: spec.KeepKey}
	var err error
	if spec.Header != "" {
		if k.header, err = identityName("apiKey.header", spec.Header); err != nil {
			return nil, err
		}
	}
	if k.identity, err = identityName("apiKey.identityHeader", spec.IdentityHeader); err != nil {
		return nil, err
	}
	if k.hashes, err = parseHashes(spec.Hashes); err != nil {
		return nil, err
	}
	switch {
	case k.header == "" && k.query == "" && k.cookie == "":
		return nil, fieldError("apiKey", "says nowhere to look for the key; give header, query or cookie")
	case len(k.hashes) == 0 && k.scope == "":
		return nil, fieldError("apiKey", "admits no key; give hashes or scope")
	case k.scope != "" && k.keys == nil:
		return nil, fieldError("apiKey.scope", "this instance has no key store; give hashes")
	case k.identity != "" && k.identity == k.header:
		return nil, fieldError("apiKey.identityHeader", "%s holds the key; choose another", k.identity)
	}
	k.challenge = `ApiKey realm="fairlead"`
	if k.header == "Authorization" {
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

func parseHashes(list []model.Secret) ([][sha256.Size]byte, error) {
	hashes := make([][sha256.Size]byte, len(list))
	for i, s := range list {
		b, err := hex.DecodeString(strings.TrimSpace(s.Reveal()))
		if err != nil || len(b) != sha256.Size {
			return nil, fieldError(fmt.Sprintf("apiKey.hashes[%d]", i),
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
	owner, ok := k.verify(k.find(r))
	if !ok {
		return false
	}
	if !k.keep {
		k.remove(r)
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

func (k *apiKey) find(r *http.Request) string {
	if k.header != "" {
		value := r.Header.Get(k.header)
		if k.header == "Authorization" {
			value, _ = cutBearer(value)
		}
		if value != "" {
			return value
		}
	}
	if k.query != "" {
		if value := queryValue(r.URL.RawQuery, k.query); value != "" {
			return value
		}
	}
	if k.cookie != "" {
		return cookieValue(r.Header, k.cookie)
	}
	return ""
}

// remove takes the key out of every place where it may be.
func (k *apiKey) remove(r *http.Request) {
	switch _, bearer := cutBearer(r.Header.Get("Authorization")); {
	case k.header == "Authorization" && !bearer: // another middleware's, or the service's own
	case k.header != "":
		delete(r.Header, k.header)
	}
	if k.query != "" {
		if query, ok := withoutQuery(r.URL.RawQuery, k.query); ok {
			r.URL.RawQuery = query
			r.RequestURI = r.URL.RequestURI()
		}
	}
	if k.cookie != "" {
		removeCookie(r.Header, k.cookie)
	}
}

// cutBearer returns the token of a bearer credential (RFC 6750 §2.1); the scheme's case does not matter.
func cutBearer(value string) (string, bool) {
	const scheme = "Bearer "
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", false
	}
	return strings.Trim(value[len(scheme):], " "), true
}

// queryValue returns the first value of a parameter that is not empty. Unlike url.ParseQuery it makes no map.
func queryValue(query, name string) string {
	for part := range strings.SplitSeq(query, "&") {
		if value, ok := parameter(part, name); ok && value != "" {
			return value
		}
	}
	return ""
}

// withoutQuery removes a parameter and leaves the others as they are and where they are.
func withoutQuery(query, name string) (rest string, found bool) {
	kept := make([]string, 0, 8)
	for part := range strings.SplitSeq(query, "&") {
		if _, ok := parameter(part, name); ok {
			found = true
		} else {
			kept = append(kept, part)
		}
	}
	if !found {
		return query, false
	}
	return strings.Join(kept, "&"), found
}

func parameter(part, name string) (value string, ok bool) {
	k, v, _ := strings.Cut(part, "=")
	if k, err := url.QueryUnescape(k); err != nil || k != name {
		return "", false
	}
	v, err := url.QueryUnescape(v)
	if err != nil {
		return "", true // has the name, so it goes; has no value that could be a key
	}
	return v, true
}

// cookieValue returns the first value of a cookie (RFC 6265 §5.4) that is not empty.
func cookieValue(h http.Header, name string) string {
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if k, v, _ := strings.Cut(strings.Trim(pair, " \t"), "="); k == name && v != "" {
				return strings.Trim(v, `"`)
			}
		}
	}
	return ""
}

// removeCookie removes one cookie and leaves the others as they are.
func removeCookie(h http.Header, name string) {
	var lines []string
	for _, line := range h["Cookie"] {
		var kept []string
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.Trim(pair, " \t")
			if k, _, _ := strings.Cut(pair, "="); k != name && pair != "" {
				kept = append(kept, pair)
			}
		}
		if len(kept) > 0 {
			lines = append(lines, strings.Join(kept, "; "))
		}
	}
	if len(lines) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = lines
}
