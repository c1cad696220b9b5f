package wire

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// nethttp serves single connections by an http.Server, as its Fallback.
type nethttp struct {
	server *http.Server
	pipes  *pipes
}

func newNetHTTP(t *testing.T, handler http.Handler) *nethttp {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	f := &nethttp{&http.Server{Handler: handler, Protocols: protocols, TLSConfig: new(tls.Config)}, newPipes()}
	serveOn(t, f.server, f.pipes)
	return f
}

func (f *nethttp) ServeConn(c net.Conn) { f.pipes.conns <- c }

func TestHTTP2GoesToTheFallback(t *testing.T) {
	protocol := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ",
			r.RemoteAddr != "")
	})
	var open atomic.Int64
	newServer := func() *Server {
		return &Server{Poison: true, Handler: protocol, Fallback: newNetHTTP(t, protocol),
			OnOpen: func(delta int) { open.Add(int64(delta)) }}
	}
	plainAddress := serve(t, newServer())
	dialTLS := serveTLS(t, newServer(), "h2", "http/1.1")
	transport := func(h1, h2, h2c bool) *http.Transport {
		p := new(http.Protocols)
		p.SetHTTP1(h1)
		p.SetHTTP2(h2)
		p.SetUnencryptedHTTP2(h2c)
		tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // a test
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}
	secure := strings.TrimPrefix(dialTLS().RemoteAddr().String(), "")
	for _, c := range []struct {
		name, url string
		transport *http.Transport
		want      string
	}{
		{"h2c", "http://" + plainAddress, transport(false, false, true), "HTTP/2.0 true"},
		{"h1", "http://" + plainAddress, transport(true, false, false), "HTTP/1.1 true"},
		{"h2", "https://" + secure, transport(true, true, false), "HTTP/2.0 true"},
		{"https", "https://" + secure, transport(true, false, false), "HTTP/1.1 true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodGet, c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := c.transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			var got strings.Builder
			if err := response.Write(&got); err != nil || !strings.HasSuffix(got.String(),
				c.want) && !strings.Contains(got.String(), c.want) {
				t.Errorf("%q %v", got.String(), err)
			}
		})
	}
}

// The preface may come in pieces, and what only begins like it is HTTP/1.1.
func TestBeginsLikeThePreface(t *testing.T) {
	address := serve(t, &Server{Poison: true, Fallback: newNetHTTP(t, nil), Handler: http.HandlerFunc(repeats)})
	c := newClient(t, dial(t, address))
	c.send("PR")
	c.send("INT / HTTP/1.1\r\nHost: x\r\n\r\n")
	if status, body, _ := c.answer(); status != http.StatusOK || !strings.HasPrefix(body, "PRINT / ") {
		t.Errorf("%d %q", status, body)
	}
}

// TestWrongPreface: who speaks neither protocol is not answered in one of them.
func TestWrongPreface(t *testing.T) {
	address := serve(t, &Server{Poison: true, Fallback: newNetHTTP(t, nil), Handler: http.HandlerFunc(repeats)})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "INVALID CONNECTION PREFACE\r\n\r\n")
	if answer, err := io.ReadAll(conn); len(answer) > 0 || err != nil {
		t.Errorf("%q %v", answer, err)
	}
}
