package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// An entry point's answers over HTTP/3 are those over the others, and so are the requests that services see.
func TestHTTP3(t *testing.T) {
	type seen struct{ proto, scheme, host, length, coding, client, body string }
	requests := make(chan seen, 1)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- seen{
			r.Proto, r.Header.Get("X-Forwarded-Proto"), r.Host, r.Header.Get("Content-Length"),
			strings.Join(r.TransferEncoding, ","), r.Header.Get("X-Forwarded-For"), fmt.Sprintf("%.10s", body),
		}
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		_, _ = w.Write(body)
	})
	b := startSecure(t, to(addr)).from(t, fronts[2])
	for _, c := range []struct{ method, body string }{
		{"GET", ""}, {"HEAD", ""}, {"DELETE", ""}, {"OPTIONS", ""}, {"POST", ""}, {"PUT", "state"}, {"GET", "asked"},
		{"POST", strings.Repeat("0123456789abcdef", 1<<18)},
	} {
		status, h, body := b.do(t, c.method, "/", strings.NewReader(c.body), "Host", "shop.example")
		if want := c.body; status != 200 || body != want || h.Get("X-Hop") != "" {
			t.Errorf("%s of %d bytes: %d, %d bytes came back, %v", c.method, len(want), status, len(body), h)
		}
		want := seen{"HTTP/1.1", "https", "shop.example", "", "", "127.0.0.1", fmt.Sprintf("%.10s", c.body)}
		if c.body != "" || c.method == "POST" {
			want.length = fmt.Sprint(len(c.body))
		}
		if got := <-requests; got != want {
			t.Errorf("%s of %d bytes: the service saw %+v, want %+v", c.method, len(c.body), got, want)
		}
	}
}

// A GET may have a body, and its length need not be said.
func TestHTTP3BodyOfUnknownLength(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	b := startSecure(t, to(addr)).from(t, fronts[2])
	for _, method := range []string{"GET", "POST"} {
		if _, _, body := b.do(t, method, "/", io.MultiReader(strings.NewReader("asked"))); body != "asked" {
			t.Errorf("%s: %q came back", method, body)
		}
	}
}

func TestHTTP3IsAdvertised(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Alt-Svc", `h3=":1"`) })
	for _, port := range []int{0, 8443} {
		b := startSecure(t, to(addr), func(o *Options) { o.EntryPoints[0].HTTP3.AdvertisedPort = port })
		if port == 0 {
			port = b.Addr("web").(*net.TCPAddr).Port
		}
		for _, f := range fronts[:2] {
			_, h, _ := b.from(t, f).get(t, "/")
			if got, want := h.Values("Alt-Svc"), []string{fmt.Sprintf(`h3=":%d"; ma=86400`, port)}; !slices.Equal(got, want) {
				t.Errorf("%s: Alt-Svc %q, want %q", f.name, got, want)
			}
		}
	}
	off := startSecure(t, to(addr), func(o *Options) { o.EntryPoints[0].HTTP3 = nil })
	if _, h, _ := off.from(t, fronts[0]).get(t, "/"); h.Get("Alt-Svc") != `h3=":1"` {
		t.Errorf("off: Alt-Svc %q, want the service's", h.Get("Alt-Svc"))
	}
}

// dialHTTP3 opens a QUIC connection to the entry point.
func dialHTTP3(t *testing.T, b *bench) (*quic.Conn, error) {
	t.Helper()
	identity := insecure()
	identity.NextProtos = []string{"h3"}
	conn, err := quic.DialAddr(t.Context(), b.Addr("web").String(), identity, &quic.Config{})
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	}
	return conn, err
}

func isRefused(err error) bool {
	var refused *quic.TransportError
	return errors.As(err, &refused) && refused.ErrorCode == quic.ConnectionRefused
}

