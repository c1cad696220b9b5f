package wire

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// canned is a connection on which the answer is there already.
type canned struct{ *bytes.Reader }

func (canned) Write(p []byte) (int, error)      { return len(p), nil }
func (canned) Close() error                     { return nil }
func (canned) LocalAddr() net.Addr              { return nil }
func (canned) RemoteAddr() net.Addr             { return nil }
func (canned) SetDeadline(time.Time) error      { return nil }
func (canned) SetReadDeadline(time.Time) error  { return nil }
func (canned) SetWriteDeadline(time.Time) error { return nil }

// FuzzResponse: what we accept, net/http reads as the same answer, and ends at the same byte.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		okay, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + okay,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n" + okay,
		"HTTP/1.1 200\r\nX-A:  a \t\r\nx-a: b\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nConnection: close, upgrade\r\nContent-Length: 3\r\n\r\nabc",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, answer []byte, isHead bool) {
		in := canned{bytes.NewReader(answer)}
		rt := newTestTransport(t, TransportOptions{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return in, nil },
		})
		method := http.MethodGet
		if isHead {
			method = http.MethodHead
		}
		r := newRequest(context.Background(), t, method, "h.test", "")
		ours := send(rt, r)
		if ours.Refused || ours.Broken {
			return
		}
		theirs, rest := reference(t, answer, r)
		ours.Text, theirs.Text = strings.TrimSpace(ours.Text), strings.TrimSpace(theirs.Text)
		if ours.Close {
			theirs.Header.Del("Connection")
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Fatalf("(-net/http +wire)\n%s", diff)
		}
		if len(rest) > 0 && len(rt.idleConns()) > 0 {
			t.Fatalf("%q came behind the answer, and the connection is kept", rest)
		}
	})
}

// reference reads an answer by net/http, and returns what follows it.
func reference(t *testing.T, answer []byte, r *http.Request) (outcome, string) {
	in := bufio.NewReader(bytes.NewReader(answer))
	for {
		response, err := http.ReadResponse(in, r)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if response.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("net/http breaks it off: %v", err)
		}
		_ = response.Body.Close()
		rest, _ := io.ReadAll(in)
		return outcome{
			Status: response.StatusCode, Text: response.Status, Header: response.Header, Trailer: response.Trailer,
			Length: response.ContentLength, Close: response.Close, Body: string(body),
		}, string(rest)
	}
}

// idleConns returns the connections that no request uses.
func (t *Transport) idleConns() []*serviceConn {
	var all []*serviceConn
	for i := range t.pools.shards {
		for _, h := range t.pools.shards[i].hosts {
			all = append(all, h.idle...)
		}
	}
	return all
}

// TestFieldNamesAreKept: an answer's fields are found by their canonical names.
func TestFieldNamesAreKept(t *testing.T) {
	address, _ := answering(t, "HTTP/1.1 200 OK\r\nx-REQUEST-id: 1\r\ncontent-length: 0\r\n\r\n", false)
	o := send(newTestTransport(t, TransportOptions{}), newRequest(t.Context(), t, "GET", address, ""))
	if o.Header.Get("X-Request-Id") != "1" || strings.Join(o.Header["Content-Length"], "") != "0" {
		t.Errorf("%+v", o)
	}
}
