package model

import "time"

// JWT admits requests with a JSON Web Token (RFC 7519) that a trusted issuer has signed.
type JWT struct {
	Token TokenSource `json:"token"`
	// Trusted are those whose tokens are admitted; at least one. Keys of one do not verify tokens of another.
	Trusted    []TokenIssuer `json:"trusted"`
	Audience   []string      `json:"audience,omitempty"`   // one of them must be in aud. nil: aud is not looked at
	Algorithms []string      `json:"algorithms,omitempty"` // nil: all that the keys are for
	Leeway     time.Duration `json:"leeway,omitempty"`     // by which clocks may differ; 0 is 30 s, below 0 is none
	// AllowNoExpiry admits tokens without exp, which are good for ever.
	AllowNoExpiry bool `json:"allowNoExpiry,omitempty"`
	ClaimUse
	Strip  bool           `json:"strip,omitempty"` // take the token out of the request that the service sees
	Server IdentityServer `json:"server,omitzero"` // how key sets are fetched
}

// TokenIssuer is who signs tokens, and with which keys. One of Secret, Keys and URL is given.
type TokenIssuer struct {
	Issuer string `json:"issuer,omitempty"` // must be the token's iss. "": any, or none
	Secret Secret `json:"secret,omitzero"`  // of HMAC; at least 32 bytes (RFC 7518 §3.2)
	Keys   Secret `json:"keys,omitzero"`    // PEM, or a JSON Web Key Set, which may have keys of HMAC
	URL    string `json:"url,omitempty"`    // has the JSON Web Key Set; http or https
}

// TokenSource is where a request has its token. Those that are given are looked at in this order; the first that is
// there decides. At least one is given.
type TokenSource struct {
	Header string `json:"header,omitempty"` // canonical
	Scheme string `json:"scheme,omitempty"` // stands before the token in Header: "Bearer"
	Query  string `json:"query,omitempty"`
	Cookie string `json:"cookie,omitempty"`
}

// ClaimUse is what is done with what a token says of the client.
type ClaimUse struct {
	Claims Claims `json:"claims,omitzero"` // must hold, or the client is forbidden
	// Forward tells claims to the service: a canonical field's name, and the claim. The client's own never reach it.
	Forward map[string]string `json:"forward,omitempty"`
}

// IdentityServer is how a server is asked that knows keys, tokens or users.
type IdentityServer struct {
	TLS     *ClientTLS    `json:"tls,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"` // of each question; 0 is 5 s
}

// Claims is what a token must say: a tree of tests. The zero Claims always holds.
type Claims struct {
	Op     Op        `json:"op,omitempty"`
	Of     []Claims  `json:"of,omitempty"`
	Test   ClaimTest `json:"test,omitempty"`   // Is only
	Claim  string    `json:"claim,omitempty"`  // its name; "realm.roles" is inside another; "\." is a dot
	Values []string  `json:"values,omitempty"` // see ClaimTest
}

// ClaimTest is what a leaf of Claims looks at. A claim that is not there passes none. Numbers and booleans are compared
// as JSON writes them.
type ClaimTest string

// The tests.
const (
	ClaimEquals   ClaimTest = "Equals"        // the claim is the value
	ClaimPrefix   ClaimTest = "Prefix"        // the claim begins with the value
	ClaimContains ClaimTest = "Contains"      // the claim is a list that has the value
	ClaimSplit    ClaimTest = "SplitContains" // the claim, divided at the first value, has the second
	ClaimOneOf    ClaimTest = "OneOf"         // the claim is one of the values
)

// OAuthIntrospection admits requests with a token that its issuer, when it is asked, says is good (RFC 7662).
type OAuthIntrospection struct {
	Token   TokenSource       `json:"token"`
	URL     string            `json:"url"` // of the introspection endpoint; http or https
	Client  OAuthClient       `json:"client,omitzero"`
	Headers map[string]Secret `json:"headers,omitempty"` // go with every question, by canonical names
	Hint    string            `json:"hint,omitempty"`    // token_type_hint; "": none
	// Issuer and Audience must be those of the answer. "" and nil: they are not looked at.
	Issuer   string   `json:"issuer,omitempty"`
	Audience []string `json:"audience,omitempty"`
	// Keep is how long an answer is used, if its exp does not come before. 0 is 10 s; below 0: not at all.
	Keep time.Duration `json:"keep,omitempty"`
	ClaimUse
	Strip  bool           `json:"strip,omitempty"` // take the token out of the request that the service sees
	Server IdentityServer `json:"server,omitzero"`
}

// OAuthClient is who this instance is to a server of OAuth 2.0 (RFC 6749 §2.3.1).
type OAuthClient struct {
	ID     string `json:"id,omitempty"`
	Secret Secret `json:"secret,omitzero"`
}

// OAuthClientCredentials sends requests on with a token of this instance's own (RFC 6749 §4.4), in place of what the
// client had there.
type OAuthClientCredentials struct {
	URL      string         `json:"url"` // of the token endpoint; http or https
	Client   OAuthClient    `json:"client"`
	Scopes   []string       `json:"scopes,omitempty"`
	Audience string         `json:"audience,omitempty"` // "": not sent
	Header   string         `json:"header,omitempty"`   // that gets the token, after "Bearer "; "" is Authorization
	Server   IdentityServer `json:"server,omitzero"`
}
