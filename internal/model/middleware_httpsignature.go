package model

import "time"

// HTTPSignature admits requests that their sender has signed (RFC 9421).
type HTTPSignature struct {
	Keys []SignatureKey `json:"keys"` // at least one
	// Covered are the components that a signature must be about, by their names: "@method", "content-type". Of fields, all
	// values are.
	Covered []string `json:"covered,omitempty"`
	// AnyBody admits requests whose body the signature is not about. Else a Content-Digest (RFC 9530) must be covered, and
	// be that of the body, which is read whole: at most MaxBody bytes; 0 is 1 MiB.
	AnyBody bool          `json:"anyBody,omitempty"`
	MaxBody int64         `json:"maxBody,omitempty"`
	MaxAge  time.Duration `json:"maxAge,omitempty"` // of a signature; 0 is 5 min
	Leeway  time.Duration `json:"leeway,omitempty"` // by which clocks may differ; 0 is 30 s, below 0 is none
	// NeedNonce wants one in each signature. One that is there can be used once in any case.
	NeedNonce      bool   `json:"needNonce,omitempty"`
	Tag            string `json:"tag,omitempty"`            // must be the signature's. "": any, or none
	IdentityHeader string `json:"identityHeader,omitempty"` // tells the service the id of the key. "": it is not told
}

// SignatureKey verifies signatures of one algorithm.
type SignatureKey struct {
	ID        string `json:"id"`        // the signature's keyid
	Algorithm string `json:"algorithm"` // as RFC 9421 §6.2.2 names it
	Secret    Secret `json:"secret,omitzero"`
	PublicKey string `json:"publicKey,omitempty"` // PEM; of all algorithms but hmac-sha256
}
