package middleware

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// keysFloor is the least time between two fetches of a set: a token can name any key.
	keysFloor = 10 * time.Second
	// A set is fetched again when its server says, but not more often and not more rarely than this.
	keysFreshLeast, keysFreshUsual, keysFreshMost = time.Minute, 10 * time.Minute, time.Hour
	// keysKept is how long a set is used that cannot be fetched any more.
	keysKept = 24 * time.Hour

	maxJWKS = 512 << 10
)

// keySet are the keys of an issuer: those that were given, or those that a server has.
type keySet struct {
	given   []verifyKey
	fetched *fetched[[]verifyKey] // nil: they were given
}

// newFetchedKeys returns keys that are fetched: fetch says how long they are fresh, as their server says; 0: it does
// not.
func newFetchedKeys(fetch func() (keys []verifyKey, fresh time.Duration, err error)) *keySet {
	return &keySet{fetched: &fetched[[]verifyKey]{
		floor: keysFloor,
		fetch: func() ([]verifyKey, lifetime, error) {
			keys, fresh, err := fetch()
			fresh = min(max(cmp.Or(fresh, keysFreshUsual), keysFreshLeast), keysFreshMost)
			return keys, lifetime{fresh, keysKept}, err
		},
	}}
}

// find returns the keys that may have signed a token. The error is errUnreachable where that cannot be known.
func (s *keySet) find(ctx context.Context, id string, alg jose.SignatureAlgorithm) (found []verifyKey, err error) {
	fits := func(k verifyKey) bool { return k.verifies(id, alg) }
	keys := s.given
	if s.fetched != nil {
		keys, err = s.fetched.get(ctx, func(keys []verifyKey) bool { return slices.ContainsFunc(keys, fits) })
	}
	for _, k := range keys {
		if fits(k) {
			found = append(found, k)
		}
	}
	return found, err
}

// maxAge returns how long an answer may be used (RFC 9111 §5.2.2.1); 0: it does not say.
func maxAge(h http.Header) time.Duration {
	for part := range strings.SplitSeq(h.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if seconds, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && strings.EqualFold(name, "max-age") {
			return time.Duration(min(max(seconds, 1), 1<<31)) * time.Second
		}
	}
	return 0
}
