package rfctest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// most is more than what the kernel keeps for both connections and all that HTTP/2 lets a peer send unasked; whole is
// what would be sent, were nobody to hold it back.
const most, whole = 40 << 20, 256 << 20

// pour writes until the other side takes no more, and returns how much that was. How long it waits to see that changes
// nothing about what must hold.
func pour(conn net.Conn) (n int64) {
	block := make([]byte, 256<<10)
	for n < whole {
		_ = conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		m, err := conn.Write(block)
		if n += int64(m); err != nil {
			break
		}
	}
	return n
}

// A client that does not read makes us hold little: the service is not read either.
func TestSlowClientsHoldLittle(t *testing.T) {
	for _, front := range sides() {
		t.Run(string(front), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			var sent atomic.Int64
			ended := make(chan struct{})
			l.services[plain1].flood = func(conn net.Conn) {
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", whole)
				sent.Store(pour(conn))
				close(ended)
			}
			conn := l.dial(t, front, plain1)
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			ask(t, conn, front)
			<-ended
			if n := sent.Load(); n == 0 || n > most {
				t.Errorf("%d bytes were read from the service for a client that read none", n)
			}
		})
	}
}

// ask sends a request for /flood, and reads nothing.
func ask(t *testing.T, conn net.Conn, front side) {
	t.Helper()
	m := message{line: "GET /flood"}
	if !front.isHTTP2() {
		_, _ = io.WriteString(conn, encode1(m))
		return
	}
	_, _ = io.WriteString(conn, clientPreface)
	c := newConn2(conn)
	if err := c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteWindowUpdate(0, 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := c.write(1, m, encode2(m, front.scheme())); err != nil {
		t.Fatal(err)
	}
}

// A service that does not read makes us hold little: the client is not read either.
func TestSlowServicesHoldLittle(t *testing.T) {
	for _, front := range ones() {
		t.Run(string(front), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			release := make(chan struct{})
			l.services[plain1].flood = func(net.Conn) { <-release }
			conn := l.dial(t, front, plain1)
			defer conn.Close()
			_, _ = fmt.Fprintf(conn, "POST /flood HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", whole)
			if n := pour(conn); n == 0 || n > most {
				t.Errorf("%d bytes were read from the client for a service that read none", n)
			}
			close(release)
		})
	}
}

// floods lets a service do as flood says where the request is for it.
func (s *service) floods(conn net.Conn, in *bufio.Reader) bool {
	if s.flood == nil {
		return false
	}
	if head, _ := in.Peek(len("POST /flood")); !strings.Contains(string(head), "/flood") {
		return false
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "\r\n" {
			break
		}
	}
	s.flood(conn)
	return true
}
