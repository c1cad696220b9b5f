package middleware

import (
	"cmp"
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	// maxIntrospected is how many answers are kept, for each middleware.
	maxIntrospected = 4096
	// maxIntrospection is the length of the longest answer, in bytes.
	maxIntrospection = 16 << 10
	// maxAsking is how many questions are asked at once: strangers can make up any number of tokens.
	maxAsking            = 64
	defaultIntrospection = 10 * time.Second
)

// introspection asks the issuer of a token whether it is good (RFC 7662).
type introspection struct {
	*model.OAuthIntrospection
	terms tokenTerms
	keep  time.Duration
	*introspected
}

// introspected outlives the handler.
type introspected struct {
	client  *identityClient
	asking  chan struct{}      // has an element for each question that is being asked
	answers singleflight.Group // one question for all who ask the same

	mu    sync.Mutex
	known *lru[[sha256.Size]byte, verdict] // by what is made of the token, so that no token stays here
}

// verdict is what the issuer said.
type verdict struct {
	claims claims    // nil: the token is not good
	until  time.Time // when the issuer is asked again
}

func newIntrospected(client *identityClient) *introspected {
	return &introspected{
		client: client, asking: make(chan struct{}, maxAsking),
		known: newLRU[[sha256.Size]byte, verdict](maxIntrospected),
	}
}

func (s *introspected) close() { s.client.close() }

// newOAuthIntrospection admits requests with a token that its issuer says is good.
func newOAuthIntrospection(s *Set, at place, spec *model.OAuthIntrospection) (Func, error) {
	source, err := newCredentialSource("oAuthIntrospection.tokenSource", spec.Token)
	if err != nil {
		return nil, err
	}
	use, err := newClaimUse("oAuthIntrospection", spec.ClaimUse)
	if err != nil {
		return nil, err
	}
	if !isServerAddress(spec.URL) {
		return nil, fieldError("oAuthIntrospection.clientConfig.url", "is no address; write it like https://a.example/ask")
	}
	client, err := newIdentityClient("oAuthIntrospection.clientConfig.tls", spec.Server, s.log)
	if err != nil {
		return nil, err
	}
	like := likeOf("oAuthIntrospection", spec.URL, spec.Client.ID, spec.Client.Secret.Reveal(), revealed(spec.Headers),
		spec.Hint, serverKeyOf(spec.Server))
	i := &introspection{
		OAuthIntrospection: spec,
		terms:              newTokenTerms(spec.Audience, 0, true),
		keep:               max(cmp.Or(spec.Keep, defaultIntrospection), 0),
		introspected: stateOf(s, place{middleware: at.middleware}, like, func() *introspected {
			return newIntrospected(client)
		}),
	}
	g := &tokenGuard{source: source, use: use, strip: spec.Strip, check: i.check}
	g.deny = func(w http.ResponseWriter, status int) { refuse(w, status, "refused_by_oAuthIntrospection") }
	return g.wrap, nil
}

func (i *introspection) check(ctx context.Context, token string) (claims, error) {
	id := sha256.Sum256([]byte(token))
	c, known := i.recall(id)
	if !known {
		answer := i.answers.DoChan(string(id[:]), func() (any, error) { return i.ask(token, id) })
		select {
		case a := <-answer:
			if a.Err != nil {
				return nil, a.Err
			}
			c = a.Val.(claims)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if c == nil || i.Issuer != "" && c.text("iss") != i.Issuer {
		return nil, errBadToken
	}
	if err := i.terms.check(c); err != nil {
		return nil, err
	}
	return c, nil
}

func (s *introspected) recall(id [sha256.Size]byte) (claims, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known.has(id) {
		return nil, false
	}
	v := s.known.at(id)
	return v.claims, time.Now().Before(v.until)
}

// ask belongs to no request: others may wait for the answer, too.
func (i *introspection) ask(token string, id [sha256.Size]byte) (claims, error) {
	ctx, cancel := context.WithTimeout(context.Background(), i.client.timeout)
	defer cancel()
	select {
	case i.asking <- struct{}{}:
		defer func() { <-i.asking }()
	case <-ctx.Done():
		return nil, errUnreachable
	}
	form := url.Values{"token": {token}}
	if i.Hint != "" {
		form.Set("token_type_hint", i.Hint)
	}
	_, body, err := i.client.post(ctx, i.URL, form, i.Client, i.Headers, maxIntrospection)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(body)
	if err != nil {
		i.client.log.Warn("a server of identities gives no good answer", "server", i.URL, "error", err)
		return nil, errUnreachable
	}
	if active, _ := c["active"].(bool); !active {
		c = nil
	}
	i.remember(id, c)
	return c, nil
}

func (i *introspection) remember(id [sha256.Size]byte, c claims) {
	if i.keep == 0 {
		return
	}
	until := time.Now().Add(i.keep)
	if expires, ok := numericDate(c["exp"]); ok && expires.Before(until) {
		until = expires
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	*i.known.at(id) = verdict{c, until}
}
