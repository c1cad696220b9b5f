package cert

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// asPEM returns a certificate and its key, as Consul writes them.
func asPEM(t *testing.T, c tls.Certificate) (chain, key []byte) {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func rootPEM(d trustDomain) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.root.Raw})
}

func TestMember(t *testing.T) {
	m := NewMember("consulCatalog/main")
	before, after := newTrustDomain(t, "a.consul"), newTrustDomain(t, "a.consul")
	clients := x509.NewCertPool()
	clients.AddCert(before.root)
	clients.AddCert(after.root)
	shop := model.SPIFFE{IDs: []string{"spiffe://a.consul/svc/shop"}}
	if err := shake(t, m, shop, before.issue(t, "/svc/shop"), clients); !errors.Is(err, errNoIdentity) {
		t.Errorf("before anything is said: %v", err)
	}
	chain, key := asPEM(t, before.issue(t, "/svc/edge"))
	if err := m.Set(chain, key, rootPEM(before)); err != nil {
		t.Fatal(err)
	}
	if err := shake(t, m, shop, before.issue(t, "/svc/shop"), clients); err != nil {
		t.Errorf("with the service: %v", err)
	}
	if err := shake(t, m, shop, before.issue(t, "/svc/blog"), clients); err == nil {
		t.Error("another service is taken for it")
	}
	if err := shake(t, m, shop, after.issue(t, "/svc/shop"), clients); err == nil {
		t.Error("a root that is not known is trusted")
	}
	// The root is replaced: both are trusted while services change over.
	if err := m.Set(chain, key, slices.Concat(rootPEM(before), rootPEM(after))); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]trustDomain{"old": before, "new": after} {
		if err := shake(t, m, shop, d.issue(t, "/svc/shop"), clients); err != nil {
			t.Errorf("with the service of the %s root: %v", name, err)
		}
	}
}

// What cannot be understood is an error, and changes nothing.
func TestMemberMistakes(t *testing.T) {
	d := newTrustDomain(t, "a.consul")
	chain, key := asPEM(t, d.issue(t, "/svc/edge"))
	_, other := asPEM(t, d.issue(t, "/svc/edge"))
	clients := x509.NewCertPool()
	clients.AddCert(d.root)
	m := NewMember("consulCatalog/main")
	if err := m.Set(chain, key, rootPEM(d)); err != nil {
		t.Fatal(err)
	}
	for name, told := range map[string][3][]byte{
		"the key of another":     {chain, other, rootPEM(d)},
		"no roots":               {chain, key, nil},
		"a root that is garbage": {chain, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})},
		"no certificate":         {nil, key, rootPEM(d)},
	} {
		if err := m.Set(told[0], told[1], told[2]); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := shake(t, m, model.SPIFFE{}, d.issue(t, "/svc/shop"), clients); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
