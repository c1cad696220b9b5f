package cert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"time"
)

// caLife is how long the CA lives. Its end is the end of every pin of it, so it is longer than machines live.
const caLife = 10 * 365 * 24 * time.Hour

// skew is how far behind ours a client's clock may be.
const skew = 5 * time.Minute

// authorityKey is where in the store the CA is: its certificate and its key, PEM.
const authorityKey = "cert/authority"

// Item is one value of a store and its version: 0 where there is none, growing with each write. It is an alias, so that
// a store may declare the same type without importing this package.
type Item = struct {
	Key     string
	Value   []byte
	Version uint64
}

// Store is what the CA is kept in. Its key is a secret: the store must be closed to other users.
type Store interface {
	// List returns the items whose key begins with prefix.
	List(ctx context.Context, prefix string) ([]Item, error)
	// Put writes the value if the item has that version now; 0 means that there is none.
	Put(ctx context.Context, key string, value []byte, ifVersion uint64) (uint64, error)
}

// Authority is the instance's own CA. It issues for links only; followers know it by its pin.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority returns the CA that the store has, or makes one and keeps it there: ECDSA P-256, ten years, no CAs below
// it, no constraint on names. cluster stands in its subject, for people. Replicas that start at the same time end up
// with the same one.
func NewAuthority(ctx context.Context, store Store, cluster string) (*Authority, error) {
	a, err := loadAuthority(ctx, store)
	if err != nil || a != nil {
		return a, err
	}
	value, err := makeAuthority(cluster, time.Now())
	if err != nil {
		return nil, fmt.Errorf("making the CA: %w", err)
	}
	if _, err := store.Put(ctx, authorityKey, value, 0); err != nil {
		if a, loadErr := loadAuthority(ctx, store); loadErr == nil && a != nil {
			return a, nil // another replica was faster
		}
		return nil, fmt.Errorf("keeping the CA: %w", err)
	}
	return parseAuthority(value)
}

// PEM returns the CA's certificate.
func (a *Authority) PEM() []byte { return encodePEM("CERTIFICATE", a.certificate.Raw) }

// Pin returns what followers know the CA by: "sha256:" and the hexadecimal SHA-256 of its certificate (DER).
func (a *Authority) Pin() string {
	sum := sha256.Sum256(a.certificate.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// loadAuthority reads the CA from the store; it is nil where there is none.
func loadAuthority(ctx context.Context, store Store) (*Authority, error) {
	items, err := store.List(ctx, authorityKey)
	if err != nil {
		return nil, fmt.Errorf("reading the CA: %w", err)
	}
	for _, item := range items {
		if item.Key == authorityKey {
			return parseAuthority(item.Value)
		}
	}
	return nil, nil
}

// parseAuthority reads what makeAuthority wrote.
func parseAuthority(value []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(value, value)
	if err != nil {
		return nil, fmt.Errorf("the CA in the store (%s) is damaged: %w", authorityKey, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("what is in the store (%s) is not a CA of this program", authorityKey)
	}
	if ends := pair.Leaf.NotAfter; time.Now().After(ends) {
		return nil, fmt.Errorf("the CA has expired on %s: delete %s from the store to have a new one made, then give "+
			"the followers its pin", ends.Format(time.DateOnly), authorityKey)
	}
	return &Authority{certificate: pair.Leaf, key: key}, nil
}

// makeAuthority makes a CA and returns its certificate and its key, PEM.
func makeAuthority(cluster string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	name := "Fairlead CA"
	if cluster != "" {
		name += " of " + cluster
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(encodePEM("CERTIFICATE", certificate), encodePEM("PRIVATE KEY", private)...), nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
