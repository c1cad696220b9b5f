package model

import "time"

// OPA admits requests that a policy allows: one of an Open Policy Agent that is asked (URL), or one that runs here, of
// which one of Policy, Archive and Bundle says where it is from.
type OPA struct {
	URL    string     `json:"url,omitempty"`    // of the policy's document: http://host/v1/data/PATH
	Policy string     `json:"policy,omitempty"` // in Rego
	Sum    string     `json:"sum,omitempty"`    // SHA-256 of Archive
	Bundle *OPABundle `json:"bundle,omitempty"`
	// Archive is a bundle, a tar.gz: it is no text.
	Archive string `json:"-"`
	// Token is shown to the server that is asked, or has the bundle, after "Bearer "; "": none.
	Token  Secret         `json:"token,omitzero"`
	Server IdentityServer `json:"server,omitzero"`

	// Headers are the fields of requests that the policy sees. nil: none where it is asked, all where it runs here.
	Headers []string `json:"headers,omitempty"`
	// Decided are the fields that the service gets from the decision. The client's own of these never reach it.
	Decided []string `json:"decided,omitempty"`

	// The rest is for a policy that runs here.

	Allow string `json:"allow,omitempty"` // the question; "": whether the policy's own package allows it
	// Forward are more fields that the service gets, by the question that is asked for each.
	Forward      map[string]string `json:"forward,omitempty"`
	Verification *OPAVerification  `json:"verification,omitempty"` // nil: bundles need not be signed
	Timeout      time.Duration     `json:"timeout,omitempty"`      // of a decision; 0 is 1 s
	Builtins     []string          `json:"builtins,omitempty"`     // that reach out of the policy and are allowed
	Hosts        []string          `json:"hosts,omitempty"`        // that those may reach; nil: none
}

// OPABundle is where a bundle is fetched from, again and again.
type OPABundle struct {
	URL      string        `json:"url"`
	Interval time.Duration `json:"interval,omitempty"` // 0 is 1 min
	LongPoll time.Duration `json:"longPoll,omitempty"` // how long the server may wait for a change; 0: not at all
}

// OPAVerification says who must have signed a bundle.
type OPAVerification struct {
	Keys  map[string]OPAKey `json:"keys"`
	KeyID string            `json:"keyID,omitempty"` // "": the one that the signature names
	Scope string            `json:"scope,omitempty"` // that the signature must have; "": any
}

// OPAKey is a key that signatures are verified with.
type OPAKey struct {
	Algorithm string `json:"algorithm"` // of RFC 7518 §3.1
	Key       Secret `json:"key"`       // PEM, or (HS256, …) the secret
}
