package dynamic

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// serversTransport is one entry of http.serversTransports.
type serversTransport struct {
	transportIdentity
	CipherSuites     []string           `doc:"cipherSuites"`
	MinVersion       string             `doc:"minVersion"`
	MaxVersion       string             `doc:"maxVersion"`
	DisableHTTP2     bool               `doc:"disableHTTP2"`
	MaxIdlePerHost   int                `doc:"maxIdleConnsPerHost"`
	MaxPerHost       int                `doc:"maxConnsPerHost"`
	MaxQueuedPerHost int                `doc:"maxQueuedPerHost"`
	Timeouts         forwardingTimeouts `doc:"forwardingTimeouts"`
}

// transportIdentity is who we are to servers over TLS, and whom we trust.
type transportIdentity struct {
	ServerName         string       `doc:"serverName"`
	InsecureSkipVerify bool         `doc:"insecureSkipVerify"`
	RootCAs            []string     `doc:"rootCAs"`
	Certificates       []clientPair `doc:"certificates"`
	PeerCertURI        string       `doc:"peerCertURI"`
	SPIFFE             *spiffe      `doc:"spiffe"`
}

// clientPair is a certificate and its key. As in Traefik, each is a file's name or the PEM itself.
type clientPair struct {
	CertFile string `doc:"certFile"`
	KeyFile  string `doc:"keyFile"`
}

type forwardingTimeouts struct {
	Dial           time.Duration `doc:"dialTimeout"`
	ResponseHeader time.Duration `doc:"responseHeaderTimeout"`
	IdleConn       time.Duration `doc:"idleConnTimeout"`
	ReadIdle       time.Duration `doc:"readIdleTimeout"`
	Ping           time.Duration `doc:"pingTimeout"`
}

func (serversTransport) gaps() []gap { return nil }

// spiffe says which workloads are trusted.
type spiffe struct {
	IDs         []string `doc:"ids"`
	TrustDomain string   `doc:"trustDomain"`
	Mesh        string   `doc:"mesh"` // ours: the source whose mesh says who we are, "consulCatalog/main"
}

// spiffe reads whom a transport trusts by SPIFFE; alone: it says nothing else of whom it trusts.
func (p place) spiffe(spec *spiffe, alone bool) *model.SPIFFE {
	if spec == nil {
		return nil
	}
	if !alone {
		p.invalid("takes the place of serverName, insecureSkipVerify, rootCAs, certificates and peerCertURI; remove those")
	}
	s := &model.SPIFFE{IDs: spec.IDs, TrustDomain: strings.TrimPrefix(spec.TrustDomain, "spiffe://"),
		Mesh: model.Source(spec.Mesh)}
	for i, id := range spec.IDs {
		u, err := url.Parse(id)
		if err != nil || u.Scheme != "spiffe" || u.Host == "" || u.Host != strings.ToLower(u.Host) || u.RawQuery != "" {
			p.in("ids", i).invalid("%q is no SPIFFE ID; write spiffe://trust-domain/workload", id)
		}
	}
	if strings.ContainsAny(s.TrustDomain, "/ :@") || s.TrustDomain != strings.ToLower(s.TrustDomain) {
		p.in("trustDomain").invalid("%q is no trust domain; write its name", spec.TrustDomain)
	}
	return s
}

// files are those that it refers to.
func (s *transportIdentity) files() (names []string) {
	for _, text := range s.RootCAs {
		names = append(names, fileName(text))
	}
	for _, c := range s.Certificates {
		names = append(names, fileName(c.CertFile), fileName(c.KeyFile))
	}
	return names
}

// fileName returns the name of a file where a value is not the content itself.
func fileName(text string) string {
	if isPEM(text) {
		return ""
	}
	return text
}

