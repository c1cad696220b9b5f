package cert

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/fairlead/fairlead/internal/model"
)

// Get finds the certificate for a handshake; it is what [tls.Config.GetCertificate] takes.
type Get = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// ServerTLS returns the TLS side of an entry point: certificates from get, HTTP/2 and HTTP/1.1 by ALPN (RFC 7301), and
// Go's choice of curves, which is kept up with what is known of them. minVersion is one of tls's version numbers; 0 is
// TLS 1.2, the oldest that RFC 8996 leaves.
func ServerTLS(get Get, minVersion uint16) *tls.Config {
	minVersion = cmp.Or(minVersion, tls.VersionTLS12)
	return &tls.Config{
		GetCertificate: get,
		MinVersion:     minVersion,
		CipherSuites:   ciphers(minVersion),
		NextProtos:     []string{"h2", "http/1.1"},
	}
}

// ciphers returns the cipher suites of TLS 1.2 with forward secrecy and authenticated encryption: the only ones that
// HTTP/2 leaves (RFC 9113 §9.2.2), and that RFC 9325 §4.2 recommends. Versions before have none of these: nil, Go's
// choice.
func ciphers(minVersion uint16) []uint16 {
	if minVersion < tls.VersionTLS12 {
		return nil
	}
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// WithOptions returns a copy of an entry point's TLS side that has the options. An entry point that wants TLS 1.3 wants
// it whatever they say; otherwise their oldest version counts.
func WithOptions(base *tls.Config, o *model.TLSOptions) (*tls.Config, error) {
	c := base.Clone()
	if o.MinVersion != 0 && base.MinVersion < tls.VersionTLS13 {
		c.MinVersion = o.MinVersion
	}
	c.MaxVersion, c.CipherSuites, c.CurvePreferences = o.MaxVersion, ciphers(c.MinVersion), o.Curves
	if len(o.CipherSuites) > 0 {
		c.CipherSuites = o.CipherSuites
	}
	if len(o.Protocols) > 0 {
		c.NextProtos = o.Protocols
	}
	c.SessionTicketsDisabled = o.NoTickets
	c.ClientAuth = o.ClientAuth
	if len(o.ClientCAs) > 0 {
		c.ClientCAs = x509.NewCertPool()
	}
	for _, pem := range o.ClientCAs {
		if !c.ClientCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, errors.New("one of the CAs of clients holds no certificate")
		}
	}
	return c, nil
}
