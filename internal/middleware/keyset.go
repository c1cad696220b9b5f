package middleware

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// keysFloor is the least time between two fetches of a set, whatever strangers send: a token can name any key.
	keysFloor = 10 * time.Second
	// A set is fetched again when its server says, but not more often and not more rarely than this.
	keysFreshLeast, keysFreshUsual, keysFreshMost = time.Minute, 10 * time.Minute, time.Hour
	// keysKept is how long a set is used that cannot be fetched any more.
	keysKept = 24 * time.Hour

	maxJWKS = 512 << 10
)

var errUnreachable = errors.New("the server cannot be reached, or answers with something else")

// keySet are the keys of an issuer: those that were given, or those that a server has. Tokens are verified with the
// keys that are known while others are fetched; who waits is only the request that needs a key that is not known.
type keySet struct {
	fetch func() (keys []verifyKey, fresh time.Duration, err error) // nil: they were given

	mu      sync.Mutex
	keys    []verifyKey
	fetched time.Time     // zero: never
	stale   time.Time     // when they are to be fetched again
	tried   time.Time     // when the last fetch began
	running chan struct{} // closed when the fetch has ended that is under way; nil: there is none
	// Everybody waits for the fetch that is under way: nobody has asked for so long that what is known may be withdrawn.
	idle bool
}

// find returns the keys that may have signed a token. The error is errUnreachable where that cannot be known.
func (s *keySet) find(ctx context.Context, id string, alg jose.SignatureAlgorithm) ([]verifyKey, error) {
	found, known, wait := s.look(id, alg)
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		found, known, _ = s.look(id, alg)
	}
	if !known {
		return nil, errUnreachable
	}
	return found, nil
}

// look returns what is known now. Where that is old or not enough, a fetch begins; wait is what to wait for before one
// looks again, if at all.
func (s *keySet) look(id string, alg jose.SignatureAlgorithm) (found []verifyKey, known bool, wait <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	known = s.fetch == nil || !s.fetched.IsZero() && now.Sub(s.fetched) < keysKept
	if known {
		for _, k := range s.keys {
			if k.verifies(id, alg) {
				found = append(found, k)
			}
		}
	}
	if s.fetch == nil || len(found) > 0 && now.Before(s.stale) {
		return found, known, nil
	}
	if s.running == nil && (s.tried.IsZero() || now.Sub(s.tried) >= keysFloor) {
		s.idle = now.Sub(s.tried) > keysFreshMost
		s.tried, s.running = now, make(chan struct{})
		go s.refresh(s.running)
	}
	if len(found) > 0 && !s.idle {
		return found, known, nil
	}
	return found, known, s.running
}

// refresh belongs to no request: others may wait for it, too. What fetches has a timeout.
func (s *keySet) refresh(done chan<- struct{}) {
	keys, fresh, err := s.fetch()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.keys, s.fetched = keys, time.Now()
		s.stale = s.fetched.Add(min(max(cmp.Or(fresh, keysFreshUsual), keysFreshLeast), keysFreshMost))
	}
	s.running = nil
	close(done)
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
