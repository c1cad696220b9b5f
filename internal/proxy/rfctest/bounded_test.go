package rfctest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
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
		_ = conn.SetWriteDeadline(time.Now().Add(patience))
		m, err := conn.Write(block)
		if n += int64(m); err != nil {
			break
		}
	}
	return n
}

const patience = 500 * time.Millisecond

// pour does the same on a stream, within the windows.
func (c *conn2) pour(stream uint32) (n int64) {
	block := make([]byte, 16<<10)
	for n < whole {
		for c.window > 0 && c.initial+c.more[stream] > 0 {
			most := min(int64(len(block)), c.window, c.initial+c.more[stream])
			_ = c.SetWriteDeadline(time.Now().Add(patience))
			if c.WriteData(stream, false, block[:most]) != nil {
				return n
			}
			n += most
			c.window -= most
			c.more[stream] -= most
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		f, err := c.ReadFrame()
		if err != nil || c.housekeeping(f) != nil {
			break
		}
	}
	return n
}

// flood is a request for /flood at a service, of which the head was read.
type flood struct {
	net.Conn
	as2    *conn2 // nil: HTTP/1.1
	stream uint32
}

// answer answers with more than anybody takes, and returns how much was taken.
func (f flood) answer() int64 {
	if f.as2 == nil {
		_, _ = fmt.Fprintf(f, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", whole)
		return pour(f)
	}
	head := encode2(message{line: "200"}, "")
	if f.as2.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: head, EndHeaders: true}) != nil {
		return 0
	}
	return f.as2.pour(f.stream)
}

// A client that does not read makes us hold little: the service is not read either.
func TestSlowClientsHoldLittle(t *testing.T) {
	for _, to := range []side{plain1, plain2} {
		for _, front := range sides() {
			t.Run(string(front)+"→"+string(to), func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				sent := make(chan int64, 1)
				l.services[to].flood = func(f flood) { sent <- f.answer() }
				conn := l.dial(t, front, to)
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				ask(t, conn, front)
				if n := <-sent; n == 0 || n > most {
					t.Errorf("%d bytes were read from the service for a client that read none", n)
				}
			})
		}
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

// sendEndlessly sends a request to /flood with more content than anybody takes, and returns how much was taken.
func sendEndlessly(t *testing.T, conn net.Conn, front side) int64 {
	t.Helper()
	m := message{line: "POST /flood", fields: []string{fmt.Sprint("content-length: ", whole)}}
	if !front.isHTTP2() {
		_, _ = io.WriteString(conn, encode1(m))
		return pour(conn)
	}
	_, _ = io.WriteString(conn, clientPreface)
	c := newConn2(conn)
	head := http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode2(m, front.scheme()), EndHeaders: true}
	if err := errors.Join(c.WriteSettings(), c.WriteHeaders(head)); err != nil {
		t.Fatal(err)
	}
	return c.pour(1)
}

// A service that does not read makes us hold little: the client is not read either.
func TestSlowServicesHoldLittle(t *testing.T) {
	for _, to := range []side{plain1, plain2} {
		for _, front := range sides() {
			t.Run(string(front)+"→"+string(to), func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				release := make(chan struct{})
				l.services[to].flood = func(flood) { <-release }
				conn := l.dial(t, front, to)
				defer conn.Close()
				if n := sendEndlessly(t, conn, front); n == 0 || n > most {
					t.Errorf("%d bytes were read from the client for a service that read none", n)
				}
				close(release)
			})
		}
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
	s.flood(flood{Conn: conn})
	return true
}
