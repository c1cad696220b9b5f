package wire

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// parkedIn counts the connections in the lot.
func parkedIn(s *Server) (n int) {
	s.lot.mu.Lock()
	defer s.lot.mu.Unlock()
	for c := s.lot.first; c != nil; c = c.berth.next {
		n++
	}
	return n
}

// waiting counts the goroutines that serve a connection.
func waiting() int {
	b := make([]byte, 1<<20)
	return strings.Count(string(b[:runtime.Stack(b, true)]), "wire.(*conn).run(")
}

// parkMany returns connections that have had one request answered, half of them over TLS, and are parked.
func parkMany(t *testing.T, s *Server, n int) (clients []*client) {
	t.Helper()
	s.Poison, s.Handler = true, http.HandlerFunc(repeats)
	plain := serve(t, s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secured := serveOn(t, s, tls.NewListener(l, certificate(t)))
	for i := range n {
		var c net.Conn
		if i%2 == 0 {
			c = dial(t, plain)
		} else {
			c = tls.Client(dial(t, secured), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test
		}
		clients = append(clients, newClient(t, c))
		clients[i].send(get(""))
		clients[i].answer()
	}
	if !eventually(func() bool { return parkedIn(s) == n && waiting() == 0 }) {
		t.Fatalf("%d of %d are parked, %d wait", parkedIn(s), n, waiting())
	}
	return clients
}

// Parked connections have no goroutine, and serve on whenever a request comes.
func TestLot(t *testing.T) {
	s := &Server{}
	clients := parkMany(t, s, 20)
	for round := range 3 {
		for i, c := range clients {
			if i%3 == round { // these stay
				continue
			}
			c.send(post("hello", ""))
			if status, body, _ := c.answer(); status != http.StatusOK || !strings.Contains(body, "hello") {
				t.Errorf("status %d, %q", status, body)
			}
		}
		if !eventually(func() bool { return parkedIn(s) == len(clients) && waiting() == 0 }) {
			t.Fatalf("%d of %d are parked again, %d wait", parkedIn(s), len(clients), waiting())
		}
	}
}

// A request that comes in two parts, with a rest between them, is one.
func TestLotGivesTimeForTheHead(t *testing.T) {
	s := &Server{HeaderTimeout: time.Minute}
	c := parkMany(t, s, 1)[0]
	c.send("GET / HTTP/1.1\r\n")
	if !eventually(func() bool { return parkedIn(s) == 0 }) {
		t.Error("it is parked though a request has begun")
	}
	c.send("Host: x\r\n\r\n")
	if status, _, _ := c.answer(); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

// corked is a connection that sends what is written when it is told to, at once.
type corked struct {
	net.Conn
	held []byte
	hold bool
}

func (c *corked) Write(p []byte) (int, error) {
	if c.hold {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Requests that come together, each in a record of TLS, are all answered: when the second has been read from the socket
// with the first, nothing comes there that would wake anybody.
func TestLotLeavesNothingBehind(t *testing.T) {
	s := &Server{Poison: true, Handler: http.HandlerFunc(repeats)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	below := &corked{Conn: dial(t, serveOn(t, s, tls.NewListener(l, certificate(t))))}
	c := newClient(t, tls.Client(below, &tls.Config{InsecureSkipVerify: true})) //nolint:gosec // a test
	c.send(get(""))
	c.answer()
	below.hold = true
	for range 3 {
		c.send(get(""))
	}
	if _, err := below.Conn.Write(below.held); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if status, _, _ := c.answer(); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
}

// Parked connections end when their time is over, and not those that were used meanwhile.
func TestLotTimeout(t *testing.T) {
	s := &Server{IdleTimeout: 3 * time.Second}
	clients := parkMany(t, s, 6)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, c := range clients[1:] {
			c.ended()
		}
	}()
	for {
		clients[0].send(get(""))
		if status, _, _ := clients[0].answer(); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		select {
		case <-ended:
			return
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// A client that goes away is forgotten.
func TestLotEndOfClient(t *testing.T) {
	s := &Server{}
	for _, c := range parkMany(t, s, 4) {
		_ = c.c.Close()
	}
	open := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns)
	}
	if !eventually(func() bool { return open() == 0 }) {
		t.Errorf("%d are open, %d parked", open(), parkedIn(s))
	}
}

// A server that is shut down ends those that are parked. Serve's cleanup waits for all.
func TestLotShutdown(t *testing.T) {
	s := &Server{}
	clients := parkMany(t, s, 10)
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, c := range clients {
		if _, err := c.c.Read(make([]byte, 1)); err == nil || err != io.EOF && strings.Contains(err.Error(), "timeout") {
			t.Errorf("read: %v", err)
		}
	}
}
