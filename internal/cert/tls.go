package cert

import (
	"cmp"
	"crypto/tls"
)

// Get finds the certificate for a handshake; it is what [tls.Config.GetCertificate] takes.
type Get = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// ServerTLS returns the TLS side of an entry point: certificates from get, HTTP/2 and HTTP/1.1 by ALPN (RFC 7301), and
// Go's choice of ciphers and curves, which is kept up with what is known of them. minVersion is one of tls's version
// numbers; 0 is TLS 1.2, the oldest that RFC 8996 leaves.
func ServerTLS(get Get, minVersion uint16) *tls.Config {
	return &tls.Config{
		GetCertificate: get,
		MinVersion:     cmp.Or(minVersion, tls.VersionTLS12),
		NextProtos:     []string{"h2", "http/1.1"},
	}
}
