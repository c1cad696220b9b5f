package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// secure is a service of net/http over TLS, and the identity that trusts it.
func secure(t *testing.T, h http.HandlerFunc) (*httptest.Server, *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true // it is not to be chosen
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, &tls.Config{RootCAs: roots}
}

func TestTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			s, identity := secure(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = fmt.Fprint(w, r.Proto, " ", r.RemoteAddr, " ", len(body), strings.Repeat(" ", 100_000))
			})
			identity.MaxVersion = version
			rt := newTestTransport(t, TransportOptions{TLS: identity})
			first := mustGet(t, rt, s.URL)
			for range 3 {
				if again := mustGet(t, rt, s.URL); again != first || !strings.HasPrefix(again, "HTTP/1.1") {
					t.Errorf("%.50q after %.50q", again, first)
				}
			}
			r := newRequest(t.Context(), t, "POST", s.Listener.Addr().String(), strings.Repeat("x", 1<<20))
			r.URL.Scheme = "https"
			if o := send(rt, r); !strings.Contains(o.Body, " 1048576 ") {
				t.Errorf("%.50q", o.Body)
			}
			s.CloseClientConnections()
			if again := mustGet(t, rt, s.URL); again == first {
				t.Error("a closed connection was used")
			}
		})
	}
}

func TestIdentities(t *testing.T) {
	s, identity := secure(t, func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.RemoteAddr) })
	rt := newTestTransport(t, TransportOptions{TLS: identity})
	other := rt.As(identity.Clone())
	if mustGet(t, rt, s.URL) == mustGet(t, other, s.URL) {
		t.Error("two identities share a connection")
	}
	first, second := mustGet(t, other, s.URL), mustGet(t, other, s.URL)
	if first != second {
		t.Error("one identity does not keep its connection")
	}
	_, err := rt.As(nil).RoundTrip(newTLSRequest(t, s))
	op, ok := errors.AsType[*net.OpError](err)
	if unknown, untrusted := errors.AsType[*tls.CertificateVerificationError](err); !ok || op.Op != "dial" || !untrusted {
		t.Errorf("%v, %v", err, unknown)
	}
}

func newTLSRequest(t *testing.T, s *httptest.Server) *http.Request {
	r := newRequest(t.Context(), t, "GET", s.Listener.Addr().String(), "")
	r.URL.Scheme = "https"
	return r
}

func TestDialAddress(t *testing.T) {
	for _, test := range []struct {
		host   string
		secure bool
		want   string
	}{
		{"h.test", false, "h.test:80"},
		{"h.test", true, "h.test:443"},
		{"h.test:8080", true, "h.test:8080"},
		{"10.0.0.1", false, "10.0.0.1:80"},
		{"[::1]", false, "[::1]:80"},
		{"[::1]:90", false, "[::1]:90"},
		{"h.test:", false, "h.test:80"},
	} {
		if got := dialAddress(poolKey{secure: test.secure, host: test.host}); got != test.want {
			t.Errorf("%s: %s, want %s", test.host, got, test.want)
		}
	}
}
