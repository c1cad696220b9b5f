package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// A service of TLS is talked to only if its certificate has the URI that is wanted, whatever else is trusted.
func TestPeerURIOfStreams(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		URIs: []*url.URL{{Scheme: "spiffe", Host: "inside.example", Path: "/db"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	addr := accept(t, l, echo("ready"))
	for wanted, greeting := range map[string]string{
		"": "ready", "spiffe://inside.example/db": "ready", "spiffe://inside.example/mail": "",
	} {
		var w streamWorld
		w.add(model.LaneTCP, "db", "*", nil, addr)
		w.reach(model.TransportTLS{Insecure: true, PeerURI: wanted})
		b := start(t, w.snapshot())
		conn, err := net.Dial("tcp", b.Addr("web").String())
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len("ready"))
		n, _ := io.ReadFull(conn, got)
		_ = conn.Close()
		if string(got[:n]) != greeting {
			t.Errorf("with %q wanted: %q; want %q", wanted, got[:n], greeting)
		}
	}
}