func (o *object) transport(spec *serversTransport) *model.Transport {
	t := &model.Transport{
		Name: o.ref.Name, Source: o.ref.Source,
		HTTP1Only:        spec.DisableHTTP2,
		IdleConnsPerHost: spec.MaxIdlePerHost,
		ConnsPerHost:     o.in("maxConnsPerHost").count(spec.MaxPerHost),
		QueuePerHost:     o.in("maxQueuedPerHost").count(spec.MaxQueuedPerHost),
		TLS: model.TransportTLS{
			MinVersion:   o.in("minVersion").version(spec.MinVersion),
			MaxVersion:   o.in("maxVersion").version(spec.MaxVersion),
			CipherSuites: o.ciphers(spec.CipherSuites),
		},
	}
	o.transportTimeouts(spec.Timeouts, t)
	o.in().identity(&spec.transportIdentity, &t.TLS)
	return t
}

// identity reads who we are to servers over TLS, and whom we trust.
func (p place) identity(spec *transportIdentity, t *model.TransportTLS) {
	t.ServerName, t.Insecure, t.PeerURI = spec.ServerName, spec.InsecureSkipVerify, spec.PeerCertURI
	t.SPIFFE = p.in("spiffe").spiffe(spec.SPIFFE, spec.ServerName+spec.PeerCertURI == "" && !spec.InsecureSkipVerify &&
		len(spec.RootCAs)+len(spec.Certificates) == 0)
	for i, text := range spec.RootCAs {
		t.Roots = append(t.Roots, p.in("rootCAs", i).authority(text))
	}
	for i, c := range spec.Certificates {
		at := p.in("certificates", i)
		pair := model.ClientPair{
			Certificate: at.in("certFile").pem(c.CertFile), Key: model.NewSecret(at.in("keyFile").pem(c.KeyFile)),
		}
		_, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key.Reveal()))
		if err != nil && !p.object.faulty() {
			at.invalid("this is no pair of a certificate and its key, each a file of PEM or the PEM itself")
		}
		t.Certificates = append(t.Certificates, pair)
	}
}

// authority reads the certificate of who issues others.
func (p place) authority(text string) string {
	pem := p.pem(text)
	if !p.isBlamed() && !x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
		p.invalid("there is no certificate in it; it is a file of PEM, or the PEM itself")
	}
	return pem
}

var tlsVersions = map[string]uint16{
	"": 0, "VersionTLS10": tls.VersionTLS10, "VersionTLS11": tls.VersionTLS11, "VersionTLS12": tls.VersionTLS12,
	"VersionTLS13": tls.VersionTLS13,
}

func (p place) version(name string) uint16 {
	v, ok := tlsVersions[name]
	if !ok {
		p.invalid("%q is no version; it is one of VersionTLS10, VersionTLS11, VersionTLS12 and VersionTLS13", name)
	}
	return v
}

func (o *object) ciphers(names []string) (suites []uint16) {
	known := slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites())
	for i, name := range names {
		j := slices.IndexFunc(known, func(s *tls.CipherSuite) bool { return s.Name == name })
		if j < 0 {
			o.in("cipherSuites", i).invalid("%q is no cipher suite of TLS 1.2; write one such as %s", name, known[0].Name)
			continue
		}
		suites = append(suites, known[j].ID)
	}
	return suites
}

func (p place) count(n int) int {
	if n < 0 {
		p.invalid("%d is below 0", n)
	}
	return n
}

func (o *object) transportTimeouts(spec forwardingTimeouts, t *model.Transport) {
	for _, d := range []struct {
		key  string
		from time.Duration
		to   *time.Duration
	}{
		{"dialTimeout", spec.Dial, &t.DialTimeout}, {"responseHeaderTimeout", spec.ResponseHeader, &t.HeaderTimeout},
		{"idleConnTimeout", spec.IdleConn, &t.IdleTimeout}, {"readIdleTimeout", spec.ReadIdle, &t.PingAfter},
		{"pingTimeout", spec.Ping, &t.PingTimeout},
	} {
		o.in("forwardingTimeouts", d.key).notNegative(d.from)
		*d.to = d.from
	}
}

// transport reads which transport a service names; the zero reference: the default.
func (p place) transport(name string) model.Ref {
	if name == "" || name == "default@internal" {
		return model.Ref{}
	}
	return p.ref(name)
}