func TestHTTP3Limits(t *testing.T) {
	for name, limit := range map[string]func(*EntryPoint){
		"in all":   func(e *EntryPoint) { e.Connections = 2 },
		"a client": func(e *EntryPoint) { e.ConnectionsPerClient = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			b := startSecure(t, to("127.0.0.1:1"), func(o *Options) { limit(&o.EntryPoints[0]) })
			tcp, err := tls.Dial("tcp", b.Addr("web").String(), insecure()) // counts as well
			if err != nil {
				t.Fatal(err)
			}
			first, err := dialHTTP3(t, b)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := dialHTTP3(t, b); !isRefused(err) {
				t.Fatalf("%v, want refused", err)
			}
			_ = tcp.Close()
			_ = first.CloseWithError(0, "")
			for { // until they are known to be gone
				if _, err := dialHTTP3(t, b); err == nil {
					break
				}
			}
		})
	}
}

// Many handshakes under way: newcomers must prove their address first. It costs them a round trip and nothing else.
func TestHTTP3Retry(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) {})
	b := startSecure(t, to(addr))
	h := b.listeners[0].engine.(*withHTTP3).udp
	if h.transport.VerifySourceAddress(nil) {
		t.Error("a first client must prove its address")
	}
	h.handshakes.Add(unprovenHandshakes)
	if !h.transport.VerifySourceAddress(nil) {
		t.Error("nobody must prove an address")
	}
	if status, _, _ := b.from(t, fronts[2]).get(t, "/"); status != 200 {
		t.Errorf("status %d", status)
	}
}

func TestHTTP3FieldLimits(t *testing.T) {
	b := startSecure(t, to("127.0.0.1:1"), func(o *Options) {
		o.EntryPoints[0].Headers, o.EntryPoints[0].HeaderBytes = 20, 4096
	}).from(t, fronts[2])
	var fields []string
	for n := range 21 {
		fields = append(fields, fmt.Sprint("X-", n), "1")
	}
	if status, h, _ := b.get(t, "/", fields...); status != 431 || h.Get(reasonField) != reasonTooManyFields {
		t.Errorf("too many: %d %s", status, h.Get(reasonField))
	}
	if status, _, _ := b.get(t, "/", "X-Long", strings.Repeat("x", 5000)); status != 431 {
		t.Errorf("too long: %d", status)
	}
}

// closedBy waits until the entry point closes a connection, and says why it did.
func closedBy(conn *quic.Conn) http3.ErrCode {
	<-conn.Context().Done()
	var closed *quic.ApplicationError
	if errors.As(conn.Context().Err(), &closed) || errors.As(quicCause(conn), &closed) {
		return http3.ErrCode(closed.ErrorCode)
	}
	return 0
}

func quicCause(conn *quic.Conn) error {
	_, err := conn.OpenStream()
	return err
}

// What is not a whole request keeps no connection.
func TestHTTP3IdleConnectionsAreClosed(t *testing.T) {
	b := startSecure(t, to("127.0.0.1:1"), func(o *Options) { o.EntryPoints[0].IdleTimeout = 50 * time.Millisecond })
	for name, do := range map[string]func(*quic.Conn) error{
		"nothing is sent": func(*quic.Conn) error { return nil },
		"half a head is sent": func(c *quic.Conn) error {
			s, err := c.OpenStream()
			if err == nil {
				_, err = s.Write([]byte{1, 100, 0}) // HEADERS of 100 bytes
			}
			return err
		},
	} {
		conn, err := dialHTTP3(t, b)
		if err == nil {
			err = do(conn)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := closedBy(conn); got != http3.ErrCodeNoError {
			t.Errorf("%s: closed with %v", name, got)
		}
	}
}

// A service's answer takes as long as it takes, and the connection lives.
func TestHTTP3SlowAnswerOutlivesTheIdleTimeout(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	b := startSecure(t, to(addr), func(o *Options) { o.EntryPoints[0].IdleTimeout = 300 * time.Millisecond })
	idle, err := dialHTTP3(t, b)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		closedBy(idle) // so long at least
		close(release)
	}()
	if status, _, _ := b.from(t, fronts[2]).get(t, "/"); status != 200 {
		t.Errorf("status %d", status)
	}
}

