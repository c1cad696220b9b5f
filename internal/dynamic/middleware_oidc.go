package dynamic

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

type oidc struct {
	Issuer                string            `doc:"issuer"`
	ClientID              string            `doc:"clientID"`
	ClientSecret          string            `doc:"clientSecret"`
	RedirectURL           string            `doc:"redirectUrl"`
	Scopes                []string          `doc:"scopes"`
	AuthParams            map[string]string `doc:"authParams"`
	PKCE                  *bool             `doc:"pkce"`
	PostLoginRedirectURL  string            `doc:"postLoginRedirectUrl"`
	LogoutURL             string            `doc:"logoutUrl"`
	PostLogoutRedirectURL string            `doc:"postLogoutRedirectUrl"`
	BackchannelLogoutURL  string            `doc:"backchannelLogoutUrl"`
	DisableLogin          bool              `doc:"disableLogin"`
	CSRF                  *csrf             `doc:"csrf"`
	StateCookie           stateCookie       `doc:"stateCookie"`
	Session               oidcSession       `doc:"session"`
	Claims                string            `doc:"claims"`
	ForwardHeaders        map[string]string `doc:"forwardHeaders"`
	ClientConfig          serverClient      `doc:"clientConfig"`
}

type stateCookie struct {
	MaxAge int `doc:"maxAge"` // in seconds
}

type csrf struct {
	HeaderName string `doc:"headerName"`
	Secure     *bool  `doc:"secure"`
}

type oidcSession struct {
	Secret   string `doc:"secret"`
	Name     string `doc:"name"`
	Domain   string `doc:"domain"`
	SameSite string `doc:"sameSite"`
	Secure   *bool  `doc:"secure"`
	Expiry   int    `doc:"expiry"` // in seconds
	Sliding  *bool  `doc:"sliding"`
	Refresh  *bool  `doc:"refresh"`
	Store    struct {
		Redis *storeRedis `doc:"redis"`
	} `doc:"store"`
}

// storeRedis has Traefik Hub's name for the number of the database, too.
type storeRedis struct {
	redis
	Database int `doc:"database"`
}

func (*oidc) gaps() []gap {
	gaps := []gap{
		{"loginUrl", ignored}, {"discoveryParams", ignored},
		{"backchannelLogoutSessionsRequired", ignored}, {"usernameClaim", ignored},
		{"session.path", ignored}, {"session.httpOnly", ignored},
		{"session.store.redis.cluster", ignored}, {"session.store.redis.sentinel", left},
		{"session.store.redis.tls.caBundle", left},
	}
	for _, name := range []string{"name", "path", "domain", "sameSite", "httpOnly", "secure"} {
		gaps = append(gaps, gap{"stateCookie." + name, ignored})
	}
	return append(gaps, serverGaps...)
}

func (o *oidc) files() []string { return o.ClientConfig.TLS.files() }

// ownParams are those of the authentication request that nobody else may set.
var ownParams = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
	"code_challenge_method", "request", "request_uri",
}

