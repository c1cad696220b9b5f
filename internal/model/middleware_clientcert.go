package model

// PassTLSClientCert tells the service about the certificate that the client has shown. What a client writes into these
// fields itself is removed.
type PassTLSClientCert struct {
	PEM  bool      `json:"pem,omitempty"`  // in X-Forwarded-Tls-Client-Cert: the chain, base64 without line ends
	Info *CertInfo `json:"info,omitempty"` // in X-Forwarded-Tls-Client-Cert-Info; nil: nothing
}

// CertInfo says what is told of a certificate.
type CertInfo struct {
	NotAfter     bool      `json:"notAfter,omitempty"`
	NotBefore    bool      `json:"notBefore,omitempty"`
	SANs         bool      `json:"sans,omitempty"`
	SerialNumber bool      `json:"serialNumber,omitempty"`
	Subject      NameParts `json:"subject,omitzero"`
	Issuer       NameParts `json:"issuer,omitzero"` // without OrganizationalUnit
}

// NameParts are parts of a distinguished name (RFC 4519).
type NameParts struct {
	Country            bool `json:"country,omitempty"`
	Province           bool `json:"province,omitempty"`
	Locality           bool `json:"locality,omitempty"`
	Organization       bool `json:"organization,omitempty"`
	OrganizationalUnit bool `json:"organizationalUnit,omitempty"`
	CommonName         bool `json:"commonName,omitempty"`
	SerialNumber       bool `json:"serialNumber,omitempty"`
	DomainComponent    bool `json:"domainComponent,omitempty"`
}
