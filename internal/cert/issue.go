package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// errNames is what Issue refuses.
var errNames = errors.New("a certificate is for 1 to 100 names or addresses")

// maxNames is for how many names one certificate may be.
const maxNames = 100

// minLife is the shortest life of a certificate that makes sense with clocks that differ.
const minLife = time.Minute

// Issue makes a server's certificate with a key of its own (ECDSA P-256), for names (DNS names, one-label wildcards, IP
// addresses) and for so long, but not longer than the CA lives. The chain includes the CA, so that a follower that
// knows only its pin can find it.
func (a *Authority) Issue(names []string, life time.Duration) (tls.Certificate, error) {
	c, err := a.issue(names, life, time.Now())
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("issuing a certificate: %w", err)
	}
	return c, nil
}

func (a *Authority) issue(names []string, life time.Duration, now time.Time) (tls.Certificate, error) {
	if life < minLife {
		return tls.Certificate{}, fmt.Errorf("a life of %v is shorter than %v", life, minLife)
	}
	template := &x509.Certificate{
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if err := addNames(template, names); err != nil {
		return tls.Certificate{}, err
	}
	switch ends := a.certificate.NotAfter; {
	case now.After(ends):
		return tls.Certificate{}, fmt.Errorf("the CA has expired on %s", ends.Format(time.DateOnly))
	case template.NotAfter.After(ends):
		template.NotAfter = ends
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// addNames puts the names where they belong.
func addNames(template *x509.Certificate, names []string) error {
	if len(names) == 0 || len(names) > maxNames {
		return errNames
	}
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil {
			template.IPAddresses = append(template.IPAddresses, addr.WithZone("").AsSlice())
			continue
		}
		if !isDNSName(strings.TrimPrefix(name, "*.")) {
			return fmt.Errorf("%.100q is neither a DNS name nor an IP address", name)
		}
		template.DNSNames = append(template.DNSNames, strings.ToLower(name))
	}
	if len(names[0]) <= 64 { // the longest common name that RFC 5280 allows; for people only
		template.Subject = pkix.Name{CommonName: names[0]}
	}
	return nil
}

// isDNSName reports whether s is a host name by RFC 1123 §2.1; underscores are let pass, as everywhere.
func isDNSName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, notInName) {
			return false
		}
	}
	return true
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// Renewing returns a source of certificates for names, each for so long. A handshake that comes after two thirds of
// that has a new one made, which takes well under a millisecond. It fails where Issue would.
func (a *Authority) Renewing(names []string, life time.Duration) (Get, error) {
	var current atomic.Pointer[tls.Certificate]
	var renewing sync.Mutex
	renew := func() error {
		c, err := a.Issue(names, life)
		if err == nil {
			current.Store(&c)
		}
		return err
	}
	if err := renew(); err != nil {
		return nil, err
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if c := current.Load(); time.Now().Before(renewAt(c.Leaf)) {
			return c, nil
		}
		renewing.Lock()
		defer renewing.Unlock()
		c, now := current.Load(), time.Now()
		if now.Before(renewAt(c.Leaf)) {
			return c, nil // another handshake was first
		}
		if err := renew(); err != nil {
			if now.Before(c.Leaf.NotAfter) {
				return c, nil
			}
			return nil, err
		}
		return current.Load(), nil
	}, nil
}

// renewAt is when two thirds of a certificate's life are over.
func renewAt(leaf *x509.Certificate) time.Time {
	from := leaf.NotBefore.Add(skew)
	return from.Add(leaf.NotAfter.Sub(from) * 2 / 3)
}
