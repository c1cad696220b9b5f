package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// secureService is a service over TLS that says how it was reached.
type secureService struct {
	*httptest.Server
	addr  string
	root  string // PEM
	conns atomic.Int32
}

func serveSecure(t *testing.T, http2 bool, change ...func(*tls.Config)) *secureService {
	t.Helper()
	s := &secureService{Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))}
	s.EnableHTTP2 = http2
	s.TLS = new(tls.Config)
	for _, f := range change {
		f(s.TLS)
	}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	s.addr = strings.TrimPrefix(s.URL, "https://")
	s.root = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return s
}

func toSecure(addr string, spec *model.Transport) *model.Snapshot {
	s := to(addr)
	s.Services[0].Protocol = model.HTTPS
	by(s, spec)
	return s
}

// by makes a snapshot's service name a transport, which is of another source.
func by(s *model.Snapshot, spec *model.Transport) {
	own := *spec
	own.Name, own.Source, own.Lane = model.Name{Name: "inside"}, "file/other", s.Services[0].Lane
	s.Transports = []*model.Transport{&own}
	s.Services[0].Transport = model.Ref{Name: own.Name, Source: "file/other", Lane: own.Lane}
}

func TestTransportTLS(t *testing.T) {
	s := serveSecure(t, true)
	old := serveSecure(t, true, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
	other := serveSecure(t, false)
	stranger := serveSecure(t, true, func(c *tls.Config) { c.Certificates = []tls.Certificate{newPair(t, "")} })
	issued := func(root, name string) model.TransportTLS {
		return model.TransportTLS{Roots: []string{root}, ServerName: name}
	}
	anybody := model.TransportTLS{Insecure: true}
	for name, c := range map[string]struct {
		addr string
		spec model.Transport
		want string // "": no connection
	}{
		"whom the system trusts":  {stranger.addr, model.Transport{}, ""},
		"anybody":                 {s.addr, model.Transport{TLS: anybody}, "HTTP/2.0"},
		"a root":                  {s.addr, model.Transport{TLS: issued(s.root, "")}, "HTTP/2.0"},
		"another root":            {s.addr, model.Transport{TLS: issued(strangerRoot(t), "")}, ""},
		"its name":                {s.addr, model.Transport{TLS: issued(s.root, "example.com")}, "HTTP/2.0"},
		"another name":            {s.addr, model.Transport{TLS: issued(s.root, "a.test")}, ""},
		"a URI that is not there": {s.addr, model.Transport{TLS: model.TransportTLS{Insecure: true, PeerURI: "a:b"}}, ""},
		"no version in common": {old.addr,
			model.Transport{TLS: model.TransportTLS{Insecure: true, MinVersion: tls.VersionTLS13}}, ""},
		"HTTP/1.1 is asked for":  {s.addr, model.Transport{TLS: anybody, HTTP1Only: true}, "HTTP/1.1"},
		"HTTP/1.1 is all":        {other.addr, model.Transport{TLS: anybody}, "HTTP/1.1"},
		"HTTP/1.1, its name":     {other.addr, model.Transport{TLS: issued(other.root, "example.com")}, "HTTP/1.1"},
		"HTTP/1.1, another name": {other.addr, model.Transport{TLS: issued(other.root, "a.test")}, ""},
		"a root that is none":    {s.addr, model.Transport{TLS: issued("x", "")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, toSecure(c.addr, &c.spec))
			for range 2 { // what was learned with the first is used with the second
				status, _, body := b.get(t, "/")
				if c.want == "" && status != http.StatusBadGateway || c.want != "" && body != c.want {
					t.Errorf("%d %q", status, body)
				}
			}
		})
	}
}

// strangerRoot signs nothing here.
func strangerRoot(t *testing.T) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newPair(t, "").Certificate[0]}))
}

func TestTransportShowsItsCertificate(t *testing.T) {
	pair := newPair(t, "")
	s := serveSecure(t, true, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	spec := &model.Transport{TLS: model.TransportTLS{Insecure: true}}
	if status, _, _ := start(t, toSecure(s.addr, spec)).get(t, "/"); status != http.StatusBadGateway {
		t.Errorf("without a certificate: %d", status)
	}
	with := *spec
	with.TLS.Certificates = []model.ClientPair{pemPair(t, pair)}
	if status, _, body := start(t, toSecure(s.addr, &with)).get(t, "/"); status != http.StatusOK {
		t.Errorf("with one: %d %q", status, body)
	}
}

func TestTransportChecksThePeersURI(t *testing.T) {
	s := serveSecure(t, false, func(c *tls.Config) { c.Certificates = []tls.Certificate{newPair(t, "spiffe://a/b")} })
	for uri, want := range map[string]int{"spiffe://a/b": 200, "spiffe://a/c": 502, "": 200} {
		spec := &model.Transport{TLS: model.TransportTLS{Insecure: true, PeerURI: uri}}
		if status, _, _ := start(t, toSecure(s.addr, spec)).get(t, "/"); status != want {
			t.Errorf("%q: %d, want %d", uri, status, want)
		}
	}
}

// An upgrade needs HTTP/1.1, also where the service could HTTP/2.
func TestUpgradeOverTLS(t *testing.T) {
	s := serveSecure(t, true)
	b := start(t, toSecure(s.addr, &model.Transport{TLS: model.TransportTLS{Insecure: true}}))
	_, _, first := b.get(t, "/")
	_, _, upgrade := b.get(t, "/", "Connection", "Upgrade", "Upgrade", "echo")
	if first != "HTTP/2.0" || upgrade != "HTTP/1.1" {
		t.Errorf("%s, to upgrade %s", first, upgrade)
	}
}

// Connections outlive a reload where the definition is the same, and are never used under another one.
func TestTransportsOutliveReloads(t *testing.T) {
	s := serveSecure(t, false)
	trusting := func(idle int) *model.Transport {
		return &model.Transport{TLS: model.TransportTLS{Insecure: true}, HTTP1Only: true, IdleConnsPerHost: idle}
	}
	b := start(t, toSecure(s.addr, trusting(5)))
	b.get(t, "/")
	b.Apply(toSecure(s.addr, trusting(5)), true)
	b.get(t, "/")
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections after a reload that changes nothing, want 1", n)
	}
	b.Apply(toSecure(s.addr, trusting(6)), true)
	b.get(t, "/")
	if n := s.conns.Load(); n != 2 {
		t.Errorf("%d connections after another definition, want 2", n)
	}
	b.Apply(toSecure(s.addr, &model.Transport{TLS: model.TransportTLS{ServerName: "a.test"}}), true)
	if status, _, _ := b.get(t, "/"); status != http.StatusBadGateway {
		t.Errorf("a connection was used that trusts anybody: %d", status)
	}
	if open := len(b.builder.transports.open); open != 1 {
		t.Errorf("%d transports are open, want 1", open)
	}
}

