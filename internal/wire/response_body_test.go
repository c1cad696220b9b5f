package wire

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

// TestWriteTo: a body comes through whole by each way there is.
func TestWriteTo(t *testing.T) {
	for _, size := range []int{1, 10 << 10, 20 << 10, 100 << 10, 3 << 20} {
		body := bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, body)
		address, connections := answering(t, answer, false)
		rt := newTestTransport(t, TransportOptions{})
		for name, read := range map[string]func(io.Reader) ([]byte, error){
			"read":      func(r io.Reader) ([]byte, error) { return io.ReadAll(struct{ io.Reader }{r}) },
			"byte-wise": func(r io.Reader) ([]byte, error) { return io.ReadAll(iotest.HalfReader(struct{ io.Reader }{r})) },
			"exactly": func(r io.Reader) ([]byte, error) {
				all := make([]byte, size)
				_, err := io.ReadFull(r, all)
				return all, err
			},
			"write": func(r io.Reader) ([]byte, error) {
				var all bytes.Buffer
				_, err := io.Copy(struct{ io.Writer }{&all}, r)
				return all.Bytes(), err
			},
			"splice":       spliced,
			"after a read": afterRead,
		} {
			response, err := rt.RoundTrip(newRequest(t.Context(), t, "GET", address, ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(response.Body)
			if err != nil || sha256.Sum256(got) != sha256.Sum256(body) {
				t.Errorf("%s: %d of %d bytes, %v", name, len(got), size, err)
			}
			if n, err := response.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("%s: %d, %v after the end", name, n, err)
			}
			_ = response.Body.Close()
		}
		if connections() != 1 {
			t.Errorf("%d connections", connections())
		}
	}
}

// spliced copies to a TCP connection and reads from its other end.
func spliced(r io.Reader) ([]byte, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }()
	done := make(chan error, 1)
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_, err = io.Copy(c, r)
			_ = c.Close()
		}
		done <- err
	}()
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	all, err := io.ReadAll(c)
	if copied := <-done; copied != nil {
		return all, copied
	}
	return all, err
}

func afterRead(r io.Reader) ([]byte, error) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		return nil, err
	}
	rest, err := spliced(r)
	return append(first, rest...), err
}

// TestBackBeforeTheEnd: the next request finds the connection as soon as the caller has seen the end of the body.
func TestBackBeforeTheEnd(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000),
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	} {
		address, connections := answering(t, answer, false)
		rt := newTestTransport(t, TransportOptions{})
		for i := range 100 {
			body := strings.Repeat("y", 200*i) // the larger ones have a goroutine of their own
			response, err := rt.RoundTrip(newRequest(t.Context(), t, "POST", address, body))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = response.Body.Close() }) // much too late, and harmless
			if len(body) <= smallBody && connections() != 1 {
				t.Fatalf("%d connections", connections())
			}
		}
		if connections() > 50 { // lastWriteWait is long, but not for a machine that stands still
			t.Errorf("%d connections", connections())
		}
	}
}

// TestGotConn tells a used connection from a new one.
func TestGotConn(t *testing.T) {
	eachEngine(t, func(t *testing.T, rt http.RoundTripper, _ bool) {
		address, _ := answering(t, okay, false)
		var reused []bool
		wrote := make(chan error, 2)
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn:      func(i httptrace.GotConnInfo) { reused = append(reused, i.Reused) },
			WroteRequest: func(i httptrace.WroteRequestInfo) { wrote <- i.Err },
		})
		for range 2 {
			send(rt, newRequest(ctx, t, "GET", address, ""))
			if err := <-wrote; err != nil {
				t.Error(err)
			}
		}
		if fmt.Sprint(reused) != "[false true]" {
			t.Error(reused)
		}
	})
}

// TestNothingIsLeft: after all kinds of answers and failures there are as many goroutines and descriptors as before.
func TestNothingIsLeft(t *testing.T) {
	existing, before := goleak.IgnoreCurrent(), descriptors(t)
	t.Run("", func(t *testing.T) {
		for _, answer := range []string{
			okay, "HTTP/1.1 200 OK\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "nonsense\r\n\r\n",
			"HTTP/1.1 413 No\r\nConnection: close\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nxxxx",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "",
		} {
			address, _ := answering(t, answer, true)
			rt := newTestTransport(t, TransportOptions{})
			for _, body := range []string{"", "small", strings.Repeat("large", 100_000)} {
				send(rt, newRequest(t.Context(), t, "PUT", address, body))
				if response, err := rt.RoundTrip(newRequest(t.Context(), t, "PUT", address, body)); err == nil {
					_ = response.Body.Close()
				}
			}
		}
	})
	if err := goleak.Find(existing); err != nil {
		t.Error(err)
	}
	if !eventually(func() bool { return descriptors(t) <= before }) {
		t.Errorf("%d descriptors are open, before %d", descriptors(t), before)
	}
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not tell: ", err)
	}
	return len(entries)
}
