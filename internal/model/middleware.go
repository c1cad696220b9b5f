package model

import "time"

// Middleware is the typed definition of one middleware. Exactly one of the pointers is set.
type Middleware struct {
	Name   Name   `json:"name"`
	Source Source `json:"source"`
	Lane   Lane   `json:"lane,omitempty"` // in that of TCP: one of InFlightConn, IPAllowList, RateLimit

	AddPrefix              *AddPrefix              `json:"addPrefix,omitempty"`
	APIKey                 *APIKey                 `json:"apiKey,omitempty"`
	BasicAuth              *BasicAuth              `json:"basicAuth,omitempty"`
	Buffering              *Buffering              `json:"buffering,omitempty"`
	Cache                  *Cache                  `json:"cache,omitempty"`
	Chain                  *Chain                  `json:"chain,omitempty"`
	CircuitBreaker         *CircuitBreaker         `json:"circuitBreaker,omitempty"`
	Compress               *Compress               `json:"compress,omitempty"`
	ContentType            *ContentType            `json:"contentType,omitempty"`
	DigestAuth             *DigestAuth             `json:"digestAuth,omitempty"`
	EncodedCharacters      *EncodedCharacters      `json:"encodedCharacters,omitempty"`
	Errors                 *Errors                 `json:"errors,omitempty"`
	ForwardAuth            *ForwardAuth            `json:"forwardAuth,omitempty"`
	GRPCWeb                *GRPCWeb                `json:"grpcWeb,omitempty"`
	Headers                *Headers                `json:"headers,omitempty"`
	HTTPSignature          *HTTPSignature          `json:"httpSignature,omitempty"`
	InFlightReq            *InFlightReq            `json:"inFlightReq,omitempty"`
	IPAllowList            *IPAllowList            `json:"ipAllowList,omitempty"`
	JWT                    *JWT                    `json:"jwt,omitempty"`
	LDAP                   *LDAP                   `json:"ldap,omitempty"`
	Maintenance            *Maintenance            `json:"maintenance,omitempty"`
	OAuthClientCredentials *OAuthClientCredentials `json:"oAuthClientCredentials,omitempty"`
	OAuthIntrospection     *OAuthIntrospection     `json:"oAuthIntrospection,omitempty"`
	OIDC                   *OIDC                   `json:"oidc,omitempty"`
	OPA                    *OPA                    `json:"opa,omitempty"`
	PassTLSClientCert      *PassTLSClientCert      `json:"passTLSClientCert,omitempty"`
	RateLimit              *RateLimit              `json:"rateLimit,omitempty"`
	RedirectRegex          *RedirectRegex          `json:"redirectRegex,omitempty"`
	RedirectScheme         *RedirectScheme         `json:"redirectScheme,omitempty"`
	ReplacePath            *ReplacePath            `json:"replacePath,omitempty"`
	ReplacePathRegex       *ReplacePathRegex       `json:"replacePathRegex,omitempty"`
	RequestID              *RequestID              `json:"requestId,omitempty"`
	Retry                  *Retry                  `json:"retry,omitempty"`
	StripPrefix            *StripPrefix            `json:"stripPrefix,omitempty"`
	StripPrefixRegex       *StripPrefixRegex       `json:"stripPrefixRegex,omitempty"`
	WAF                    *WAF                    `json:"waf,omitempty"`
	WASM                   *WASM                   `json:"wasm,omitempty"`

	// Of the lane of TCP.
	InFlightConn *InFlightConn `json:"inFlightConn,omitempty"`
}

// APIKey admits requests that carry one of the keys. At least one of Header, Query and Cookie is set.
type APIKey struct {
	Header string `json:"header,omitempty"` // field that holds the key; for Authorization, after "Bearer "
	Query  string `json:"query,omitempty"`
	Cookie string `json:"cookie,omitempty"`
	// Hashes are the accepted keys, each as the hexadecimal SHA-256 of the key.
	Hashes []Secret `json:"hashes,omitempty"`
	// Scope admits keys of the instance's own key store that have this scope ("route:<name>"). "": none of them.
	Scope string `json:"scope,omitempty"`
	// IdentityHeader tells the service who the key's owner is. "": not told.
	IdentityHeader string `json:"identityHeader,omitempty"`
	KeepKey        bool   `json:"keepKey,omitempty"` // leave the key in the request that the service sees
}

