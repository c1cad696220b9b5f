package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/fairlead/fairlead/internal/telemetry"
)

// netPath carries packets between one client and an entry point, as a network with a mind of its own.
type netPath struct {
	client *net.UDPConn // that the client sends to
	to     *net.UDPAddr // the entry point

	mu     sync.Mutex
	server *net.UDPConn // that the entry point sends to
	from   *net.UDPAddr // the client
	// pass says what becomes of a packet. It is called with mu held.
	pass  func(toServer bool, packet []byte) bool
	carry sync.WaitGroup
}

func newNetPath(t *testing.T, b *bench, pass func(toServer bool, packet []byte) bool) *netPath {
	t.Helper()
	at := b.Addr("web").(*net.TCPAddr)
	p := &netPath{to: &net.UDPAddr{IP: at.IP, Port: at.Port}, pass: pass}
	p.client = listenUDP(t)
	p.rebind(t)
	p.carry.Go(p.toServer)
	t.Cleanup(func() {
		_ = p.client.Close()
		p.mu.Lock()
		_ = p.server.Close()
		p.mu.Unlock()
		p.carry.Wait()
	})
	return p
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// rebind gives the client another address, as a NAT does that has forgotten it.
func (p *netPath) rebind(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		_ = p.server.Close()
	}
	p.server = listenUDP(t)
	p.carry.Go(func() { p.toClient(p.server) })
}

func (p *netPath) toServer() {
	for b := make([]byte, 2048); ; {
		n, from, err := p.client.ReadFromUDP(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.from = from
		if p.pass(true, b[:n]) {
			_, _ = p.server.WriteToUDP(b[:n], p.to)
		}
		p.mu.Unlock()
	}
}

func (p *netPath) toClient(server *net.UDPConn) {
	for b := make([]byte, 2048); ; {
		n, _, err := server.ReadFromUDP(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.pass(false, b[:n]) {
			_, _ = p.client.WriteToUDP(b[:n], p.from)
		}
		p.mu.Unlock()
	}
}

// Packets are lost both ways, and the client's address changes in the middle: what arrives is whole.
func TestHTTP3OverABadNetwork(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	b := startSecure(t, to(addr))
	packets := 0
	path := newNetPath(t, b, func(bool, []byte) bool { packets++; return packets%37 != 0 })
	b.url = "https://" + path.client.LocalAddr().String()
	b = b.from(t, fronts[2])
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for n := range 3 {
		if _, _, got := b.do(t, http.MethodPost, "/", bytes.NewReader(want)); got != string(want) {
			t.Fatalf("after %d changes of address: %d bytes came back", n, len(got))
		}
		path.rebind(t)
	}
}

// An early request is served, marked, if it is safe, and refused if not. Without zeroRTT there are none.
func TestHTTP3EarlyRequests(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s early=%s", r.Method, r.Header.Get("Early-Data"))
	})
	for _, c := range []struct {
		method byte
		fields string
		want   string
	}{
		{get, "", "GET early=1"},
		{post, "", "too_early"},
		{connectMethod, "\x27\x02:protocol\x09websocket", "too_early"},
	} {
		arrived := make(chan struct{}, 2)
		b := startSecure(t, to(addr), func(o *Options) {
			o.EntryPoints[0].HTTP3.ZeroRTT = true
			o.Observers = append(o.Observers, served(arrived))
		})
		got, err := earlyAnswer(t, b, c.method, c.fields, arrived)
		for range 4 {
			if _, late := errors.AsType[*quic.IdleTimeoutError](err); !late {
				break
			}
			// The answer was sent too soon, and lost; the server may not send more to somebody of whom it hears nothing.
			got, err = earlyAnswer(t, b, c.method, c.fields, arrived)
		}
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%d is answered %q %v, want %q", c.method, got, err, c.want)
		}
	}
}

// earlyAnswer sends a request before the handshake is complete. The server's answers are lost until the request has
// arrived, and from then on the client's end of the handshake is.
func earlyAnswer(t *testing.T, b *bench, method byte, fields string, arrived <-chan struct{}) (string, error) {
	t.Helper()
	loseAnswers, loseEnd := false, false
	path := newNetPath(t, b, func(toServer bool, _ []byte) bool {
		return toServer && !loseEnd || !toServer && !loseAnswers
	})
	lose := func(answers, end bool) {
		path.mu.Lock()
		defer path.mu.Unlock()
		loseAnswers, loseEnd = answers, end
	}
	identity := insecure()
	identity.NextProtos, identity.ClientSessionCache = []string{"h3"}, tls.NewLRUClientSessionCache(1)
	visit(t, path, identity)
	<-arrived
	lose(true, false)
	conn, err := quic.DialAddrEarly(t.Context(), path.client.LocalAddr().String(), identity,
		&quic.Config{MaxIdleTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s := sendRaw(t, conn, method, fields)
	<-arrived // in the handler: the handshake cannot be complete
	lose(false, true)
	got, err := io.ReadAll(s)
	lose(false, false)
	_ = conn.CloseWithError(0, "")
	return string(got), err
}

// visit makes a request, so that the client can come back early.
func visit(t *testing.T, path *netPath, identity *tls.Config) {
	t.Helper()
	client := &http3.Transport{TLSClientConfig: identity}
	defer func() { _ = client.Close() }()
	answer, err := (&http.Client{Transport: client}).Get("https://" + path.client.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}

// Where methods stand in QPACK's static table (RFC 9204 appendix A).
const connectMethod, get, post = 15, 17, 20

// rawHead is the HEADERS frame of a request: method, https and / from the static table, the authority "a", and fields.
func rawHead(method byte, fields ...string) []byte {
	head := "\x00\x00" + string([]byte{0xc0 | method, 0xc0 | 23, 0xc0 | 1}) + "\x50\x01a" + strings.Join(fields, "")
	return append([]byte{1, byte(len(head))}, head...)
}

// served is an Observer that tells that a request was served.
type served chan struct{}

func (s served) Served(*telemetry.Exchange) { s <- struct{}{} }

// sendRaw sends a request without waiting for anything.
func sendRaw(t *testing.T, conn *quic.Conn, method byte, fields ...string) *quic.Stream {
	t.Helper()
	s, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Write(rawHead(method, fields...))
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return s
}

// rawRequest sends a request and returns the bytes of the answer.
func rawRequest(t *testing.T, conn *quic.Conn, method byte) string {
	t.Helper()
	answer, err := io.ReadAll(sendRaw(t, conn, method))
	if err != nil {
		t.Error(err)
	}
	return string(answer)
}