// A client that leaves takes its request with it.
func TestHTTP3Cancel(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	b := startSecure(t, to(addr)).from(t, fronts[2])
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, b.url, nil)
		_, err := b.http.Do(r)
		ended <- err
	}()
	<-arrived
	cancel()
	if err := <-ended; err == nil {
		t.Error("an answer")
	}
	<-left
}

// A large answer cut in the middle is seen as cut.
func TestHTTP3Cut(t *testing.T) {
	addr, _ := dying(t, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 50000))
	b := startSecure(t, to(addr)).from(t, fronts[2])
	answer, err := b.http.Get(b.url)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("a part of %d bytes was taken for the whole", len(body))
	}
}

// The end of the process: requests under way are finished, and no connection holds it up that is not needed any more.
func TestHTTP3Drain(t *testing.T) {
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<18))
	})
	b := startSecure(t, to(addr), func(o *Options) { o.EntryPoints[0].DrainGrace = time.Hour })
	idle, err := dialHTTP3(t, b) // these clients do not know that they should leave
	if err != nil {
		t.Fatal(err)
	}
	busy, err := dialHTTP3(t, b)
	if err != nil {
		t.Fatal(err)
	}
	replies := make(chan int, 2)
	go func() { replies <- len(rawRequest(t, busy, get)) }()
	go func() {
		_, _, body := b.from(t, fronts[2]).get(t, "/")
		replies <- len(body)
	}()
	<-arrived
	<-arrived
	b.stop()
	closedBy(idle)
	if _, err := dialHTTP3(t, b); !isRefused(err) {
		t.Errorf("a new connection: %v, want refused", err)
	}
	close(release)
	for range 2 {
		if n := <-replies; n < 1<<18 {
			t.Errorf("%d bytes came", n)
		}
	}
	closedBy(busy)
}

// A client that waits to be asked for the body is asked when somebody wants it.
func TestHTTP3Continue(t *testing.T) {
	asks := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	waits, _ := dying(t, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody") // it never asks
	for _, addr := range []string{asks, waits} {
		conn, err := dialHTTP3(t, startSecure(t, to(addr)))
		if err != nil {
			t.Fatal(err)
		}
		testContinue(t, conn)
	}
}

func testContinue(t *testing.T, conn *quic.Conn) {
	t.Helper()
	s, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Write(rawHead(post, "\x26expect\x0c100-continue"))
	head := make([]byte, 6) // HEADERS of 4 bytes, the last two of which are :status 100 from the static table
	if _, err := io.ReadFull(s, head); err != nil || string(head) != "\x01\x04\x00\x00\xff\x00" {
		t.Fatalf("%q %v, want to be asked for the body", head, err)
	}
	_, _ = io.WriteString(s, "\x00\x04body") // DATA
	_ = s.Close()
	answer, err := io.ReadAll(s)
	if err != nil || len(answer) < 2 || answer[0] != 1 || answer[1] > 63 { // HEADERS, its length in one byte
		t.Fatalf("%q %v, want an answer", answer, err)
	}
	if rest := answer[2:]; len(rest) < int(answer[1]) || string(rest[answer[1]:]) != "\x00\x04body" {
		t.Errorf("%q, want one head and the body: asked once", answer)
	}
	if !strings.HasPrefix(string(answer[2:]), "\x00\x00\xd9") { // :status 200 from the static table
		t.Errorf("%q, want 200", answer)
	}
}

// A client that gives up requests faster than they can be ended is cut off.
func TestHTTP3RapidReset(t *testing.T) {
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b := startSecure(t, to(addr), func(o *Options) { o.EntryPoints[0].MaxConcurrentStreams = 2 })
	b.listeners[0].engine.(*withHTTP3).udp.requests = 1 // so that it does not depend on who is faster
	conn, err := dialHTTP3(t, b)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := conn.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = s.Write(rawHead(get))
		_ = s.Close()
	}
	if got := closedBy(conn); got != http3.ErrCodeExcessiveLoad {
		t.Errorf("closed with %v", got)
	}
}