// BasicAuth admits requests with a user's name and password (RFC 7617).
type BasicAuth struct {
	Users        []Secret `json:"users,omitempty"` // htpasswd lines: bcrypt, SHA1 or apr1
	Realm        string   `json:"realm,omitempty"` // "" is "fairlead"
	HeaderField  string   `json:"headerField,omitempty"`
	RemoveHeader bool     `json:"removeHeader,omitempty"`
}

// Cache keeps answers and sends them again (RFC 9111). What is kept survives reloads.
type Cache struct {
	MaxBytes       int64 `json:"maxBytes,omitempty"`       // of everything that is kept; 0 is 64 MiB
	MaxObjectBytes int64 `json:"maxObjectBytes,omitempty"` // the longest body that is kept; 0 is 1 MiB
	// Of answers that do not say themselves. TTL is how long they are fresh (0: they are not kept); for
	// StaleWhileRevalidate after that they are sent while they are validated, and for StaleIfError in place of an error.
	TTL                  time.Duration `json:"ttl,omitempty"`
	StaleWhileRevalidate time.Duration `json:"staleWhileRevalidate,omitempty"`
	StaleIfError         time.Duration `json:"staleIfError,omitempty"`
	// PurgeHashes are the keys of those who may purge, each as its hexadecimal SHA-256. nil: nobody may.
	PurgeHashes []Secret `json:"purgeHashes,omitempty"`
}

// Chain stands for its middlewares, in order.
type Chain struct {
	Middlewares []Ref `json:"middlewares"`
}

// IPAllowList admits requests whose client address is in one of the ranges.
type IPAllowList struct {
	Ranges []string `json:"ranges"` // addresses and CIDRs
	ClientAddress
	Status int `json:"status,omitempty"` // 0 is 403
}

// ClientAddress says which address is the client's. The zero value takes the connection's, or what a trusted proxy in
// front says.
type ClientAddress struct {
	// Depth takes the address from X-Forwarded-For, the Depth-th from the right. 0: see above.
	Depth int `json:"depth,omitempty"`
	// Excluded are the proxies to skip when X-Forwarded-For is read from the right. Without effect where Depth is
	// given.
	Excluded []string `json:"excluded,omitempty"`
	// IPv6Subnet is the prefix length that counts as one client: its first address stands for all. 0: the whole
	// address.
	IPv6Subnet int `json:"ipv6Subnet,omitempty"`
}

// Criterion says what counts as one client: a field of the request, the host, or (by default) the address.
type Criterion struct {
	ByHeader string `json:"byHeader,omitempty"`
	ByHost   bool   `json:"byHost,omitempty"`
	ClientAddress
}

// RateLimit admits Average requests a Period for each client, with bursts. State survives reloads.
type RateLimit struct {
	Average int           `json:"average"`          // 0: no limit
	Period  time.Duration `json:"period,omitempty"` // 0 is 1 s
	Burst   int           `json:"burst,omitempty"`  // 0 is 1
	Redis   *Redis        `json:"redis,omitempty"`  // where instances count together; nil: each counts for itself
	Criterion
}

// Retry sends a request again, to another host, when an attempt failed before any of its answer reached the client and
// the request may be sent twice (RFC 9110 §9.2.2) or was never written.
type Retry struct {
	Attempts        int           `json:"attempts"` // all of them, the first included
	InitialInterval time.Duration `json:"initialInterval,omitempty"`
	Timeout         time.Duration `json:"timeout,omitempty"` // no attempt begins later; 0: no limit
	// MaxBodyBytes is how much of a request's body is kept for another attempt; larger requests are refused. 0: 64 KiB are
	// kept, and larger requests are sent once.
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
	// Status are the answers of services that are not passed on while there may be another attempt.
	Status []StatusRange `json:"status,omitempty"`
	// AnswersOnly leaves it at that: a service that cannot be reached, or breaks off, is not tried again.
	AnswersOnly bool `json:"answersOnly,omitempty"`
	// AnyMethod sends requests again whose effect may then be had twice (POST, PATCH).
	AnyMethod bool `json:"anyMethod,omitempty"`
}

