package model

// Headers changes fields of the request and of the answer, and decides by fields which requests are served.
type Headers struct {
	// Request and Response are set, whatever was there; an empty value removes the field.
	Request  map[string]string `json:"request,omitempty"`
	Response map[string]string `json:"response,omitempty"`
	// SecureResponse is Response for requests that came over TLS.
	SecureResponse map[string]string `json:"secureResponse,omitempty"`
	// SecureFields say, each by its value, that a request came over TLS to a proxy in front.
	SecureFields map[string]string `json:"secureFields,omitempty"`

	CORS *CORS `json:"cors,omitempty"`

	AllowedHosts []string `json:"allowedHosts,omitempty"` // nil: all
	// HostFields are where a proxy in front may have put the host that the client asked for; the first that is there.
	HostFields []string       `json:"hostFields,omitempty"`
	HTTPS      *HTTPSRedirect `json:"https,omitempty"` // nil: requests in plain text are served
}

// CORS tells browsers which pages of other origins may use an answer
// (https://fetch.spec.whatwg.org/#http-cors-protocol). A preflight request is answered in the service's place.
type CORS struct {
	Origins       []string `json:"origins,omitempty"` // "*": any
	OriginRegexes []string `json:"originRegexes,omitempty"`
	Methods       []string `json:"methods,omitempty"`
	Headers       []string `json:"headers,omitempty"`
	ExposeHeaders []string `json:"exposeHeaders,omitempty"`
	Credentials   bool     `json:"credentials,omitempty"`
	MaxAge        int64    `json:"maxAge,omitempty"` // of a preflight's answer, in seconds
	Vary          bool     `json:"vary,omitempty"`   // tell caches that answers differ by origin
}

// HTTPSRedirect sends clients who came in plain text to https.
type HTTPSRedirect struct {
	Temporary bool   `json:"temporary,omitempty"`
	Host      string `json:"host,omitempty"`      // "": the one that was asked for
	ForceHost bool   `json:"forceHost,omitempty"` // send there who asked for another host over TLS, too
}
