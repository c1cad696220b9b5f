package cert

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestClientTLSRefuses(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.pem")
	for _, files := range []ClientFiles{{CA: none}, {CA: os.DevNull}, {Cert: none, Key: none}} {
		if _, err := ClientTLS(files); err == nil {
			t.Errorf("%+v are taken", files)
		}
	}
}

// TestClientTLS: a client trusts one CA, and shows the certificate that lies on disk when it connects.
func TestClientTLS(t *testing.T) {
	authority, folder := newAuthority(t, newMemory()), t.TempDir()
	ca := filepath.Join(folder, "ca.pem")
	write(t, ca, authority.PEM())
	pair := writePair(t, authority, folder, "client", "first.example")
	client, err := ClientTLS(ClientFiles{CA: ca, Cert: pair.CertFile, Key: pair.KeyFile})
	if err != nil {
		t.Fatal(err)
	}
	client.ServerName = "server.example"
	served, err := authority.Issue([]string{"server.example"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{served}, ClientAuth: tls.RequireAnyClientCert}
	if got := clientShows(t, client, server); got.DNSNames[0] != "first.example" {
		t.Errorf("shown: %v", got.DNSNames)
	}
	writePair(t, authority, folder, "client", "second.example")
	if got := clientShows(t, client, server); got.DNSNames[0] != "second.example" {
		t.Errorf("after it was replaced: %v", got.DNSNames)
	}
}

// clientShows returns the certificate that the client shows to the server.
func clientShows(t *testing.T, client, server *tls.Config) *x509.Certificate {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	failed := make(chan error, 1)
	go func() { failed <- tls.Client(ours, client).Handshake() }()
	s := tls.Server(theirs, server)
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return s.ConnectionState().PeerCertificates[0]
}
