package model

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
	"unique"
)

// Middleware is the typed definition of one middleware. Exactly one of the pointers is set.
type Middleware struct {
	Name   Name   `json:"name"`
	Source Source `json:"source"`

	APIKey         *APIKey         `json:"apiKey,omitempty"`
	BasicAuth      *BasicAuth      `json:"basicAuth,omitempty"`
	Chain          *Chain          `json:"chain,omitempty"`
	Headers        *Headers        `json:"headers,omitempty"`
	IPAllowList    *IPAllowList    `json:"ipAllowList,omitempty"`
	RateLimit      *RateLimit      `json:"rateLimit,omitempty"`
	RedirectScheme *RedirectScheme `json:"redirectScheme,omitempty"`
	Retry          *Retry          `json:"retry,omitempty"`
	StripPrefix    *StripPrefix    `json:"stripPrefix,omitempty"`
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

// Chain stands for its middlewares, in order.
type Chain struct {
	Middlewares []Ref `json:"middlewares"`
}

// Headers changes fields of the request and of the answer. An empty value removes the field.
type Headers struct {
	Request  map[string]string `json:"request,omitempty"`
	Response map[string]string `json:"response,omitempty"`
}

// IPAllowList admits requests whose client address is in one of the ranges.
type IPAllowList struct {
	Ranges []string `json:"ranges"` // addresses and CIDRs
	// Depth takes the client's address from X-Forwarded-For, the Depth-th from the right. 0: the connection's (or what a
	// trusted proxy in front says).
	Depth int `json:"depth,omitempty"`
	// Excluded are the proxies to skip when X-Forwarded-For is read from the right.
	Excluded []string `json:"excluded,omitempty"`
	Status   int      `json:"status,omitempty"` // 0 is 403
}

// RateLimit admits Average requests a Period for each client, with bursts. State survives reloads.
type RateLimit struct {
	Average int           `json:"average"`          // 0: no limit
	Period  time.Duration `json:"period,omitempty"` // 0 is 1 s
	Burst   int           `json:"burst,omitempty"`  // 0 is 1
	// What counts as one client: a request header, the host, or (by default) the address.
	ByHeader string   `json:"byHeader,omitempty"`
	ByHost   bool     `json:"byHost,omitempty"`
	Depth    int      `json:"depth,omitempty"`    // as in IPAllowList
	Excluded []string `json:"excluded,omitempty"` // as in IPAllowList
	// IPv6Subnet is the prefix length that counts as one client. 0: the whole address.
	IPv6Subnet int `json:"ipv6Subnet,omitempty"`
}

// RedirectScheme sends the client to the same address with another scheme.
type RedirectScheme struct {
	Scheme    string `json:"scheme"`
	Port      string `json:"port,omitempty"` // "": the scheme's own
	Permanent bool   `json:"permanent,omitempty"`
}

// Retry sends a request again, to another host, when an attempt failed before any of its answer reached the client and
// the request may be sent twice (RFC 9110 §9.2.2) or was never written.
type Retry struct {
	Attempts        int           `json:"attempts"` // all of them, the first included
	InitialInterval time.Duration `json:"initialInterval,omitempty"`
}

// StripPrefix removes the first of the prefixes that the path has, and tells the service in X-Forwarded-Prefix.
type StripPrefix struct {
	Prefixes []string `json:"prefixes"`
}

// Secret is text that never leaves the process: every way of printing or encoding it yields "[secret]", or an error
// where a format knows no text. So a snapshot may be logged, shown, compared and sent. A middleware that has secrets is
// never exported. Secrets of the same text are equal. The zero Secret is the empty text.
type Secret struct {
	// A handle, not the text itself: package fmt calls no methods of an unexported field, and would print its content.
	text unique.Handle[string]
}

// NewSecret wraps s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{unique.Make(s)}
}

// Reveal returns the text. Only the code that checks a credential calls it.
func (s Secret) Reveal() string {
	if s == (Secret{}) {
		return ""
	}
	return s.text.Value()
}

const redacted = "[secret]"

// String hides the text.
func (s Secret) String() string { return redacted }

// GoString hides the text.
func (s Secret) GoString() string { return redacted }

// Format hides the text from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON hides the text.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }
