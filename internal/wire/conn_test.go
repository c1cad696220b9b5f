package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// certificate is that of httptest, which is self-signed.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

// serveTLS is serve with TLS; the protocols are what ALPN offers.
func serveTLS(t *testing.T, s *Server, protocols ...string) (dialTLS func(offers ...string) net.Conn) {
	t.Helper()
	config := certificate(t)
	config.NextProtos = protocols
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	address := serveOn(t, s, l)
	return func(offers ...string) net.Conn {
		c := tls.Client(dial(t, address), &tls.Config{InsecureSkipVerify: true, NextProtos: offers}) //nolint:gosec // a test
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestServerTLS(t *testing.T) {
	s := &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || !r.TLS.HandshakeComplete {
			t.Error("the request does not know its TLS")
		}
		body, err := io.ReadAll(r.Body)
		must(err)
		_, _ = w.Write(body)
	})}
	dialTLS := serveTLS(t, s, "http/1.1")
	c := newClient(t, dialTLS("h2", "http/1.1"))
	large := strings.Repeat("0123456789", 20_000)
	for _, body := range []string{"hello", large, "", "x", large} {
		c.send(post(body, ""))
		if _, got, _ := c.answer(); got != body {
			t.Errorf("%d bytes", len(got))
		}
	}
	c.send(post("a", "") + post("b", ""))
	for _, body := range []string{"a", "b"} {
		if _, got, _ := c.answer(); got != body {
			t.Errorf("%q", got)
		}
	}
	if !eventually(func() bool { return s.buffers.out.Load() == 0 }) {
		t.Errorf("%d buffers are held", s.buffers.out.Load())
	}
}

// whenGone serves, lets a client send a request and go away, and returns how the request's context ended.
func whenGone(t *testing.T, request string, wait func(context.Context) error, secure bool) {
	t.Helper()
	began, result := make(chan struct{}), make(chan error, 1)
	s := &Server{Poison: true, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(began)
		result <- wait(r.Context())
	})}
	var conn net.Conn
	if secure {
		conn = serveTLS(t, s)()
	} else {
		conn = dial(t, serve(t, s))
	}
	newClient(t, conn).send(request)
	<-began
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended with %v", err)
	}
}

func TestContextEndsWhenTheClientGoes(t *testing.T) {
	done := func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Second):
			return errors.New("nobody noticed")
		}
	}
	derived := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		return done(ctx)
	}
	for name, wait := range map[string]func(context.Context) error{"itself": done, "derived": derived} {
		t.Run(name, func(t *testing.T) {
			whenGone(t, get(""), wait, false)
			whenGone(t, post("hello", ""), wait, false)
			whenGone(t, chunks("5\r\nhello\r\n0\r\n\r\n", ""), wait, false)
			whenGone(t, get(""), wait, true)
		})
	}
}

// The watcher may look at a context, and end it as its client has gone, a moment after the request was answered.
// Another request must not be ended with it.
func TestWatchedContextsAreNotUsedAgain(t *testing.T) {
	s := new(Server)
	e := s.takeExchange()
	watched := e.context
	watched.conn = &conn{server: s}
	watched.onEnd(func() {})
	watched.forget()
	watched.end()
	s.giveExchange(e)
	if next := s.takeExchange(); next.context == watched {
		t.Error("it is used again")
	}

	unseen := newExchange().context
	unseen.end()
	if !unseen.reuse() {
		t.Error("nobody knows it, and it is not used again")
	}
}

// The context of a request that is over is done, and stays so when the connection serves another.
func TestContextEndsWithTheHandler(t *testing.T) {
	kept := make(chan context.Context, 1)
	after := make(chan struct{})
	address := serve(t, &Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if ctx.Err() != nil || ctx.Value(http.LocalAddrContextKey) == nil {
			t.Errorf("%v", ctx.Err())
		}
		if r.URL.Path != "/keep" {
			return
		}
		stop := context.AfterFunc(ctx, func() { t.Error("was stopped") })
		if !stop() {
			t.Error("was not stopped")
		}
		context.AfterFunc(ctx, func() { close(after) })
		derived, cancel := context.WithCancel(ctx)
		_ = cancel
		kept <- derived
	})})
	c := newClient(t, dial(t, address))
	c.send("GET /keep HTTP/1.1\r\nHost: x\r\n\r\n")
	c.answer()
	c.send(get(""))
	c.answer()
	<-after
	derived := <-kept
	<-derived.Done()
	if !errors.Is(derived.Err(), context.Canceled) {
		t.Error(derived.Err())
	}
}

