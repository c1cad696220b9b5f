package cert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"

	"github.com/fairlead/fairlead/internal/model"
)

// workloadAPI is a real one, small: it says what it is told to say.
type workloadAPI struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	says chan *workload.X509SVIDResponse
}

func (a *workloadAPI) FetchX509SVID(
	_ *workload.X509SVIDRequest, s grpc.ServerStreamingServer[workload.X509SVIDResponse],
) error {
	for {
		select {
		case said := <-a.says:
			if err := s.Send(said); err != nil {
				return err
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

// trustDomain issues identities for workloads.
type trustDomain struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newTrustDomain(t *testing.T, name string) trustDomain {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, URIs: []*url.URL{{Scheme: "spiffe", Host: name}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return trustDomain{root, key}
}

// issue returns the identity of a workload.
func (d trustDomain) issue(t *testing.T, path string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, URIs: []*url.URL{{Scheme: "spiffe", Host: d.root.URIs[0].Host, Path: path}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, d.root, key.Public(), d.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tell is what the API says to the workload of a path.
func (d trustDomain) tell(t *testing.T, path string) *workload.X509SVIDResponse {
	t.Helper()
	own := d.issue(t, path)
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return &workload.X509SVIDResponse{Svids: []*workload.X509SVID{{
		SpiffeId: "spiffe://" + d.root.URIs[0].Host + path, X509Svid: own.Certificate[0], X509SvidKey: key,
		Bundle: d.root.Raw,
	}}}
}

func startWorkload(t *testing.T) (*Workload, *workloadAPI) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	api, server := &workloadAPI{says: make(chan *workload.X509SVIDResponse)}, grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, api)
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(l) }()
	ctx, cancel := context.WithCancel(t.Context())
	w := NewWorkload("tcp://"+l.Addr().String(), slog.New(slog.DiscardHandler))
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		server.Stop()
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Error(err)
		}
	})
	return w, api
}

// shake makes a handshake as what a workload is now with a service; the error is either side's.
func shake(t *testing.T, w model.Workload, s model.SPIFFE, service tls.Certificate, clients *x509.CertPool) error {
	t.Helper()
	config, err := w.ClientTLS(s)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{service}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { // a pipe would not do: both sides may write
		conn, err := l.Accept()
		if err == nil {
			err = errors.Join(conn.(*tls.Conn).Handshake(), conn.Close())
		}
		served <- err
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), config)
	if err == nil {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	return errors.Join(err, <-served, l.Close())
}

func TestWorkload(t *testing.T) {
	w, api := startWorkload(t)
	domain, foreign := newTrustDomain(t, "inside.example"), newTrustDomain(t, "outside.example")
	clients := x509.NewCertPool()
	clients.AddCert(domain.root)
	shop, stranger := domain.issue(t, "/shop"), foreign.issue(t, "/shop")
	if err := shake(t, w, model.SPIFFE{}, shop, clients); !errors.Is(err, errNoIdentity) {
		t.Errorf("before the API has said anything: %v", err)
	}
	api.says <- domain.tell(t, "/edge")
	api.says <- domain.tell(t, "/edge") // taken when the first has been
	for name, c := range map[string]struct {
		trust   model.SPIFFE
		service tls.Certificate
		ok      bool
	}{
		"any":                 {model.SPIFFE{}, shop, true},
		"the ID":              {model.SPIFFE{IDs: []string{"spiffe://inside.example/shop"}}, shop, true},
		"another ID":          {model.SPIFFE{IDs: []string{"spiffe://inside.example/blog"}}, shop, false},
		"the domain":          {model.SPIFFE{TrustDomain: "inside.example"}, shop, true},
		"another domain":      {model.SPIFFE{TrustDomain: "outside.example"}, shop, false},
		"whom nobody knows":   {model.SPIFFE{}, stranger, false},
		"an ID of a forger's": {model.SPIFFE{IDs: []string{"spiffe://outside.example/shop"}}, stranger, false},
	} {
		var err error
		for range 100 { // until what was said has been understood
			if err = shake(t, w, c.trust, c.service, clients); !errors.Is(err, errNoIdentity) {
				break
			}
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.ClientTLS(model.SPIFFE{IDs: []string{"https://a"}}); err == nil {
		t.Error("what is no ID is taken for one")
	}
}
