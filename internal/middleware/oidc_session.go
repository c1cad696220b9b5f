package middleware

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// maxEnded is how many ends of sessions are known, for each provider.
	maxEnded = 1 << 16
	// maxRenewed is how many renewed sessions are known, for each provider.
	maxRenewed = 1024
	// renewedFor is how long requests that still have the old cookie get the session that it was renewed to: providers
	// take a refresh token that comes twice for a stolen one (RFC 9700 §4.14.2).
	renewedFor = time.Minute
	// renewGrace is how long a session is served that is to be renewed, while the provider is away.
	renewGrace = 5 * time.Minute
	// usualRenewal is for providers that do not say how long their tokens are good.
	usualRenewal = 5 * time.Minute
)

// session is who is signed in. Times are in milliseconds since 1970.
type session struct {
	ID      string `json:"i"` // random: names it in this instance only
	Token   string `json:"t"` // the ID token, verified when it came
	Refresh string `json:"r,omitempty"`
	Begun   int64  `json:"b"`
	Ends    int64  `json:"e"`
	Renew   int64  `json:"n,omitempty"` // when the provider is to be asked again; 0: never

	claims claims
	stored string // as it was read, where it is not in cookies
}

// endedSessions are those that ended before their time. Values are when.
type endedSessions struct {
	mu    sync.Mutex
	known *lru[[sha256.Size]byte, int64]
}

func newEndedSessions() *endedSessions {
	return &endedSessions{known: newLRU[[sha256.Size]byte, int64](maxEnded)}
}

// end has the sessions end that have begun until now; kind says what name is: "id", "sid" or "sub".
func (e *endedSessions) end(kind, name string) {
	if name == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	*e.known.at(sha256.Sum256([]byte(kind + " " + name))) = time.Now().UnixMilli()
}

func (e *endedSessions) has(s *session) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range []string{"id " + s.ID, "sid " + s.claims.text("sid"), "sub " + s.claims.text("sub")} {
		key := sha256.Sum256([]byte(name))
		if e.known.has(key) && *e.known.at(key) >= s.Begun {
			return true
		}
	}
	return false
}

// renewals are sessions that were renewed, by what is made of their refresh tokens and times: not every provider gives
// another refresh token each time.
type renewals struct {
	group singleflight.Group
	mu    sync.Mutex
	known *lru[[sha256.Size]byte, renewal]
}

type renewal struct {
	session *session
	until   time.Time
}

func newRenewals() *renewals {
	return &renewals{known: newLRU[[sha256.Size]byte, renewal](maxRenewed)}
}

var errEnded = errors.New("the session has ended")

// renewed returns the session as it is to be from now on: s itself, or what the provider made of it. The error is
// errEnded where the provider wants a new login, or errUnreachable.
// keep stores a renewed session; nil: the browser is to keep it.
func (p *openIDProvider) renewed(ctx context.Context, s *session, keep func(*session) error) (*session, error) {
	now := time.Now()
	if s.Renew == 0 || now.UnixMilli() < s.Renew {
		return s, nil
	}
	if s.Refresh == "" {
		return nil, errEnded
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%d %s", s.Renew, s.Refresh))
	if known, ok := p.renew.recall(key); ok {
		return known, nil
	}
	answer := p.renew.group.DoChan(string(key[:]), func() (any, error) {
		if known, ok := p.renew.recall(key); ok { // by a request that came just before
			return known, nil
		}
		fresh, err := p.refresh(s, keep)
		if err == nil {
			p.renew.remember(key, fresh)
		}
		return fresh, err
	})
	select {
	case a := <-answer:
		switch {
		case a.Err == nil:
			return a.Val.(*session), nil
		case errors.Is(a.Err, errUnreachable) && now.Sub(time.UnixMilli(s.Renew)) < renewGrace:
			return s, nil
		}
		return nil, a.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refresh belongs to no request: others may wait for it, too.
func (p *openIDProvider) refresh(s *session, keep func(*session) error) (*session, error) {
	ctx := context.Background() // what is asked has a timeout
	if p.shared != nil && !p.shared.mayRenew(ctx, s) {
		return nil, errUnreachable // another instance asks, and this one serves what it knows
	}
	t, err := p.exchange(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.Refresh}})
	if errors.Is(err, errDenied) {
		return nil, errEnded
	}
	if err != nil {
		return nil, err
	}
	fresh := *s
	fresh.Renew = renewAt(t)
	if t.Refresh != "" {
		fresh.Refresh = t.Refresh
	}
	if t.ID != "" {
		fresh.claims, err = p.verify(ctx, t.ID)
		switch {
		case errors.Is(err, errUnreachable):
			return nil, err
		case err != nil || fresh.claims.text("sub") != s.claims.text("sub"): // Core §12.2
			return nil, errEnded
		}
		fresh.Token = t.ID
	}
	if keep != nil {
		return &fresh, keep(&fresh)
	}
	return &fresh, nil
}

func renewAt(t *tokens) int64 {
	life := time.Duration(min(max(t.Seconds, 0), 1e9) * float64(time.Second))
	if life == 0 {
		life = usualRenewal
	}
	return time.Now().Add(life).UnixMilli()
}

func (r *renewals) recall(key [sha256.Size]byte) (*session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known.has(key) {
		return nil, false
	}
	known := r.known.at(key)
	return known.session, time.Now().Before(known.until)
}

func (r *renewals) remember(key [sha256.Size]byte, s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.known.at(key) = renewal{s, time.Now().Add(renewedFor)}
}
