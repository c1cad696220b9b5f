package proxy

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// echoing is a service that changes to WebSocket, as far as the proxy can tell, and to "echo", and sends back what it
// gets until a line says "bye".
func echoing(w http.ResponseWriter, r *http.Request) {
	protocol := upgradeType(r.Header)
	switch protocol {
	case "websocket":
		sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		w.Header().Set("Sec-Websocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
		w.Header().Set("Sec-Websocket-Protocol", r.Header.Get("Sec-Websocket-Protocol"))
		if r.URL.Path == "/wrong" {
			w.Header().Set("Sec-Websocket-Accept", "wrong")
		}
	case "echo":
	default:
		_, _ = io.WriteString(w, r.Method+" without an upgrade")
		return
	}
	if r.URL.Path == "/refused" {
		http.Error(w, "not you", http.StatusForbidden)
		return
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", protocol)
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		line, err := in.ReadString('\n')
		_, _ = io.WriteString(conn, line)
		if err != nil || line == "bye\n" {
			return
		}
	}
}

// connectTo sends an extended CONNECT over HTTP/2 in plain text.
func connectTo(t *testing.T, at, path, protocol string) (*http.Response, io.WriteCloser) {
	t.Helper()
	var client http.RoundTripper = &http2.Transport{AllowHTTP: true, //nolint:staticcheck // net/http's refuses ":protocol"
		DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
	t.Cleanup((&http.Client{Transport: client}).CloseIdleConnections)
	u, err := url.Parse(at + path)
	if err != nil {
		t.Fatal(err)
	}
	body, write := io.Pipe()
	t.Cleanup(func() { _ = write.Close() })
	r := (&http.Request{Method: http.MethodConnect, URL: u, Host: u.Host, Body: body, Header: http.Header{
		protocolField: {protocol}, "Sec-Websocket-Protocol": {"chat"}, "Sec-Websocket-Version": {"13"},
	}}).WithContext(t.Context())
	answer, err := client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer, write
}

// TestWebSocketOverHTTP2: a client of RFC 8441 speaks to a service of RFC 6455.
func TestWebSocketOverHTTP2(t *testing.T) {
	b := start(t, to(serve(t, echoing)))
	answer, write := connectTo(t, b.url, "/", "websocket")
	if answer.StatusCode != 200 || answer.Header.Get("Sec-Websocket-Protocol") != "chat" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
	for _, field := range []string{"Sec-Websocket-Accept", "Upgrade", "Connection"} {
		if v, ok := answer.Header[field]; ok {
			t.Errorf("%s: %v is in the answer", field, v)
		}
	}
	in := bufio.NewReader(answer.Body)
	for _, line := range []string{"one\n", "two\n", "bye\n"} {
		_, _ = io.WriteString(write, line)
		if got, err := in.ReadString('\n'); err != nil || got != line {
			t.Fatalf("%q %v, want %q", got, err, line)
		}
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 { // the service has ended it
		t.Errorf("%q %v", rest, err)
	}
}

// TestConnectEndsWithTheClient: when the client ends its side, so does the service's.
func TestConnectEndsWithTheClient(t *testing.T) {
	b := start(t, to(serve(t, echoing)))
	answer, write := connectTo(t, b.url, "/", "echo")
	_, _ = io.WriteString(write, "one\n")
	in := bufio.NewReader(answer.Body)
	if got, err := in.ReadString('\n'); err != nil || got != "one\n" {
		t.Fatalf("%q %v", got, err)
	}
	_ = write.Close()
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}
}

// TestConnectRefused: what is no change of protocol is never taken for one: any 2xx would be.
func TestConnectRefused(t *testing.T) {
	b := start(t, to(serve(t, echoing)))
	for _, c := range []struct {
		path, protocol string
		status         int
		body           string
	}{
		{"/refused", "websocket", 403, "not you"},
		{"/wrong", "websocket", 502, "502"},
		{"/", "other", 502, "GET without an upgrade"},
		{"/", "h2c", 501, "501"},
	} {
		answer, _ := connectTo(t, b.url, c.path, c.protocol)
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != c.status || !strings.HasPrefix(string(body), c.body) {
			t.Errorf("%s %s: %d %q %v, want %d %q", c.protocol, c.path, answer.StatusCode, body, err, c.status, c.body)
		}
	}
}

// TestConnectIsDrained: a stream that left HTTP holds the drain up for as long as the grace, then it is cut.
func TestConnectIsDrained(t *testing.T) {
	b := start(t, to(serve(t, echoing)), func(o *Options) { o.EntryPoints[0].DrainGrace = time.Millisecond })
	answer, write := connectTo(t, b.url, "/", "websocket")
	_, _ = io.WriteString(write, "one\n")
	in := bufio.NewReader(answer.Body)
	if got, err := in.ReadString('\n'); err != nil || got != "one\n" {
		t.Fatalf("%q %v", got, err)
	}
	b.stop()
	if _, err := io.ReadAll(in); err == nil {
		t.Error("the stream ended in order")
	}
}

// TestConnectIsAnsweredAfterItsEnd: who has said everything still hears what the service says to it.
func TestConnectIsAnsweredAfterItsEnd(t *testing.T) {
	b := start(t, to(serve(t, echoing)))
	for range 10 {
		answer, write := connectTo(t, b.url, "/", "websocket")
		_, _ = io.WriteString(write, "goodbye") // the service waits for the line's end, or for that of the stream
		_ = write.Close()
		if got, err := io.ReadAll(answer.Body); err != nil || string(got) != "goodbye" {
			t.Fatalf("%q %v", got, err)
		}
	}
}
