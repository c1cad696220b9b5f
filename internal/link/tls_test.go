package link

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
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// authority is a CA with one certificate for a server called cluster.test.
type authority struct {
	pem, pin []byte
	server   tls.Certificate // with the CA's certificate in its chain
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	sign := func(c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
		c.SerialNumber = big.NewInt(time.Now().UnixNano())
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true}
	caDER := sign(ca, ca, caKey, caKey)
	leaf := &x509.Certificate{
		Subject: pkix.Name{CommonName: "leaf"}, DNSNames: []string{"cluster.test"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	sum := sha256.Sum256(caDER)
	return authority{
		pem:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}),
		pin:    []byte("sha256:" + hex.EncodeToString(sum[:])),
		server: tls.Certificate{Certificate: [][]byte{sign(leaf, ca, key, caKey), caDER}, PrivateKey: key},
	}
}

// serve answers over TLS, with HTTP/2 unless http1. It counts the bytes that go out.
func serve(t testing.TB, h http.Handler, cert tls.Certificate, http1 bool) (addr string, sent *atomic.Int64) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.EnableHTTP2 = !http1
	sent = new(atomic.Int64)
	s.Listener = &countingListener{s.Listener, sent}
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.Listener.Addr().String(), sent
}

type countingListener struct {
	net.Listener
	sent *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countingConn{c, l.sent}, err
}

type countingConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c *countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

func TestClientTLS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	alone := ours.server
	alone.Certificate = alone.Certificate[:1]
	leafSum := sha256.Sum256(ours.server.Certificate[0])
	leafPin := "sha256:" + hex.EncodeToString(leafSum[:])
	forged := other.server // somebody else's certificate, with our CA's certificate put beside it
	forged.Certificate = append([][]byte{}, forged.Certificate[0], ours.server.Certificate[1])
	hello := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, test := range map[string]struct {
		server   tls.Certificate
		ca, name string
		want     string
	}{
		"CA":                  {ours.server, string(ours.pem), "", ""},
		"CA and name":         {alone, string(ours.pem), "cluster.test", ""},
		"CA and wrong name":   {ours.server, string(ours.pem), "other.test", "not other.test"},
		"other CA":            {ours.server, string(other.pem), "", "unknown authority"},
		"pin":                 {ours.server, string(ours.pin) + "\n", "", ""},
		"pin and name":        {ours.server, string(ours.pin), "cluster.test", ""},
		"pin and wrong name":  {ours.server, string(ours.pin), "other.test", "not other.test"},
		"other pin":           {ours.server, string(other.pin), "", errPinMissing.Error()},
		"pin without CA":      {alone, string(ours.pin), "", errPinMissing.Error()},
		"pin of the leaf":     {ours.server, leafPin, "", errPinMissing.Error()},
		"pin, foreign chain":  {forged, string(ours.pin), "", "unknown authority"},
		"CA and foreign leaf": {forged, string(ours.pem), "", "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := ClientTLS([]byte(test.ca), test.name)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(hello)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{test.server}}
			server.Config.ErrorLog = quietLog
			server.StartTLS()
			defer server.Close()
			transport := NewTransport(config)
			defer transport.CloseIdleConnections()
			answer, err := (&http.Client{Transport: transport}).Get(server.URL)
			if err == nil {
				_ = answer.Body.Close()
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	for _, ca := range []string{"", "sha256:", "sha256:xyz", "sha256:abcd", "sha1:" + strings.Repeat("0", 64)} {
		if _, err := ClientTLS([]byte(ca), ""); !errors.Is(err, errNoCA) {
			t.Errorf("%q: %v", ca, err)
		}
	}
}

// TestOverTLS goes the whole way: TLS, HTTP/1.1 and HTTP/2, each coding, a change, a key that is revoked.
func TestOverTLS(t *testing.T) {
	ca := newAuthority(t)
	for _, http1 := range []bool{true, false} {
		for _, coding := range []string{"", "gzip", "zstd, gzip"} {
			t.Run(fmt.Sprintf("http1=%v coding=%q", http1, coding), func(t *testing.T) {
				c := newCluster("fra")
				c.Publish(snapshot(route("a"), route("b")))
				stopCluster := start(c.Run)
				addr, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					equal(t, "protocol", r.ProtoMajor == 1, http1)
					if coding == "" {
						r.Header.Del("Accept-Encoding")
					} else {
						r.Header.Set("Accept-Encoding", coding)
					}
					c.ServeHTTP(w, r)
				}), ca.server, http1)
				config, err := ClientTLS(ca.pin, "")
				if err != nil {
					t.Fatal(err)
				}
				client := NewTransport(config)
				f := NewFollower(FollowerOptions{
					Cluster: "fra", Addresses: []string{addr}, Key: func() (string, error) { return "good", nil },
					Client: client, Grant: everything, Log: quiet,
				})
				states := make(chan model.Snapshot, 10)
				ended := make(chan error, 1)
				go func() { ended <- f.Run(t.Context(), func(s model.Snapshot) { states <- s }) }()
				equal(t, "routes", len((<-states).Routes), 2)
				c.Publish(snapshot(route("a"), route("b"), route("c")))
				equal(t, "routes after a change", len((<-states).Routes), 3)
				c.keys.revoke("good")
				if err := <-ended; err == nil {
					t.Error("no error")
				}
				if err := f.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "401") {
					t.Error(err)
				}
				_ = stopCluster()
				client.CloseIdleConnections()
			})
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	e := newEdge(&memory{hosts: map[string]*host{
		"x:1": {handler: http.RedirectHandler("https://elsewhere:1/", http.StatusTemporaryRedirect)},
	}}, nil, "x:1")
	err := e.Run(context.Background(), e.publish)
	if err == nil || !strings.Contains(err.Error(), "status 307") {
		t.Error(err)
	}
	equal(t, "calls", len(e.net.seen), 1)
}

func TestAccepts(t *testing.T) {
	for field, want := range map[string]bool{
		"": false, "zstd": true, "gzip, ZSTD": true, "gzip": false, "zstd;q=0": false, "zstd;q=0.0": false,
		"zstd; q=0.5": true, "zstd;q=1": true, "xzstd": false,
	} {
		equal(t, field, accepts(field, "zstd"), want)
	}
	if _, err := decompress(strings.NewReader(""), "br"); err == nil {
		t.Error("unknown coding taken")
	}
}
