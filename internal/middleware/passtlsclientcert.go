package middleware

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	clientCert     = "X-Forwarded-Tls-Client-Cert"
	clientCertInfo = "X-Forwarded-Tls-Client-Cert-Info"
)

// newPassTLSClientCert tells the service about the client's certificate. Whether a client must show one, and who may
// have signed it, is a matter of the TLS options of the entry point.
func newPassTLSClientCert(_ *Set, _ place, spec *model.PassTLSClientCert) (Func, error) {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			removeIdentity(r.Header, clientCert)
			removeIdentity(r.Header, clientCertInfo)
			if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
				if spec.PEM {
					r.Header[clientCert] = []string{chainOf(r.TLS.PeerCertificates)}
				}
				if spec.Info != nil {
					r.Header[clientCertInfo] = []string{url.QueryEscape(infoOf(spec.Info, r.TLS.PeerCertificates))}
				}
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// chainOf returns the certificates as in PEM, without the lines around them and without line ends.
func chainOf(chain []*x509.Certificate) string {
	list := make([]string, len(chain))
	for i, c := range chain {
		list[i] = base64.StdEncoding.EncodeToString(c.Raw)
	}
	return strings.Join(list, ",")
}

// infoOf describes the certificates: Subject="…";Issuer="…";… , one after the other with commas between.
func infoOf(spec *model.CertInfo, chain []*x509.Certificate) string {
	list := make([]string, len(chain))
	for i, c := range chain {
		var parts []string
		add := func(name, value string) {
			if value != "" {
				parts = append(parts, fmt.Sprintf(`%s="%s"`, name, value))
			}
		}
		add("Subject", nameOf(spec.Subject, &c.Subject))
		add("Issuer", nameOf(spec.Issuer, &c.Issuer))
		if spec.SerialNumber && c.SerialNumber != nil {
			add("SerialNumber", c.SerialNumber.String())
		}
		if spec.NotBefore {
			add("NB", fmt.Sprint(c.NotBefore.Unix()))
		}
		if spec.NotAfter {
			add("NA", fmt.Sprint(c.NotAfter.Unix()))
		}
		if spec.SANs {
			add("SAN", sansOf(c))
		}
		list[i] = strings.Join(parts, ";")
	}
	return strings.Join(list, ",")
}

func sansOf(c *x509.Certificate) string {
	names := append(append([]string(nil), c.DNSNames...), c.EmailAddresses...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	for i := range names {
		names[i] = quoteName(names[i])
	}
	return strings.Join(names, ",")
}

// nameOf writes the parts of a distinguished name that are asked for: C=…,ST=…,…
func nameOf(wanted model.NameParts, name *pkix.Name) string {
	var parts []string
	add := func(wanted bool, key string, values ...string) {
		for _, v := range values {
			if wanted && v != "" {
				parts = append(parts, key+"="+quoteName(v))
			}
		}
	}
	for _, attribute := range name.Names {
		if value, ok := attribute.Value.(string); ok && attribute.Type.Equal(domainComponent()) {
			add(wanted.DomainComponent, "DC", value)
		}
	}
	add(wanted.Country, "C", name.Country...)
	add(wanted.Province, "ST", name.Province...)
	add(wanted.Locality, "L", name.Locality...)
	add(wanted.Organization, "O", name.Organization...)
	add(wanted.OrganizationalUnit, "OU", name.OrganizationalUnit...)
	add(wanted.SerialNumber, "SN", name.SerialNumber)
	add(wanted.CommonName, "CN", name.CommonName)
	return strings.Join(parts, ",")
}

// domainComponent is the type of DC in a name (RFC 4519 §2.4).
func domainComponent() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
}

// quoteName keeps a name that somebody had certified from looking like several parts.
func quoteName(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
