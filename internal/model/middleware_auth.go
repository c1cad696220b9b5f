package model

// ForwardAuth asks another server who may pass: a status of 2xx admits the request, any other answer is the client's.
type ForwardAuth struct {
	Address string     `json:"address"` // http or https
	TLS     *ClientTLS `json:"tls,omitempty"`
	// TrustForwarded tells the server what a proxy in front says in X-Forwarded fields, in place of what we know.
	TrustForwarded bool `json:"trustForwarded,omitempty"`
	// Request are the fields of the request that the server gets. nil: all.
	Request []string `json:"request,omitempty"`
	// Response are the fields of the server's answer that the service gets; ResponseRegex names more of them. The client's
	// own of these never reach the service.
	Response      []string `json:"response,omitempty"`
	ResponseRegex string   `json:"responseRegex,omitempty"`
	// Cookies are those of the server's answer that the client gets, in place of the service's; CookiesRegex names more.
	Cookies          []string `json:"cookies,omitempty"`
	CookiesRegex     string   `json:"cookiesRegex,omitempty"`
	ForwardBody      bool     `json:"forwardBody,omitempty"`      // send the request's body to the server, too
	MaxBody          int64    `json:"maxBody,omitempty"`          // in bytes; larger requests get 401; 0 is 1 MiB
	PreserveLocation bool     `json:"preserveLocation,omitempty"` // else one without a host is on the server
	PreserveMethod   bool     `json:"preserveMethod,omitempty"`   // else the server is asked with GET
}

// ClientTLS is how a server is connected to that others run.
type ClientTLS struct {
	CA         string `json:"ca,omitempty"` // PEM; "": those that the system trusts
	Cert       string `json:"cert,omitempty"`
	Key        Secret `json:"key,omitzero"`
	SkipVerify bool   `json:"skipVerify,omitempty"`
}

// DigestAuth admits requests of users who prove that they know their password without sending it (RFC 7616).
type DigestAuth struct {
	Users        []Secret `json:"users,omitempty"` // htdigest lines: name:realm:hash, the hash being MD5 or SHA-256
	Realm        string   `json:"realm,omitempty"` // "": that of the users
	HeaderField  string   `json:"headerField,omitempty"`
	RemoveHeader bool     `json:"removeHeader,omitempty"`
}
