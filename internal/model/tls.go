package model

import (
	"crypto/tls"
	"reflect"
)

// Certificate is what clients are shown who ask for one of its names when they begin TLS.
type Certificate struct {
	// Name is the file that holds it, or its fingerprint: it is told by it, and a newer one of that name replaces it.
	Name   Name   `json:"name"`
	Source Source `json:"source"`
	// Default is shown to clients who ask for no name, or for one that no certificate has.
	Default bool   `json:"default,omitempty"`
	Chain   string `json:"chain,omitempty"` // PEM, the leaf first
	Key     Secret `json:"key,omitzero"`    // PEM
	// Broken says that it cannot be read now. What was last read under its name is shown; Chain and Key are empty.
	Broken bool `json:"broken,omitempty"`
}

// TLSOptions are the terms on which clients may begin TLS with the hosts whose routes name them. Those that are called
// "default" are for all other hosts. The zero value of a field is the entry point's own choice.
type TLSOptions struct {
	Name         Name          `json:"name"`
	Source       Source        `json:"source"`
	MinVersion   uint16        `json:"minVersion,omitempty"`
	MaxVersion   uint16        `json:"maxVersion,omitempty"`
	CipherSuites []uint16      `json:"cipherSuites,omitempty"` // of TLS 1.2 and before
	Curves       []tls.CurveID `json:"curves,omitempty"`
	Protocols    []string      `json:"protocols,omitempty"` // by ALPN (RFC 7301), the preferred first; not HTTP/3's
	// ClientAuth says whether clients must show a certificate, and whether ClientCAs must have issued it.
	ClientAuth tls.ClientAuthType `json:"clientAuth,omitempty"`
	ClientCAs  []string           `json:"clientCAs,omitempty"` // PEM
	// StrictNames refuses clients who ask for no name, or for one that no certificate has.
	StrictNames bool `json:"strictNames,omitempty"`
	NoTickets   bool `json:"noTickets,omitempty"` // every handshake is a full one
	// Broken says that a part of the definition could not be understood. What needs these options is refused.
	Broken bool `json:"broken,omitempty"`
}

// DefaultTLSOptions is the name of those that hosts have whose routes name none.
const DefaultTLSOptions = "default"

// Guards reports whether the options keep clients out who show no certificate.
func (o *TLSOptions) Guards() bool { return o.ClientAuth >= tls.RequireAnyClientCert }

// AdmitsAs reports whether o and p, which may be nil, admit the same clients: a connection that was made on the one's
// terms may go on under the other's.
func (o *TLSOptions) AdmitsAs(p *TLSOptions) bool {
	if o == nil || p == nil {
		return o == p
	}
	return o == p || o.Ref() == p.Ref() && o.Broken == p.Broken && o.ClientAuth == p.ClientAuth &&
		reflect.DeepEqual(o.ClientCAs, p.ClientCAs)
}

// Ref returns the certificate's own reference.
func (c *Certificate) Ref() Ref { return Ref{Name: c.Name, Source: c.Source} }

// Ref returns the options' own reference.
func (o *TLSOptions) Ref() Ref { return Ref{Name: o.Name, Source: o.Source} }
