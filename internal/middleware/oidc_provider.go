package middleware

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	maxMetadata      = 256 << 10
	metadataLifetime = time.Hour
)

// openIDProvider is a server that people sign in at. It outlives the handlers, and all middlewares with the same client
// have the same: a logout on one route is one on all, and a session is renewed once.
type openIDProvider struct {
	client *identityClient
	spec   *model.OIDC // of what it was made for: issuer and client
	meta   fetched[*metadata]
	ended  *endedSessions
	renew  *renewals
	shared *sharedSessions // nil: sessions are in cookies
}

func (p *openIDProvider) close() {
	p.client.close()
	if p.shared != nil {
		_ = p.shared.redis.Close()
	}
}

func (p *openIDProvider) problem() (model.Problem, bool) {
	if p.shared == nil {
		return model.Problem{}, false
	}
	return p.shared.reach.problem()
}

// metadata is what a provider says of itself (OpenID Connect Discovery 1.0 §3).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	EndSession    string   `json:"end_session_endpoint"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`
	SaysIssuer    bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207

	keys *keySet
}

func newOpenIDProvider(client *identityClient, spec *model.OIDC) *openIDProvider {
	p := &openIDProvider{client: client, spec: spec, ended: newEndedSessions(), renew: newRenewals()}
	p.meta.floor, p.meta.fetch = keysFloor, p.discover
	return p
}

// discover fetches the metadata. Only one runs at a time.
func (p *openIDProvider) discover() (*metadata, lifetime, error) {
	address := strings.TrimSuffix(p.spec.Issuer, "/") + "/.well-known/openid-configuration"
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, lifetime{}, errUnreachable
	}
	_, body, err := p.client.ask(context.Background(), r, maxMetadata)
	if err != nil {
		return nil, lifetime{}, err
	}
	m := new(metadata)
	switch err := json.Unmarshal(body, m); {
	case err != nil || !isServerAddress(m.Authorization) || !isServerAddress(m.Token) || !isServerAddress(m.Keys) ||
		m.EndSession != "" && !isServerAddress(m.EndSession):
		p.client.log.Warn("a provider does not say where its parts are", "provider", p.spec.Issuer)
		return nil, lifetime{}, errUnreachable
	case m.Issuer != p.spec.Issuer: // §4.3
		p.client.log.Warn("a provider says that it is another", "provider", p.spec.Issuer, "other", m.Issuer)
		return nil, lifetime{}, errUnreachable
	}
	if old := p.lastMetadata(); old != nil && old.Keys == m.Keys {
		m.keys = old.keys
	} else {
		m.keys = p.client.keySet(m.Keys)
	}
	return m, lifetime{metadataLifetime, keysKept}, nil
}

// lastMetadata returns nil when there was none.
func (p *openIDProvider) lastMetadata() *metadata {
	p.meta.mu.Lock()
	defer p.meta.mu.Unlock()
	return p.meta.value
}

func (p *openIDProvider) metadata(ctx context.Context) (*metadata, error) {
	return p.meta.get(ctx, func(*metadata) bool { return true })
}

// tokens are what a provider gives for a code, or for a refresh token.
type tokens struct {
	ID      string  `json:"id_token"`
	Refresh string  `json:"refresh_token"`
	Seconds float64 `json:"expires_in"`
}

// exchange asks the token endpoint.
func (p *openIDProvider) exchange(ctx context.Context, form url.Values) (*tokens, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	client := p.spec.Client
	if client.Secret == (model.Secret{}) || len(m.Methods) > 0 && !slices.Contains(m.Methods, "client_secret_basic") {
		form.Set("client_id", client.ID) // RFC 6749 §2.3.1, §3.2.1
		if secret := client.Secret.Reveal(); secret != "" {
			form.Set("client_secret", secret)
		}
		client = model.OAuthClient{}
	}
	_, body, err := p.client.post(ctx, m.Token, form, client, nil, maxTokenAnswer)
	if err != nil {
		return nil, err
	}
	t := new(tokens)
	if err := json.Unmarshal(body, t); err != nil {
		return nil, errUnreachable
	}
	return t, nil
}

// verify returns the claims of a token that the provider has signed for this client.
func (p *openIDProvider) verify(ctx context.Context, token string) (claims, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if len(token) > maxToken {
		return nil, errBadToken
	}
	j := &jwt{
		issuers: []issuer{{p.spec.Issuer, m.keys}}, algorithms: jwtAlgorithms,
		terms: newTokenTerms([]string{p.spec.Client.ID}, 0, false),
	}
	c, err := j.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if party, there := c["azp"]; there && party != p.spec.Client.ID || c.text("iss") == "" { // Core §3.1.3.7
		return nil, errBadToken
	}
	return c, nil
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

var errNoLogout = errors.New("this is no logout token")

// verifyLogout reads a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6).
func (p *openIDProvider) verifyLogout(ctx context.Context, token string) (sid, sub string, err error) {
	c, err := p.verify(ctx, token)
	if err != nil {
		return "", "", err
	}
	events, _ := c["events"].(map[string]any)
	_, isLogout := events[logoutEvent].(map[string]any)
	_, isLogin := c["nonce"]
	sid, sub = c.text("sid"), c.text("sub")
	if !isLogout || isLogin || c["iat"] == nil || sid == "" && sub == "" {
		return "", "", errNoLogout
	}
	return sid, sub, nil
}
