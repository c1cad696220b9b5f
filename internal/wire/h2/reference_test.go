package h2

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// engines are ours and net/http's, which ours is compared with.
var engines = []struct {
	name string
	dial func(t *testing.T, h http.HandlerFunc) *client
}{
	{"net/http", dialReference},
	{"h2", func(t *testing.T, h http.HandlerFunc) *client { return dial(t, newServer(t, h)) }},
}

// dialReference connects a client to net/http's server.
func dialReference(t *testing.T, h http.HandlerFunc) *client {
	t.Helper()
	s := &http.Server{Handler: h, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute}
	s.Protocols.SetUnencryptedHTTP2(true)
	ours, theirs := connection(t)
	l := &single{conn: theirs, closed: make(chan struct{})}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-served })
	return greet(t, ours)
}

// single is a net.Listener for one connection.
type single struct {
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *single) Accept() (net.Conn, error) {
	var conn net.Conn
	if l.once.Do(func() { conn = l.conn }); conn != nil {
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *single) Close() error {
	defer func() { _ = recover() }() // closed twice
	close(l.closed)
	return nil
}

func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }

// behaviour is what a handler may do, and the request that makes it.
type behaviour struct {
	name    string
	handler http.HandlerFunc
	fields  []string // nil: GET /
	body    []string // DATA frames; nil: none
	trailer []string
}

// answersOf tells handlers what they may write.
func answersOf() []behaviour {
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	head := []string{":method", "HEAD", ":scheme", "http", ":authority", "a.test", ":path", "/"}
	return []behaviour{
		{name: "nothing", handler: func(http.ResponseWriter, *http.Request) {}},
		{name: "text", handler: text("hello")},
		{name: "html", handler: text("<html>")},
		{name: "long", handler: text(strings.Repeat("x", 50_000))},
		{name: "4 KiB", handler: text(strings.Repeat("x", 4096))},
		{name: "4 KiB and one", handler: text(strings.Repeat("x", 4097))},
		{name: "head", handler: text("hello"), fields: head},
		{name: "head of nothing", handler: func(http.ResponseWriter, *http.Request) {}, fields: head},
		{name: "head with length", fields: head, handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
		}},
		{name: "status", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }},
		{name: "204", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			_, err := io.WriteString(w, "x")
			if !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
		}},
		{name: "304", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"a"`)
			w.WriteHeader(304)
		}},
		{name: "length", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
		}},
		{name: "changed too late", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", "1")
			w.WriteHeader(200)
			w.Header().Set("X-A", "2")
		}},
		{name: "fields", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=b", "c=d"}
			w.Header()["x-lower"] = []string{"v"}
			w.Header()["Bad Name"] = []string{"v"}
			w.Header().Set("Transfer-Encoding", "chunked")
		}},
		{name: "flushed", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "b")
		}},
		{name: "encoded", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "x")
			_, _ = io.WriteString(w, "a")
		}},
		{name: "103", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.Header().Del("Link")
			_, _ = io.WriteString(w, "a")
		}},
		{name: "announced trailer", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "a")
			w.Header().Set("X-Sum", "1")
		}},
		{name: "late trailer", handler: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
		}},
		{name: "abort", handler: func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}},
		{name: "abort at once", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
}

// requestsOf shows what a handler sees.
func requestsOf() []behaviour {
	return []behaviour{
		{name: "get", fields: get("/a/b?c=d&e")},
		{name: "escaped", fields: get("/a%2fb%20c?")},
		{name: "fields",
			fields: get("/", "x-a", "1", "x-b", "2", "x-a", "3", "accept", "*/*", "user-agent", "x", "empty", "")},
		{name: "cookies", fields: get("/", "cookie", "a=b", "x", "y", "cookie", "c=d")},
		{name: "host only", fields: []string{":method", "GET", ":scheme", "http", ":path", "/", "host", "b.test"}},
		{name: "host twice the same", fields: get("/", "host", "a.test")},
		{name: "te", fields: get("/", "te", "trailers")},
		{name: "connect", fields: []string{":method", "CONNECT", ":authority", "a.test:443"}},
		{name: "long field", fields: get("/", "x", strings.Repeat("y", 20_000))},
		{name: "body", fields: post("/"), body: []string{"hello"}},
		{name: "body in parts", fields: post("/", "content-length", "10"), body: []string{"he", "", "llo", "world"}},
		{name: "empty body", fields: post("/"), body: []string{""}},
		{name: "length 0", fields: post("/", "content-length", "0"), body: []string{""}},
		{name: "no body, length 0", fields: post("/", "content-length", "0")},
		{name: "large body", fields: post("/"),
			body: []string{strings.Repeat("a", maxFrame), strings.Repeat("b", maxFrame)}},
		{name: "trailer", fields: post("/", "trailer", "X-Sum, x-other"), body: []string{"a"},
			trailer: []string{"x-sum", "1"}},
	}
}

// tell writes the request that it gets.
func tell(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	delete(r.Header, "Host") // net/http leaves it there, even beside :authority
	w.Header().Set("Content-Type", "text/plain")
	_, _ = fmt.Fprintf(w, "%s %s %s %s %q %d %d %v\n", r.Method, r.URL, r.RequestURI, r.Proto, r.Host, r.ContentLength,
		len(body), err)
	_, _ = fmt.Fprintf(w, "%q %v %v %t\n%q", r.Header, r.Trailer, r.TransferEncoding, r.TLS != nil, r.URL.Path)
}

// TestLikeNetHTTP: a handler cannot tell the engines apart, and neither can a client.
func TestLikeNetHTTP(t *testing.T) {
	for _, b := range append(answersOf(), requestsOf()...) {
		t.Run(b.name, func(t *testing.T) {
			var answers [2]string
			for i, engine := range engines {
				h := b.handler
				if h == nil {
					h = tell
				}
				c := engine.dial(t, h)
				fields := b.fields
				if fields == nil {
					fields = get("/")
				}
				c.headers(1, b.body == nil, fields...)
				for j, part := range b.body {
					c.data(1, j == len(b.body)-1 && b.trailer == nil, part)
				}
				if b.trailer != nil {
					c.headers(1, true, b.trailer...)
				}
				answers[i] = normal(c.answer(1))
			}
			if answers[0] != answers[1] {
				t.Errorf("net/http:\n%s\nh2:\n%s", answers[0], answers[1])
			}
		})
	}
}

// normal drops what differs and means the same: a trailing empty DATA frame.
func normal(answer string) string {
	answer = strings.Replace(answer, "\nDATA  end", " end", 1)
	return strings.ReplaceAll(answer, "DATA \n", "")
}
