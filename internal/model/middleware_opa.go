package model

// OPA admits requests that a policy of an Open Policy Agent allows.
type OPA struct {
	URL   string `json:"url"`            // of the policy's document: http://host/v1/data/PATH
	Token Secret `json:"token,omitzero"` // shown to the server, after "Bearer "; "": none
	// Headers are the fields of requests that the policy sees. nil: none.
	Headers []string `json:"headers,omitempty"`
	// Forward are the fields that the service gets from the decision. The client's own of these never reach it.
	Forward []string       `json:"forward,omitempty"`
	Server  IdentityServer `json:"server,omitzero"`
}
