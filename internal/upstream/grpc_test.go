package upstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/model"
)

// healthServer answers as gRPC servers do. (The suites have a real one.)
func healthServer(t *testing.T, secure bool) *httptest.Server {
	t.Helper()
	answers := map[string]struct{ message, status string }{
		"serving":   {"\x00\x00\x00\x00\x02\x08\x01", "0"},
		"extended":  {"\x00\x00\x00\x00\x07\x12\x01x\x18\x05\x08\x01", "0"},
		"not":       {"\x00\x00\x00\x00\x02\x08\x02", "0"},
		"unknown":   {"\x00\x00\x00\x00\x00", "0"},
		"no-health": {"", "12"},
		"nothing":   {"", ""},
		"nonsense":  {"\x00\x00\x00\x00\x02\x08", "0"},
		"packed":    {"\x01\x00\x00\x00\x02\x08\x01", "0"},
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ".")
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "\x00\x00\x00\x00\x00" || r.ProtoMajor != 2 || r.Method != http.MethodPost ||
			r.URL.Path != "/grpc.health.v1.Health/Check" || r.Header.Get("Content-Type") != "application/grpc" ||
			r.Header.Get("Te") != "trailers" || name == "ill" {
			w.WriteHeader(500)
			return
		}
		answer := answers[name]
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = io.WriteString(w, answer.message)
		if answer.status != "" {
			w.Header().Set("Grpc-Status", answer.status)
		}
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.Protocols.SetHTTP2(true)
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func TestGRPC(t *testing.T) {
	for scheme, secure := range map[string]bool{"": false, "https": true} {
		server := healthServer(t, secure)
		d := NewDirect(nil, nil)
		if secure {
			d = NewDirect(server.Client().Transport.(*http.Transport).TLSClientConfig.Clone(), nil)
		}
		for host, want := range map[string]string{
			"serving": "", "extended": "", "not": "not serving (2)", "unknown": "not serving (0)", "ill": "status 500",
			"no-health": `gRPC status "12"`, "nothing": `gRPC status ""`, "nonsense": "no message", "packed": "no message",
		} {
			check := complete(model.HealthCheck{GRPC: true, Host: host + ".example", Scheme: scheme}, "")
			err := d.Probe(t.Context(), ID{Addr: server.Listener.Addr().String()}, check)
			if err == nil != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v, want %q", scheme, host, err, want)
			}
		}
	}
}

// Whatever a server answers, it is read without harm, and only the number 1 in field 1 says that it serves.
func FuzzServingStatus(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x07\x12\x01x\x18\x05\x08\x01"))
	f.Fuzz(func(t *testing.T, framed []byte) {
		status, err := servingStatus(framed)
		if err == nil && status == grpcServing && !strings.Contains(string(framed), "\x08") &&
			!strings.Contains(string(framed), "\x88") {
			t.Errorf("%q is said to serve", framed)
		}
	})
}
