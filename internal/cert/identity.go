package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/fairlead/fairlead/internal/model"
)

// identity is who the instance is by SPIFFE, and whom it trusts. Each handshake takes what was said last, so that
// connections outlive what they were made with.
type identity struct {
	from    string // who says it
	current atomic.Pointer[workloadapi.X509Context]
}

var errNoIdentity = errors.New("nothing has been said yet of who we are")

// GetX509SVID is part of x509svid.Source.
func (i *identity) GetX509SVID() (*x509svid.SVID, error) {
	now := i.current.Load()
	if now == nil {
		return nil, fmt.Errorf("%s: %w", i.from, errNoIdentity)
	}
	return now.DefaultSVID(), nil
}

// GetX509BundleForTrustDomain is part of x509bundle.Source.
func (i *identity) GetX509BundleForTrustDomain(domain spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	now := i.current.Load()
	if now == nil {
		return nil, fmt.Errorf("%s: %w", i.from, errNoIdentity)
	}
	return now.Bundles.GetX509BundleForTrustDomain(domain)
}

// ClientTLS returns the client's side of TLS with the workloads that s trusts.
func (i *identity) ClientTLS(s model.SPIFFE) (*tls.Config, error) {
	admits := tlsconfig.AuthorizeAny()
	if s.TrustDomain != "" {
		domain, err := spiffeid.TrustDomainFromString(s.TrustDomain)
		if err != nil {
			return nil, fmt.Errorf("%s is no trust domain: %w", s.TrustDomain, err)
		}
		admits = tlsconfig.AuthorizeMemberOf(domain)
	}
	if len(s.IDs) > 0 { // as in Traefik they say all that is to be said
		ids := make([]spiffeid.ID, len(s.IDs))
		for i, text := range s.IDs {
			var err error
			if ids[i], err = spiffeid.FromString(text); err != nil {
				return nil, fmt.Errorf("%s is no SPIFFE ID: %w", text, err)
			}
		}
		admits = tlsconfig.AuthorizeOneOf(ids...)
	}
	config := tlsconfig.MTLSClientConfig(i, i, admits)
	config.MinVersion = tls.VersionTLS12
	return config, nil
}

// Member is who the instance is in the mesh of one of its sources, which says so.
type Member struct{ identity }

// NewMember returns one who is nobody yet: until Set, no handshake succeeds.
func NewMember(source model.Source) *Member {
	return &Member{identity{from: "the mesh of " + string(source)}}
}

// Set says who the instance is from now on, a certificate with its chain and its key, and by which roots the members of
// its trust domain are known. All are PEM.
func (m *Member) Set(chain, key, roots []byte) error {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("reading the certificate of the mesh: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey) // which go-spiffe wants, and meshes do not write
	if err != nil {
		return fmt.Errorf("reading the key of the mesh: %w", err)
	}
	svid, err := x509svid.ParseRaw(slices.Concat(pair.Certificate...), der)
	if err != nil {
		return fmt.Errorf("reading the certificate of the mesh: %w", err)
	}
	bundle, err := x509bundle.Parse(svid.ID.TrustDomain(), roots)
	if err == nil && bundle.Empty() {
		err = errors.New("there is no certificate")
	}
	if err != nil {
		return fmt.Errorf("reading the roots of the mesh: %w", err)
	}
	m.current.Store(&workloadapi.X509Context{SVIDs: []*x509svid.SVID{svid}, Bundles: x509bundle.NewSet(bundle)})
	return nil
}