func (o *oidc) build(at place, m *model.Middleware) {
	m.OIDC = &model.OIDC{
		Issuer: at.in("issuer").serverURL(o.Issuer), Redirect: at.in("redirectUrl").destination(o.RedirectURL),
		Client: model.OAuthClient{ID: o.ClientID, Secret: model.NewSecret(o.ClientSecret)},
		Scopes: slices.DeleteFunc(slices.Clone(o.Scopes), func(s string) bool { return s == "openid" }),
		Params: o.AuthParams, Logout: at.in("logoutUrl").ownPath(o.LogoutURL),
		BackchannelLogout: at.in("backchannelLogoutUrl").ownPath(o.BackchannelLogoutURL),
		LoginTime:         at.in("stateCookie", "maxAge").seconds(o.StateCookie.MaxAge, time.Hour),
		Session:           at.in("session").oidcSession(o.Session),
		ClaimUse: model.ClaimUse{
			Claims: at.in("claims").claims(o.Claims), Forward: at.in("forwardHeaders").claimFields(o.ForwardHeaders),
		},
		Server: at.in("clientConfig").identityServer(o.ClientConfig),
	}
	m.OIDC.NoLogin = o.DisableLogin
	if o.CSRF != nil {
		m.OIDC.CSRF = at.in("csrf").csrf(*o.CSRF, m.OIDC.Session)
	}
	if o.PostLoginRedirectURL != "" {
		m.OIDC.AfterLogin = at.in("postLoginRedirectUrl").destination(o.PostLoginRedirectURL)
	}
	if o.PostLogoutRedirectURL != "" {
		m.OIDC.AfterLogout = at.in("postLogoutRedirectUrl").destination(o.PostLogoutRedirectURL)
	}
	if o.ClientID == "" {
		at.in("clientID").invalid("say who asks: the provider knows this instance as a client")
	}
	const shortest = 32
	if max(len(o.ClientSecret), len(o.Session.Secret)) < shortest ||
		o.Session.Secret != "" && len(o.Session.Secret) < shortest {
		at.in("session", "secret").invalid(
			"give %d bytes or more: it encrypts sessions, and clientSecret is shorter", shortest)
	}
	if o.PKCE != nil && !*o.PKCE {
		at.in("pkce").invalid("it is always used (RFC 9700 §2.1.1); take this away")
	}
	for _, name := range sortedKeys(o.AuthParams) {
		if slices.Contains(ownParams, name) {
			at.in("authParams", name).invalid("it is set by the middleware itself")
		}
	}
}

// destination checks where a browser is sent to: a path, or a whole address.
func (p place) destination(text string) string {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.Host == "" && u.Scheme == "" && strings.HasPrefix(text, "/") && !strings.HasPrefix(text, `/\`):
		return text
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
		p.invalid("this is neither a path nor an address; write it like /callback or https://shop.example/callback")
	}
	return text
}

// ownPath checks a path that the middleware answers itself; "" is none.
func (p place) ownPath(text string) string {
	if text != "" && (!strings.HasPrefix(text, "/") || strings.ContainsAny(text, "?#")) {
		p.invalid("this is no path; write it like /logout")
	}
	return text
}

// seconds is a number of them, up to most; 0 stays 0.
func (p place) seconds(n int, most time.Duration) time.Duration {
	d := time.Duration(n) * time.Second
	if n < 0 || d > most {
		p.invalid("%d is out of range; it is from 1 to %d seconds", n, int(most.Seconds()))
	}
	return d
}

// csrf is secure as the session is, where it does not say so itself.
func (p place) csrf(c csrf, session model.OIDCSession) *model.CSRF {
	insecure := session.Insecure
	if c.Secure != nil {
		insecure = !*c.Secure
	}
	if insecure && session.SameSite == "none" {
		p.in("secure").invalid(`browsers keep no cookie with sameSite "none" that is not secure`)
	}
	return &model.CSRF{Header: p.in("headerName").headerName(c.HeaderName), Insecure: insecure}
}

func (p place) oidcSession(s oidcSession) model.OIDCSession {
	no := func(b *bool) bool { return b != nil && !*b }
	session := model.OIDCSession{
		Secret: model.NewSecret(s.Secret), Cookie: p.in("name").cookieName(s.Name), Domain: s.Domain,
		Insecure: no(s.Secure), Fixed: no(s.Sliding), NoRefresh: no(s.Refresh),
		Expiry: p.in("expiry").seconds(s.Expiry, 365*24*time.Hour),
	}
	if store := s.Store.Redis; store != nil {
		if store.DB = cmp.Or(store.DB, store.Database); store.Database != 0 && store.DB != store.Database {
			p.in("store", "redis", "database").invalid("the same is db; give one of them")
		}
		session.Redis = p.in("store", "redis").redis(&store.redis)
	}
	switch s.SameSite = strings.ToLower(s.SameSite); {
	case s.SameSite == "none" && !session.Insecure:
		session.SameSite = s.SameSite
	case s.SameSite != "" && s.SameSite != "lax":
		p.in("sameSite").invalid(`it is "lax", or "none" with secure; with "strict" no browser would come back signed in`)
	}
	if strings.HasPrefix(s.Name, "__Host-") && (s.Domain != "" || session.Insecure) {
		p.in("name").invalid("a name with __Host- goes with secure, and without domain")
	}
	return session
}
