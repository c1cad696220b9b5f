package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// TestDirect asks a real server what checks ask.
func TestDirect(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /up", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/nowhere", http.StatusFound)
	})
	mux.HandleFunc("GET /ill", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	mux.HandleFunc("HEAD shop.example/special", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Who") != "me" || r.URL.RawQuery != "deep=1" {
			w.WriteHeader(400)
		}
	})
	mux.HandleFunc("GET /v2", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200 + 300*(2-r.ProtoMajor)) })
	mux.HandleFunc("GET /hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	secure := httptest.NewTLSServer(mux)
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := closed.Addr().String()
	closed.Close()
	addr := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)

	tests := map[string]struct {
		addr  string
		check model.HealthCheck
		want  string // part of the error; "": none
	}{
		"tcp":              {addr, model.HealthCheck{}, ""},
		"tcp, talk":        {addr, model.HealthCheck{Send: "GET /up HTTP/1.0\r\n\r\n", Expect: "HTTP/1.0 200"}, ""},
		"tcp, other talk":  {addr, model.HealthCheck{Send: "GET /ill HTTP/1.0\r\n\r\n", Expect: "HTTP/1.1"}, "begins with"},
		"tcp, no talk":     {addr, model.HealthCheck{Send: "nonsense\r\n\r\n", Expect: strings.Repeat("x", 999)}, "expected"},
		"tcp, gone":        {gone, model.HealthCheck{}, "connection refused"},
		"another port":     {"127.0.0.1:1", model.HealthCheck{Port: number}, ""},
		"bad address":      {"nowhere", model.HealthCheck{Port: 1}, "missing port"},
		"http":             {addr, model.HealthCheck{Path: "/up"}, ""},
		"no leading slash": {addr, model.HealthCheck{Path: "up"}, ""},
		"http, gone":       {gone, model.HealthCheck{Path: "/up"}, "connection refused"},
		"redirect":         {addr, model.HealthCheck{Path: "/moved"}, "status 404"},
		"redirect, stay":   {addr, model.HealthCheck{Path: "/moved", Stay: true}, ""},
		"ill":              {addr, model.HealthCheck{Path: "/ill"}, "status 503"},
		"ill as wanted":    {addr, model.HealthCheck{Path: "/ill", Status: 503}, ""},
		"not as wanted":    {addr, model.HealthCheck{Path: "/up", Status: 204}, "status 200"},
		"bad method":       {addr, model.HealthCheck{Path: "/up", Method: "a b"}, "invalid method"},
		"bad path":         {addr, model.HealthCheck{Path: "/%zz"}, "invalid URL escape"},
		"everything set": {addr, model.HealthCheck{
			Path: "/special?deep=1", Method: "HEAD", Host: "shop.example", Headers: map[string]string{"X-Who": "me"},
		}, ""},
		"https":      {secure.Listener.Addr().String(), model.HealthCheck{Path: "/up", Scheme: "https"}, ""},
		"h2c":        {addr, model.HealthCheck{Path: "/v2", Scheme: "h2c"}, ""},
		"not h2c":    {addr, model.HealthCheck{Path: "/v2"}, "status 500"},
		"no answer":  {addr, model.HealthCheck{Path: "/hang", Timeout: 50 * time.Millisecond}, "deadline exceeded"},
		"no tls":     {addr, model.HealthCheck{Path: "/up", Scheme: "https"}, "HTTP"},
		"not secret": {gone, model.HealthCheck{Path: "/up?key=hush"}, "dial"},
	}
	d := NewDirect(secure.Client().Transport.(*http.Transport).TLSClientConfig, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check := complete(test.check, "")
			ctx, cancel := context.WithTimeout(t.Context(), check.Timeout)
			defer cancel()
			err := d.Probe(ctx, ID{Addr: test.addr}, check)
			switch {
			case err == nil && test.want == "":
			case err == nil || test.want == "" || !strings.Contains(err.Error(), test.want):
				t.Errorf("got %v, want %q", err, test.want)
			case strings.Contains(err.Error(), "hush"):
				t.Errorf("the error tells the query: %v", err)
			}
		})
	}
}

// trusting is a workload that trusts everybody.
type trusting struct{}

func (trusting) ClientTLS(model.SPIFFE) (*tls.Config, error) {
	return &tls.Config{InsecureSkipVerify: true}, nil
}

// A check trusts whom the service's transport trusts.
func TestProbeTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	host := ID{Addr: strings.TrimPrefix(s.URL, "https://")}
	spiffe := &model.TransportTLS{SPIFFE: new(model.SPIFFE)}
	for _, c := range []struct {
		tls      *model.TransportTLS
		workload model.Workload
		good     bool
	}{
		{nil, nil, false},
		{new(model.TransportTLS), nil, false},
		{&model.TransportTLS{Insecure: true}, nil, true},
		{spiffe, trusting{}, true},
		{spiffe, nil, false},
	} {
		check := model.HealthCheck{Path: "/", Scheme: "https", Method: "GET", TLS: c.tls}
		if err := NewDirect(nil, c.workload).Probe(t.Context(), host, check); (err == nil) != c.good {
			t.Errorf("%+v: %v", c.tls, err)
		}
	}
}

// Services that are reached in different ways are checked in different ways.
func TestCheckIsOfTheTransport(t *testing.T) {
	s := checked("a")
	own := &model.Transport{TLS: model.TransportTLS{ServerName: "inside.example"}}
	if got := ask(s, own).spec.TLS; got != &own.TLS {
		t.Errorf("the check trusts %v", got)
	}
	h := NewHosts(Options{})
	first, second := h.Pool(s, nil), h.Pool(s, own)
	if first.members[0].check == second.members[0].check {
		t.Error("one check for both")
	}
	if first.members[0].host != second.members[0].host {
		t.Error("two hosts of one address")
	}
}
