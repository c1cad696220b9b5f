package wire

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// counted is a connection that only counts.
type counted struct {
	net.Conn
	closed *atomic.Int64
}

func (c counted) Unwrap() net.Conn { return c.Conn }

func (c counted) Close() error {
	c.closed.Add(1)
	return c.Conn.Close()
}

type counting struct {
	net.Listener
	closed *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counted{c, l.closed}, nil
}

// What wraps a connection does not make it slower, and learns of its end.
func TestWrappedConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var closed atomic.Int64
	s := &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := r.Context().(*requestContext).conn; c.waiter.callback == nil || !c.out.joined {
			t.Error("takes the slow way")
		}
		repeats(w, r)
	})}
	address := serveOn(t, s, counting{l, &closed})
	got := talk(t, address, post("hello", "")+goodbye)
	if !strings.Contains(got, "hello") || !eventually(func() bool { return closed.Load() == 1 }) {
		t.Errorf("%q, closed %d times", got, closed.Load())
	}
}

func TestClose(t *testing.T) {
	under := make(chan struct{})
	s := &Server{Poison: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(under)
		<-r.Context().Done()
	})}
	c := newClient(t, dial(t, serve(t, s)))
	c.send(get(""))
	<-under
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	c.ended()
}

// Where we are stricter than net/http, or do not guess.
func TestDiffersFromNetHTTP(t *testing.T) {
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(http.ServerContextKey).(*http.Server) == nil {
			t.Error("no server in the context")
		}
		w.WriteHeader(http.StatusEarlyHints)
		repeats(w, r)
	})})
	for name, c := range map[string]struct{ request, want string }{
		"OPTIONS *":            {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + goodbye, "OPTIONS * "},
		"no hints for 1.0":     {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n"},
		"close and keep-alive": {"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", "close true"},
		"Pragma":               {get("Pragma: no-cache\r\n") + goodbye, "header map[Pragma:[no-cache]]"},
	} {
		if got := talk(t, address, c.request); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Who is refused in the middle of a request has its answer, and may say the rest: a reset could take the answer with it
// (RFC 9112 §9.6). So it is where connections are counted, and where a balancer in front says who the client is.
func TestRefusedWithoutReset(t *testing.T) {
	for name, accept := range map[string]struct {
		listen func(net.Listener) net.Listener
		header string
	}{
		"counted": {func(l net.Listener) net.Listener { return l }, ""},
		"behind a balancer": {
			func(l net.Listener) net.Listener { return &proxyproto.Listener{Listener: l} },
			"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := &Server{Poison: true, Handler: http.HandlerFunc(repeats), HeaderBytes: 1 << 10}
			c := newClient(t, dial(t, serveOn(t, s, counting{accept.listen(l), new(atomic.Int64)})))
			c.send(accept.header + "GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + strings.Repeat("x", 8<<10))
			if status, _, _ := c.answer(); status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("status %d", status)
			}
			if b, err := c.br.ReadByte(); err != io.EOF {
				t.Errorf("after the answer: %q %v", b, err)
			}
			for range 4 { // the second would fail where the first was met by a reset
				c.send(strings.Repeat("x", 8<<10))
			}
		})
	}
}

// busyConn is a connection on a machine that is too busy to come to anything before the next deadline is over.
type busyConn struct{ net.Conn }

func (c busyConn) Unwrap() net.Conn { return c.Conn }

func (c busyConn) SetReadDeadline(t time.Time) error {
	if left := time.Until(t); left > 0 && left < time.Second {
		t = time.Now() // it is over
	}
	return c.Conn.SetReadDeadline(t)
}

type busyListener struct{ net.Listener }

func (l busyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return busyConn{c}, err
}

// An answer does not wait with the connection for the next request, however late its goroutine is.
func TestAnswersAreNotParked(t *testing.T) {
	for name, listen := range map[string]func(net.Listener) net.Listener{
		"plain": func(l net.Listener) net.Listener { return l },
		"TLS":   func(l net.Listener) net.Listener { return tls.NewListener(l, certificate(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := &Server{Poison: true, Handler: http.HandlerFunc(repeats)}
			address := serveOn(t, s, listen(busyListener{l}))
			var conn net.Conn = dial(t, address)
			if name == "TLS" {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test
			}
			c := newClient(t, conn)
			for range 3 {
				c.send(post("hello", ""))
				if status, _, _ := c.answer(); status != http.StatusOK {
					t.Errorf("status %d", status)
				}
			}
			c.send(goodbye)
			c.answer()
			c.ended()
		})
	}
}
