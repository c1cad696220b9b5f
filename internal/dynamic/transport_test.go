package dynamic

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

// samplePair is a certificate and its key, as PEM.
func samplePair(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

const usesTransport = `
http:
  services:
    a: {loadBalancer: {servers: [{url: "https://a"}], healthCheck: {path: /}, serversTransport: t}}
  serversTransports:
    t:
`

func buildTransport(t *testing.T, spec string, options ...Option) model.Snapshot {
	t.Helper()
	d, err := Decode("file/test", "a.yaml", []byte(usesTransport+spec))
	if err != nil {
		t.Fatal(err)
	}
	return Build("file/test", []*Document{d}, options...)
}

func TestTransport(t *testing.T) {
	certificate, key := samplePair(t)
	files := map[string]string{"cert.pem": string(certificate), "key.pem": string(key)}
	read := func(name string) ([]byte, error) { return []byte(files[name]), nil }
	indented := strings.ReplaceAll(strings.TrimSpace(string(certificate)), "\n", "\n          ")
	s := buildTransport(t, `
      serverName: inside.example
      insecureSkipVerify: true
      rootCAs:
        - cert.pem
        - |
          `+indented+`
      certificates: [{certFile: cert.pem, keyFile: key.pem}]
      cipherSuites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
      minVersion: VersionTLS12
      maxVersion: VersionTLS13
      peerCertURI: "spiffe://a/b"
      disableHTTP2: true
      maxIdleConnsPerHost: -1
      maxConnsPerHost: 5
      maxQueuedPerHost: 6
      forwardingTimeouts: {dialTimeout: 1s, responseHeaderTimeout: 2s, idleConnTimeout: 3, readIdleTimeout: 4s,
        pingTimeout: 5s}
`, WithFiles(read))
	if len(s.Problems) > 0 {
		t.Fatal(s.Problems)
	}
	want := &model.Transport{
		Name: model.Name{Name: "t"}, Source: "file/test",
		TLS: model.TransportTLS{
			ServerName: "inside.example", Insecure: true, PeerURI: "spiffe://a/b",
			Roots:        []string{files["cert.pem"], files["cert.pem"]},
			Certificates: []model.ClientPair{{Certificate: files["cert.pem"], Key: model.NewSecret(files["key.pem"])}},
			MinVersion:   tls.VersionTLS12, MaxVersion: tls.VersionTLS13,
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
		},
		HTTP1Only: true, IdleConnsPerHost: -1, ConnsPerHost: 5, QueuePerHost: 6,
		DialTimeout: time.Second, HeaderTimeout: 2 * time.Second, IdleTimeout: 3 * time.Second,
		PingAfter: 4 * time.Second, PingTimeout: 5 * time.Second,
	}
	equalSecrets := cmp.Comparer(func(a, b model.Secret) bool { return a == b })
	if diff := cmp.Diff(want, s.Transports[0], equalSecrets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Services[0].Transport != want.Ref() {
		t.Errorf("the service names %s", s.Services[0].Transport)
	}
	if _, err := want.TLS.Config(nil); err != nil {
		t.Error(err)
	}
	if text, err := json.Marshal(s); err != nil || strings.Contains(string(text), "PRIVATE KEY") {
		t.Errorf("the key is shown, or %v", err)
	}
}

func TestTransportSPIFFE(t *testing.T) {
	s := buildTransport(t, `
      spiffe: {ids: ["spiffe://a.example/b"], trustDomain: "spiffe://a.example"}
      minVersion: VersionTLS13
`)
	if len(s.Problems) > 0 {
		t.Fatal(s.Problems)
	}
	want := model.TransportTLS{
		SPIFFE:     &model.SPIFFE{IDs: []string{"spiffe://a.example/b"}, TrustDomain: "a.example"},
		MinVersion: tls.VersionTLS13,
	}
	if diff := cmp.Diff(want, s.Transports[0].TLS); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A mistaken transport is left out, so that what names it is not served: connections might lead elsewhere.
func TestMistakenTransports(t *testing.T) {
	for spec, want := range map[string]string{
		"{rootCAs: [\"-----BEGIN x\"]}":                   "there is no certificate in it",
		"{rootCAs: [a.pem]}":                              "this source cannot refer to files",
		"{certificates: [{certFile: a, keyFile: b}]}":     "this source cannot refer to files",
		"{minVersion: \"1.2\"}":                           `"1.2" is no version`,
		"{cipherSuites: [RC5]}":                           `"RC5" is no cipher suite`,
		"{forwardingTimeouts: {dialTimeout: -1s}}":        "negative",
		"{maxConnsPerHost: -1}":                           "below 0",
		"{insecureSkipVerifi: true}":                      "insecureSkipVerify",
		"{spiffe: {ids: [a]}}":                            `"a" is no SPIFFE ID`,
		"{spiffe: {trustDomain: a/b}}":                    `"a/b" is no trust domain`,
		"{spiffe: {}, peerCertURI: a}":                    "takes the place of",
		"{spiffe: {}, insecureSkipVerify: true}":          "takes the place of",
		"{spiffe: {}, rootCAs: [a]}":                      "takes the place of",
		"{}\n    t2: {serverName: a}\n  middlewares: [x]": "",
	} {
		s := buildTransport(t, "      "+spec+"\n")
		if want == "" {
			if len(s.Transports) != 2 {
				t.Errorf("%s: %v", spec, s.Problems)
			}
			continue
		}
		if len(s.Transports) > 0 || len(s.Services) != 1 || !slices.ContainsFunc(s.Problems, func(p model.Problem) bool {
			return strings.Contains(p.Message, want)
		}) {
			t.Errorf("%s: %d transports, %v", spec, len(s.Transports), s.Problems)
		}
	}
}

// A service names a transport of whichever source. Whether there is one is found when all sources are known.
func TestNamedTransports(t *testing.T) {
	for name, want := range map[string]string{
		"t": "t@file/test", "u": "u@file/test", "t@docker": "t@docker", "t@file": "t@file", "t@kv/a": "t@kv/a",
		"default@internal": "",
	} {
		d, err := Decode("file/test", "a.yaml", []byte(strings.Replace(usesTransport, "serversTransport: t",
			`serversTransport: "`+name+`"`, 1)+"      {}\n"))
		if err != nil {
			t.Fatal(err)
		}
		s := Build("file/test", []*Document{d})
		if got := s.Services[0].Transport.String(); got != want || len(s.Problems) > 0 {
			t.Errorf("%s: %s, %v", name, got, s.Problems)
		}
	}
}
