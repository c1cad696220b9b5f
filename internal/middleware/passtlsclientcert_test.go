package middleware

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

func certificate() *x509.Certificate {
	page, _ := url.Parse("spiffe://a.example/ann")
	name := pkix.Name{
		Country: []string{"FR"}, Province: []string{"Some-State"}, Locality: []string{"Paris"},
		Organization: []string{"Fairlead", "Ropes"}, OrganizationalUnit: []string{"Deck"}, CommonName: `ann";Issuer="boss`,
		SerialNumber: "77",
		Names: []pkix.AttributeTypeAndValue{
			{Type: domainComponent(), Value: "org"}, {Type: domainComponent(), Value: "a"},
		},
	}
	return &x509.Certificate{
		Raw: []byte("not looked at"), Subject: name, Issuer: pkix.Name{CommonName: "CA", Organization: []string{"Roots"}},
		SerialNumber: big.NewInt(1234567890), NotBefore: time.Unix(1, 0), NotAfter: time.Unix(2, 0),
		DNSNames: []string{"a.example"}, EmailAddresses: []string{"ann@a.example"}, IPAddresses: []net.IP{{10, 0, 0, 1}},
		URIs: []*url.URL{page},
	}
}

func TestPassTLSClientCert(t *testing.T) {
	all := model.NameParts{
		Country: true, Province: true, Locality: true, Organization: true, OrganizationalUnit: true, CommonName: true,
		SerialNumber: true, DomainComponent: true,
	}
	full := &model.CertInfo{
		NotAfter: true, NotBefore: true, SANs: true, SerialNumber: true, Subject: all, Issuer: all,
	}
	const fullText = `Subject="DC=org,DC=a,C=FR,ST=Some-State,L=Paris,O=Fairlead,O=Ropes,OU=Deck,SN=77,` +
		`CN=ann\";Issuer=\"boss";` +
		`Issuer="O=Roots,CN=CA";SerialNumber="1234567890";NB="1";NA="2";` +
		`SAN="a.example,ann@a.example,10.0.0.1,spiffe://a.example/ann"`
	cases := map[string]struct {
		spec  model.PassTLSClientCert
		certs []*x509.Certificate
		want  map[string]string
	}{
		"pem": {model.PassTLSClientCert{PEM: true}, []*x509.Certificate{certificate(), certificate()}, map[string]string{
			clientCert: "bm90IGxvb2tlZCBhdA==,bm90IGxvb2tlZCBhdA==",
		}},
		"info": {model.PassTLSClientCert{Info: full}, []*x509.Certificate{certificate()}, map[string]string{
			clientCertInfo: url.QueryEscape(fullText),
		}},
		"some": {
			model.PassTLSClientCert{Info: &model.CertInfo{NotAfter: true, Issuer: model.NameParts{CommonName: true}}},
			[]*x509.Certificate{certificate(), certificate()}, map[string]string{
				clientCertInfo: url.QueryEscape(`Issuer="CN=CA";NA="2",Issuer="CN=CA";NA="2"`),
			},
		},
		"no certificate": {model.PassTLSClientCert{PEM: true, Info: full}, nil, map[string]string{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			// What a client says of itself never reaches the service, however it is spelt.
			r := request("/", clientCert+": x", clientCertInfo+": y", "X_forwarded_Tls_Client_Cert: z")
			r.TLS = &tls.ConnectionState{PeerCertificates: c.certs}
			_, got := exchange(build(t, NewSet(Options{}), model.Middleware{PassTLSClientCert: &c.spec}), r)
			fields := map[string]string{}
			for k := range got.Header {
				fields[k] = got.Header.Get(k)
			}
			if diff := cmp.Diff(c.want, fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}
