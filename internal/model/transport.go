package model

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Transport is how the endpoints of the services that name it are reached. A zero duration or number is the default.
type Transport struct {
	Name   Name         `json:"name"`
	Source Source       `json:"source"`
	Lane   Lane         `json:"lane,omitempty"` // HTTP or TCP
	TLS    TransportTLS `json:"tls,omitzero"`

	DialTimeout time.Duration `json:"dialTimeout,omitempty"` // 0: 3 s

	// Of requests. HTTP1Only does not offer HTTP/2 to endpoints over TLS.
	HTTP1Only        bool `json:"http1Only,omitempty"`
	IdleConnsPerHost int  `json:"idleConnsPerHost,omitempty"` // kept for later requests; 0: 256; below 0: none
	// ConnsPerHost bounds the HTTP/1.1 connections to an endpoint, and QueuePerHost the requests that wait for one of
	// them; one more is not sent there. 0: any number of connections; nobody waits.
	ConnsPerHost  int           `json:"connsPerHost,omitempty"`
	QueuePerHost  int           `json:"queuePerHost,omitempty"`
	HeaderTimeout time.Duration `json:"headerTimeout,omitempty"` // from the request to the answer's head; 0: none
	IdleTimeout   time.Duration `json:"idleTimeout,omitempty"`   // of a connection without a request; 0: 90 s
	// PingAfter is how long nothing may come on an HTTP/2 connection until it is asked whether it lives, and PingTimeout
	// how long the answer may take. 0: it is not asked; 15 s.
	PingAfter   time.Duration `json:"pingAfter,omitempty"`
	PingTimeout time.Duration `json:"pingTimeout,omitempty"`

	// Of streams.
	KeepAlive time.Duration `json:"keepAlive,omitempty"` // between probes of a silent connection; 0: 15 s
	Stream    Stream        `json:"stream,omitzero"`
}

// Ref returns the transport's own reference.
func (t *Transport) Ref() Ref { return Ref{t.Name, t.Source, t.Lane} }

// TransportTLS is who we are to endpoints over TLS, and whom we trust. The zero value trusts whom the system trusts.
type TransportTLS struct {
	ServerName   string       `json:"serverName,omitempty"` // "": the endpoint's host
	Insecure     bool         `json:"insecure,omitempty"`   // any certificate will do
	Roots        []string     `json:"roots,omitempty"`      // PEM; none: the system's
	Certificates []ClientPair `json:"certificates,omitempty"`
	PeerURI      string       `json:"peerURI,omitempty"` // that the certificate must have among its names; "": any
	MinVersion   uint16       `json:"minVersion,omitempty"`
	MaxVersion   uint16       `json:"maxVersion,omitempty"`
	CipherSuites []uint16     `json:"cipherSuites,omitempty"`
	// SPIFFE takes the place of names, roots and certificates. Nil: those count.
	SPIFFE *SPIFFE `json:"spiffe,omitempty"`
}

// SPIFFE says which workloads are trusted: the instance and its endpoints show each other the identities that the
// workload API gives them. One of IDs; without, any of TrustDomain; without, any of those that the API vouches for.
type SPIFFE struct {
	IDs         []string `json:"ids,omitempty"` // "spiffe://domain/workload"
	TrustDomain string   `json:"trustDomain,omitempty"`
	// Mesh is the source whose mesh gives the identities, in place of the workload API. "": that one.
	Mesh Source `json:"mesh,omitempty"`
}

// Workload is who the instance is to services that know workloads by SPIFFE.
type Workload interface {
	// ClientTLS returns the client's side of TLS with those that s trusts. It follows what the workload API says.
	ClientTLS(s SPIFFE) (*tls.Config, error)
}

// Config returns the client's side of TLS as w with those that s trusts. Nil is nobody, whom no service knows.
func (s SPIFFE) Config(w Workload) (*tls.Config, error) {
	if w == nil {
		return nil, errors.New("the service wants SPIFFE, and the instance has no spiffe.workloadAPIAddr")
	}
	return w.ClientTLS(s)
}

// ClientPair is a certificate that we show, with its chain, and its key. Both are PEM.
type ClientPair struct {
	Certificate string `json:"certificate"`
	Key         Secret `json:"key"`
}

// Config returns what crypto/tls wants to know. Each call returns another one.
func (t TransportTLS) Config(w Workload) (*tls.Config, error) {
	oldest := t.MinVersion
	if oldest == 0 {
		oldest = tls.VersionTLS12
	}
	if t.SPIFFE != nil {
		c, err := t.SPIFFE.Config(w)
		if err != nil {
			return nil, err
		}
		c.MinVersion, c.MaxVersion, c.CipherSuites = oldest, t.MaxVersion, t.CipherSuites
		return c, nil
	}
	c := &tls.Config{
		ServerName: t.ServerName, InsecureSkipVerify: t.Insecure, //nolint:gosec // its owner wants it so
		MinVersion: oldest, MaxVersion: t.MaxVersion, CipherSuites: t.CipherSuites,
	}
	for i, pem := range t.Roots {
		if c.RootCAs == nil {
			c.RootCAs = x509.NewCertPool()
		}
		if !c.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, fmt.Errorf("root %d holds no certificate", i+1)
		}
	}
	for i, pair := range t.Certificates {
		loaded, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("certificate %d and its key: %w", i+1, err)
		}
		c.Certificates = append(c.Certificates, loaded)
	}
	WantPeerURI(c, t.PeerURI)
	return c, nil
}

// WantPeerURI makes handshakes fail with those whose certificate does not have the URI, besides what crypto/tls checks.
// "" is every certificate.
func WantPeerURI(c *tls.Config, wanted string) {
	if wanted == "" {
		return
	}
	c.VerifyConnection = func(state tls.ConnectionState) error {
		for _, uri := range state.PeerCertificates[0].URIs {
			if uri.String() == wanted {
				return nil
			}
		}
		return errors.New("the certificate does not have the URI that is wanted")
	}
}
