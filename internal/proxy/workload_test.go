package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// identity is a workload that shows a certificate, and trusts those that have the first ID.
type identity tls.Certificate

func (i identity) ClientTLS(s model.SPIFFE) (*tls.Config, error) {
	c := &tls.Config{Certificates: []tls.Certificate{tls.Certificate(i)}, InsecureSkipVerify: true}
	model.WantPeerURI(c, s.IDs[0])
	return c, nil
}

// workloads are what services are asked as, whom they want, and whether they answer.
func workloads(t *testing.T) map[string]struct {
	options func(*Options)
	want    string
	ok      bool
} {
	t.Helper()
	somebody := identity(newPair(t, "spiffe://inside.example/edge"))
	return map[string]struct {
		options func(*Options)
		want    string
		ok      bool
	}{
		"the one":     {func(o *Options) { o.Workload = somebody }, "spiffe://inside.example/shop", true},
		"another":     {func(o *Options) { o.Workload = somebody }, "spiffe://inside.example/blog", false},
		"from nobody": {func(*Options) {}, "spiffe://inside.example/shop", false},
	}
}

func TestWorkloadOfTransports(t *testing.T) {
	for name, c := range workloads(t) {
		for _, http2 := range []bool{false, true} {
			s := serveSecure(t, http2, func(c *tls.Config) {
				c.ClientAuth = tls.RequireAnyClientCert
				c.Certificates = []tls.Certificate{newPair(t, "spiffe://inside.example/shop")}
			})
			spec := &model.Transport{TLS: model.TransportTLS{SPIFFE: &model.SPIFFE{IDs: []string{c.want}}}}
			b := start(t, toSecure(s.addr, spec), c.options)
			told := slices.ContainsFunc(b.Problems(), func(p model.Problem) bool {
				return p.Code == model.InvalidField && strings.Contains(p.Message, "spiffe.workloadAPIAddr")
			})
			if told != (name == "from nobody") {
				t.Errorf("%s: the problems are %v", name, b.Problems())
			}
			status, _, _ := b.get(t, "/")
			if want := map[bool]int{true: http.StatusOK, false: http.StatusBadGateway}[c.ok]; status != want {
				t.Errorf("%s, HTTP/2 %v: %d, want %d", name, http2, status, want)
			}
		}
	}
}

// What a transport says of versions counts with workloads, too.
func TestWorkloadKeepsVersions(t *testing.T) {
	spec := model.TransportTLS{
		SPIFFE: &model.SPIFFE{IDs: []string{"spiffe://a/b"}}, MinVersion: tls.VersionTLS13, CipherSuites: []uint16{1},
	}
	c, err := spec.Config(identity{})
	if err != nil || c.MinVersion != tls.VersionTLS13 || len(c.CipherSuites) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWorkloadOfStreams(t *testing.T) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		ClientAuth:   tls.RequireAnyClientCert,
		Certificates: []tls.Certificate{newPair(t, "spiffe://inside.example/shop")},
	})
	if err != nil {
		t.Fatal(err)
	}
	addr := accept(t, l, echo("ready"))
	for name, c := range workloads(t) {
		var w streamWorld
		w.add(model.LaneTCP, "db", "*", nil, addr)
		w.reach(model.TransportTLS{SPIFFE: &model.SPIFFE{IDs: []string{c.want}}})
		conn, err := net.Dial("tcp", start(t, w.snapshot(), c.options).Addr("web").String())
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(io.LimitReader(conn, int64(len("ready"))))
		_ = conn.Close()
		if (string(got) == "ready") != c.ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}
