package proxy

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/fairlead/fairlead/internal/model"
)

// front is a way in which clients speak to the entry point "secure".
type front struct {
	name   string
	client func(t *testing.T) http.RoundTripper
}

// fronts are all of them.
var fronts = []front{
	{"h1", func(t *testing.T) http.RoundTripper { return tcpClient(t, (*http.Protocols).SetHTTP1) }},
	{"h2", func(t *testing.T) http.RoundTripper { return tcpClient(t, (*http.Protocols).SetHTTP2) }},
	{"h3", func(t *testing.T) http.RoundTripper { return newHTTP3Client(t) }},
}

func tcpClient(t *testing.T, speak func(*http.Protocols, bool)) http.RoundTripper {
	t.Helper()
	client := &http.Transport{TLSClientConfig: insecure(), Protocols: new(http.Protocols), DisableCompression: true}
	speak(client.Protocols, true)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func newHTTP3Client(t *testing.T) *http3.Transport {
	t.Helper()
	client := &http3.Transport{TLSClientConfig: insecure(), DisableCompression: true}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// secure makes the entry point one that speaks TLS and HTTP/3.
func secure(t *testing.T) func(*Options) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	return func(o *Options) {
		e := &o.EntryPoints[0]
		e.TLS = &tls.Config{Certificates: s.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
		e.HTTP3 = &HTTP3{}
	}
}

// startSecure starts a proxy that clients of all fronts reach.
func startSecure(t *testing.T, s *model.Snapshot, change ...func(*Options)) *bench {
	t.Helper()
	b := start(t, s, append([]func(*Options){secure(t)}, change...)...)
	b.url = "https://" + b.Addr("web").String()
	return b
}

// from lets the bench's requests come over a front.
func (b *bench) from(t *testing.T, f front) *bench {
	t.Helper()
	other := *b
	other.http = &http.Client{Transport: f.client(t)}
	return &other
}