// Errors sends the client another page in place of answers with some status.
type Errors struct {
	Status   []StatusRange   `json:"status,omitempty"`
	Rewrites []StatusRewrite `json:"rewrites,omitempty"`
	Service  Ref             `json:"service,omitzero"` // that has the pages
	// Query is the path and query of the page, with {status}, {originalStatus} and {url} in it.
	Query string `json:"query,omitempty"`
}

// StatusRewrite gives answers another status.
type StatusRewrite struct {
	StatusRange
	As int `json:"as"`
}

// StatusRange is from From to To, both included.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Has reports whether the range has the status.
func (r StatusRange) Has(status int) bool { return r.From <= status && status <= r.To }

// IsAnswer reports whether a status is that of an answer, not of what comes before one (RFC 9110 §15).
func IsAnswer(status int) bool { return status >= 200 && status <= 599 }

// InFlightReq admits so many requests of each client at once.
type InFlightReq struct {
	Amount int `json:"amount"`
	Criterion
}

// CircuitBreaker answers in the service's place for a while when a condition has come true, so that the service can
// recover. Each route that uses it has a state of its own, which survives reloads.
type CircuitBreaker struct {
	// Condition is about NetworkErrorRatio, ResponseCodeRatio and LatencyAtQuantileMS.
	Condition   Condition     `json:"condition"`
	CheckPeriod time.Duration `json:"checkPeriod,omitempty"` // how often it is looked at; 0 is 100 ms
	Fallback    time.Duration `json:"fallback,omitempty"`    // how long no request is admitted; 0 is 10 s
	Recovery    time.Duration `json:"recovery,omitempty"`    // how long only a growing part of them is, then; 0 is 10 s
	Status      int           `json:"status,omitempty"`      // of the answer in the service's place; 0 is 503
}

// Compress encodes answers for clients that accept it.
type Compress struct {
	// Encodings are those that are used, the best first: gzip, br, zstd. nil is all three in this order.
	Encodings []string `json:"encodings,omitempty"`
	// DefaultEncoding is for clients that do not say what they accept, or that accept any ("*"). "": none, and the best.
	DefaultEncoding string `json:"defaultEncoding,omitempty"`
	MinBytes        int    `json:"minBytes,omitempty"` // smaller answers are left alone; 0 is 1024
	// Of the answers' media types: Included are the only ones that are encoded; Excluded are not. At most one is given.
	Included []string `json:"included,omitempty"`
	Excluded []string `json:"excluded,omitempty"`
}

// ContentType tells the client the media type of an answer whose service does not, by the first bytes of the body. The
// algorithm is that of browsers (https://mimesniff.spec.whatwg.org).
type ContentType struct{}

// GRPCWeb lets browsers talk to services of gRPC.
type GRPCWeb struct {
	AllowOrigins []string `json:"allowOrigins,omitempty"` // whose pages may; "*" is all
}

// RequestID gives each request a name that is told to the service and to the client.
type RequestID struct {
	Header string `json:"header,omitempty"` // "" is X-Request-Id
	// Keep takes over the name that the client gives, if it is one of 1 to 128 letters, digits and "-._~+/=:".
	Keep bool `json:"keep,omitempty"`
}

// Maintenance answers in the service's place.
type Maintenance struct {
	Status      int           `json:"status,omitempty"`      // 0 is 503
	Body        string        `json:"body,omitempty"`        // "" is a short text
	ContentType string        `json:"contentType,omitempty"` // "" is text/html; charset=utf-8
	RetryAfter  time.Duration `json:"retryAfter,omitempty"`  // 0: the client is not told when to come back
	// Except are the addresses and CIDRs of those who are served all the same.
	Except []string `json:"except,omitempty"`
	ClientAddress
}
