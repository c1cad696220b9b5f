package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// engine is what serves in a test: ours, or net/http's to compare with.
type engine interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serve starts an engine on a port of its own, and ends it with the test. Ours must have given back what it took.
func serve(t testing.TB, e engine) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, e, l)
}

func serveOn(t testing.TB, e engine, l net.Listener) (address string) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- e.Serve(l) }()
	t.Cleanup(func() {
		_ = e.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		if s, ours := e.(*Server); ours {
			awaitEmpty(t, s)
		}
	})
	return l.Addr().String()
}

// awaitEmpty waits for the end of every connection, and then finds every buffer given back.
func awaitEmpty(t testing.TB, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("connections do not end: %v", err)
	}
	if out := s.buffers.out.Load(); out != 0 {
		t.Errorf("%d buffers were not given back", out)
	}
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// talk sends everything at once and returns everything that comes until the server closes the connection.
func talk(t testing.TB, address, request string) string {
	t.Helper()
	conn := dial(t, address)
	go func() { _, _ = io.WriteString(conn, request) }()
	got, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("after %q: %v", got, err)
	}
	return string(got)
}

// plain writes answers down in a way that does not show what may differ: the order of the fields, the date, and where
// chunks end. methods are those of the requests.
func plain(t testing.TB, raw string, methods ...string) string {
	t.Helper()
	var out strings.Builder
	for i := 0; raw != ""; {
		head, _, found := strings.Cut(raw, "\r\n\r\n")
		if !found {
			t.Fatalf("no head: %q", raw)
		}
		lines := strings.Split(head, "\r\n")
		slices.Sort(lines[1:])
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "Date: ") })
		fmt.Fprintln(&out, strings.Join(lines, "\n"))
		if strings.HasPrefix(head[9:], "1") {
			raw = raw[len(head)+4:]
			continue
		}
		method := "GET"
		if i < len(methods) {
			method = methods[i]
		}
		i++
		rest := bytes.NewBufferString(raw)
		br := bufio.NewReader(rest)
		response, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		body, err := io.ReadAll(response.Body)
		fmt.Fprintf(&out, "body %q error %v trailer %v\n", body, err, response.Trailer)
		raw = raw[len(raw)-br.Buffered()-rest.Len():]
	}
	return out.String()
}