func TestTransportHeaderTimeout(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	s := to(addr)
	by(s, &model.Transport{HeaderTimeout: 10 * time.Millisecond})
	if status, h, _ := start(t, s).do(t, "POST", "/", nil); status != 504 || h.Get(reasonField) != reasonTimeout {
		t.Errorf("%d %s", status, h.Get(reasonField))
	}
}

// One connection and a queue of one: the third of three requests at once is turned away, and the service is not to
// blame.
func TestTransportIsBusy(t *testing.T) {
	arrived, release := make(chan struct{}, 3), make(chan struct{})
	addr := serve(t, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release })
	s := to(addr)
	by(s, &model.Transport{ConnsPerHost: 1, QueuePerHost: 1})
	b := start(t, s)
	statuses := make(chan int, 3)
	ask := func() {
		answer, err := b.http.Get(b.url)
		if err != nil {
			statuses <- 0
			return
		}
		_ = answer.Body.Close()
		statuses <- answer.StatusCode
	}
	go ask()
	<-arrived
	go ask()
	go ask()
	if status := <-statuses; status != http.StatusServiceUnavailable {
		t.Errorf("%d, want 503 of one of those that wait", status)
	}
	close(release)
	if first, second := <-statuses, <-statuses; first != 200 || second != 200 {
		t.Errorf("%d and %d, want 200", first, second)
	}
	if host := b.hosts.States()[0]; host.Failures > 0 || !host.Ejected.IsZero() {
		t.Errorf("%+v", host)
	}
}

// newPair makes a certificate that signs itself, with a URI among its names unless that is "".
func newPair(t *testing.T, uri string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	if name, err := url.Parse(uri); err == nil && uri != "" {
		template.URIs = []*url.URL{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func pemPair(t *testing.T, pair tls.Certificate) model.ClientPair {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return model.ClientPair{
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		Key:         model.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))),
	}
}

// A transport that comes, changes and goes while requests are served harms nobody but the services that name it.
func TestTransportComesAndGoes(t *testing.T) {
	s := serveSecure(t, false, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	other := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "other") })
	pairs := []model.ClientPair{pemPair(t, newPair(t, "")), pemPair(t, newPair(t, ""))}
	world := func(shown ...model.ClientPair) *model.Snapshot {
		w := toSecure(s.addr, &model.Transport{
			HTTP1Only: true, TLS: model.TransportTLS{Insecure: true, Certificates: shown},
		})
		w.Services = append(w.Services, &model.Service{
			Name: model.Name{Name: "zz"}, Source: "file/test", Endpoints: []model.Endpoint{{Addr: other, Weight: 1}},
		})
		w.Routes = append(w.Routes, &model.Route{
			Name: model.Name{Name: "zz"}, Source: "file/test", Match: model.Leaf(model.PathPrefix, "/other"), Priority: 100,
			Backends: []model.Backend{{Service: w.Services[1].Ref(), Weight: 1}},
		})
		if len(shown) == 0 {
			w.Transports = nil
		}
		return w
	}
	b := start(t, world())
	for i, step := range []struct {
		shown  []model.ClientPair
		status int
		conns  int32 // in all, that carried requests
	}{
		{nil, 503, 0},
		{pairs[:1], 200, 1},
		{pairs[:1], 200, 1}, // read anew, and the same: the connection is used again
		{pairs[1:], 200, 2}, // other terms: not on the old connection
		{nil, 503, 2},
		{pairs[:1], 200, 3},
	} {
		b.Apply(world(step.shown...), true)
		if status, _, _ := b.get(t, "/"); status != step.status {
			t.Errorf("step %d: %d, want %d", i, status, step.status)
		}
		if got := s.conns.Load(); got != step.conns {
			t.Errorf("step %d: %d connections, want %d", i, got, step.conns)
		}
		if _, _, body := b.get(t, "/other"); body != "other" {
			t.Errorf("step %d: the other service is harmed", i)
		}
		told := slices.ContainsFunc(b.Problems(), func(p model.Problem) bool {
			return p.Code == model.UnknownTransport && p.Object.Kind == model.KindService
		})
		if told != (step.shown == nil) {
			t.Errorf("step %d: %v", i, b.Problems())
		}
		if open := len(b.builder.transports.open); open > 2 {
			t.Errorf("step %d: %d transports are open", i, open)
		}
	}
}
