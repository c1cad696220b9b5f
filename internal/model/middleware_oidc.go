package model

import "time"

// OIDC admits browsers that have signed in at an OpenID provider (OpenID Connect Core 1.0 §3.1, with PKCE). Who is
// signed in is in an encrypted cookie.
type OIDC struct {
	Issuer string      `json:"issuer"` // of the provider; http or https
	Client OAuthClient `json:"client"` // without a secret it is a public one
	// Redirect is where the provider sends the browser back to: a path, or a whole address whose path is on the route.
	Redirect string            `json:"redirect"`
	Scopes   []string          `json:"scopes,omitempty"` // beside openid
	Params   map[string]string `json:"params,omitempty"` // go with the authentication request
	// AfterLogin and AfterLogout are where the browser goes then. "": the page that it asked for; a short text.
	AfterLogin  string `json:"afterLogin,omitempty"`
	AfterLogout string `json:"afterLogout,omitempty"`
	// Logout and BackchannelLogout are paths on the route: of the browser, and of the provider. "": none.
	Logout            string         `json:"logout,omitempty"`
	BackchannelLogout string         `json:"backchannelLogout,omitempty"`
	LoginTime         time.Duration  `json:"loginTime,omitempty"` // that signing in may take; 0 is 10 min
	NoLogin           bool           `json:"noLogin,omitempty"`   // strangers get 401; nobody is sent to the provider
	CSRF              *CSRF          `json:"csrf,omitempty"`      // nil: unsafe requests need no token
	Session           OIDCSession    `json:"session,omitzero"`
	ClaimUse                         // of the ID token
	Server            IdentityServer `json:"server,omitzero"`
}

// CSRF is how pages show that a request is theirs: what they find in a cookie, they write into a field.
type CSRF struct {
	Header   string `json:"header,omitempty"`   // "" is TraefikHub-Csrf-Token
	Insecure bool   `json:"insecure,omitempty"` // the cookie goes over plain HTTP, too
}

// OIDCSession says for how long, and in which cookie, a browser is signed in.
type OIDCSession struct {
	Secret   Secret        `json:"secret,omitzero"`    // encrypts it; at least 32 bytes. "": that of the client
	Cookie   string        `json:"cookie,omitempty"`   // "": made of issuer and client
	Domain   string        `json:"domain,omitempty"`   // "": the host that was asked
	SameSite string        `json:"sameSite,omitempty"` // "" is lax; "none"
	Insecure bool          `json:"insecure,omitempty"` // the cookie goes over plain HTTP, too
	Expiry   time.Duration `json:"expiry,omitempty"`   // 0 is 24 h
	Fixed    bool          `json:"fixed,omitempty"`    // it ends Expiry after the login, however it is used
	// NoRefresh leaves it at the login: the provider is not asked again while the session lasts.
	NoRefresh bool   `json:"noRefresh,omitempty"`
	Redis     *Redis `json:"redis,omitempty"` // where sessions are; nil: in cookies
}
