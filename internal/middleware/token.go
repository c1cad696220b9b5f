package middleware

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

const (
	// maxToken is the length of the longest token that is looked at, in bytes.
	maxToken      = 16 << 10
	defaultLeeway = 30 * time.Second
)

var (
	errNoToken  = errors.New("the request has no token")
	errBadToken = errors.New("the token is not good")
)

// tokenGuard admits requests with a token that is good.
type tokenGuard struct {
	source credentialSource
	use    *claimUse
	strip  bool
	// check returns the claims of a token, errBadToken, or errUnreachable where it cannot be known whether it is good.
	check func(ctx context.Context, token string) (claims, error)
	deny  func(w http.ResponseWriter, status int)
}

func (g *tokenGuard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.use.removeIdentity(r.Header)
		c, err := g.claimsOf(r)
		switch {
		case errors.Is(err, errUnreachable):
			refuse(w, http.StatusBadGateway, "auth_unreachable")
			return
		case err != nil:
			challengeBearer(w, err)
			g.deny(w, http.StatusUnauthorized)
			return
		case !g.use.allows(c):
			w.Header().Set("WWW-Authenticate", `Bearer realm="fairlead", error="insufficient_scope"`)
			g.deny(w, http.StatusForbidden)
			return
		}
		if g.strip {
			g.source.remove(r)
		}
		g.use.tell(r.Header, c)
		keepClaims(w, c)
		next.ServeHTTP(w, r)
	})
}

func (g *tokenGuard) claimsOf(r *http.Request) (claims, error) {
	token, found := g.source.only(r)
	switch {
	case found == 0:
		return nil, errNoToken
	case found > 1 || len(token) > maxToken:
		return nil, errBadToken
	}
	return g.check(r.Context(), token)
}

// challengeBearer says no more than that a token was not good (RFC 6750 §3.1).
func challengeBearer(w http.ResponseWriter, err error) {
	challenge := `Bearer realm="fairlead"`
	if !errors.Is(err, errNoToken) {
		challenge += `, error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
}

// tokenTerms are what the claims of a good token must say of time and audience.
type tokenTerms struct {
	audience []string // nil: any
	leeway   time.Duration
	forever  bool // tokens without exp are good
}

func newTokenTerms(audience []string, leeway time.Duration, forever bool) tokenTerms {
	return tokenTerms{audience, max(cmp.Or(leeway, defaultLeeway), 0), forever}
}

func (t *tokenTerms) check(c claims) error {
	if !t.isTimely(c, time.Now()) || !t.isForUs(c) {
		return errBadToken
	}
	return nil
}

// isTimely looks at exp, nbf and iat (RFC 7519 §4.1). One that is there and no number is not good.
func (t *tokenTerms) isTimely(c claims, now time.Time) bool {
	expires, ok := numericDate(c["exp"])
	if !ok && (c["exp"] != nil || !t.forever) {
		return false
	}
	if ok && !now.Add(-t.leeway).Before(expires) {
		return false
	}
	for _, name := range []string{"nbf", "iat"} {
		if begins, ok := numericDate(c[name]); !ok && c[name] != nil || ok && now.Add(t.leeway).Before(begins) {
			return false
		}
	}
	return true
}

// numericDate reads seconds since 1970, which may have a fraction. Those after the year 9999 are taken for a mistake.
func numericDate(value any) (time.Time, bool) {
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds > 253402300799 {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}

// isForUs looks at aud, which is a text or a list of them (RFC 7519 §4.1.3).
func (t *tokenTerms) isForUs(c claims) bool {
	if len(t.audience) == 0 {
		return true
	}
	if one, ok := c["aud"].(string); ok {
		return slices.Contains(t.audience, one)
	}
	list, _ := c["aud"].([]any)
	return slices.ContainsFunc(list, func(item any) bool {
		text, ok := item.(string)
		return ok && slices.Contains(t.audience, text)
	})
}