// pipes is a listener of net.Pipe, for time that is not real.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.ended)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// Each timeout closes the connection when its time has come: not more than a second, or an eighth, before.
func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name   string
		server *Server
		sends  []string // a second apart
		answer int      // how many answers are read
		after  time.Duration
	}{
		{"idle, new", &Server{IdleTimeout: 10 * time.Second}, nil, 0, 10 * time.Second},
		{"idle, after a request", &Server{IdleTimeout: 10 * time.Second}, []string{get("")}, 1, 10 * time.Second},
		{"idle is ReadTimeout", &Server{ReadTimeout: 10 * time.Second}, []string{get("")}, 1, 10 * time.Second},
		{"head", &Server{HeaderTimeout: 10 * time.Second, IdleTimeout: time.Hour}, []string{"GET / HT", "TP/1.1\r\n"}, 0,
			9 * time.Second},
		{"head is ReadTimeout", &Server{ReadTimeout: 4 * time.Second}, []string{"GET / HT"}, 0, 4 * time.Second},
		{"body", &Server{ReadTimeout: 10 * time.Second, IdleTimeout: time.Hour},
			[]string{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", "def"}, 0, 9 * time.Second},
		{"head of the second", &Server{HeaderTimeout: 10 * time.Second, IdleTimeout: time.Hour}, []string{get(""), "G"}, 1,
			10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				s := c.server
				s.Poison = true
				s.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); err != nil {
						if !errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("reading: %v", err)
						}
						panic(http.ErrAbortHandler)
					}
				})
				serveOn(t, s, l)
				client := newClient(t, l.dial())
				for i, part := range c.sends {
					if i > 0 {
						time.Sleep(time.Second)
					}
					client.send(part)
					if i < c.answer {
						client.answer()
					}
				}
				began := time.Now()
				client.ended()
				if took := time.Since(began); took > c.after || took < c.after-min(time.Second, c.after/8)-time.Second {
					t.Errorf("closed after %v, not %v", took, c.after)
				}
			})
		})
	}
}

func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		failed := make(chan error, 1)
		serveOn(t, &Server{Poison: true, WriteTimeout: 10 * time.Second, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				for {
					if _, err := w.Write(make([]byte, 1<<16)); err != nil {
						failed <- err
						<-r.Context().Done()
						return
					}
				}
			})}, l)
		began := time.Now()
		newClient(t, l.dial()).send(get(""))
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// A handler's own deadlines hold for its request only.
func TestDeadlinesOfHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		serveOn(t, &Server{Poison: true, ReadTimeout: time.Hour, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				c := http.NewResponseController(w)
				if r.URL.Path == "/long" {
					must(c.SetReadDeadline(time.Time{}))
				} else {
					must(c.SetReadDeadline(time.Now().Add(5 * time.Second)))
				}
				_, err := io.ReadAll(r.Body)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					w.WriteHeader(http.StatusRequestTimeout)
				}
			})}, l)
		c := newClient(t, l.dial())
		c.send(post("hello", ""))
		if status, _, _ := c.answer(); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		time.Sleep(time.Minute)
		c.send("POST /long HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
		time.Sleep(2 * time.Hour)
		c.send("b")
		if status, _, _ := c.answer(); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
		began := time.Now()
		if status, _, response := c.answer(); status != http.StatusRequestTimeout || !response.Close {
			t.Errorf("status %d", status)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("after %v", took)
		}
		c.ended()
	})
}

// A connection that waits for long is parked, and serves on.
func TestParkedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := &Server{Poison: true, Handler: http.HandlerFunc(repeats), IdleTimeout: time.Hour}
		serveOn(t, s, l)
		c := newClient(t, l.dial())
		for range 3 {
			time.Sleep(50 * time.Minute)
			c.send(post("hello", "") + get(""))
			c.answer()
			if status, _, _ := c.answer(); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			time.Sleep(time.Second)
			c.send(get(""))
			c.answer()
		}
		began := time.Now()
		c.ended()
		if took := time.Since(began); took != time.Hour {
			t.Errorf("closed after %v", took)
		}
	})
}
