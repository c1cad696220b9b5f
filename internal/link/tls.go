package link

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"time"
)

var (
	errNoCA       = errors.New("neither PEM certificates nor a pin of the form sha256:<64 hexadecimal digits>")
	errPinMissing = errors.New("no CA certificate in the cluster's chain has the pinned SHA-256")
)

// ClientTLS returns how to reach a cluster whose certificate must come from a given CA: ca is PEM, or the CA
// certificate's SHA-256 as "sha256:" and hexadecimal digits (then the cluster must send that certificate with its
// own). The system's CAs count for nothing. The name is checked only when serverName is given: a cluster's instances
// are often known by address only, and its own CA vouches for nobody else.
func ClientTLS(ca []byte, serverName string) (*tls.Config, error) {
	roots, err := rootsOf(ca)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: serverName,
		NextProtos: []string{"h2", "http/1.1"},
		// The standard check cannot leave the name out, nor take its root from the chain. VerifyConnection below
		// stands in for it, on resumed connections, too.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			pool, err := roots(s.PeerCertificates)
			if err != nil {
				return err
			}
			between := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				between.AddCert(c)
			}
			_, err = s.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: pool, Intermediates: between, DNSName: serverName,
				KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			})
			return err
		},
	}, nil
}

// rootsOf returns a function that says which CAs a chain (never empty: a TLS 1.3 server always has a certificate) may
// end in.
func rootsOf(ca []byte) (func(chain []*x509.Certificate) (*x509.CertPool, error), error) {
	pool := x509.NewCertPool()
	if pool.AppendCertsFromPEM(ca) {
		return func([]*x509.Certificate) (*x509.CertPool, error) { return pool, nil }, nil
	}
	digits, ok := bytes.CutPrefix(bytes.TrimSpace(ca), []byte("sha256:"))
	pin, err := hex.DecodeString(string(digits))
	if !ok || err != nil || len(pin) != sha256.Size {
		return nil, errNoCA
	}
	return func(chain []*x509.Certificate) (*x509.CertPool, error) {
		for _, c := range chain {
			if sum := sha256.Sum256(c.Raw); c.IsCA && bytes.Equal(sum[:], pin) {
				pinned := x509.NewCertPool()
				pinned.AddCert(c)
				return pinned, nil
			}
		}
		return nil, errPinMissing
	}, nil
}

// NewTransport returns a client for [FollowerOptions] that dials with that configuration.
func NewTransport(config *tls.Config) *http.Transport {
	return &http.Transport{
		TLSClientConfig:        config,
		DialContext:            (&net.Dialer{Timeout: connectLimit}).DialContext,
		TLSHandshakeTimeout:    connectLimit,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the follower does its own
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        time.Minute,
		// A connection that is cut without a word is noticed by its heartbeat, and must then not be used again.
		HTTP2: &http.HTTP2Config{SendPingTimeout: SilenceLimit, PingTimeout: SilenceLimit},
	}
}
