package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// recorder is a service that keeps the bytes that it gets, and answers each request as net/http reads them.
type recorder struct {
	net.Listener
	got chan string // what came, up to the end of each request
}

func record(t *testing.T) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := &recorder{l, make(chan string, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	var bytesRead bytes.Buffer
	in := bufio.NewReaderSize(io.TeeReader(conn, &bytesRead), 1<<20)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err = io.Copy(io.Discard, request.Body); err != nil {
			return
		}
		r.got <- bytesRead.String()
		bytesRead.Reset()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

// desync is a request of HTTP/2 that would mean something else in HTTP/1.1 if it were written there as it is.
type desync struct {
	name    string
	fields  []string // beside those of POST /a
	path    string   // "": /a
	method  string   // "": POST
	host    string   // "": a.test
	body    string
	trailer []string
	want    []string // what the service gets contains these; nil: it gets nothing
}

func desyncs() []desync {
	const inner = "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a.test\r\n\r\n"
	return []desync{
		{name: "H2.CL less", fields: []string{"content-length", "3"}, body: "abcGET /evil HTTP/1.1\r\n\r\n"},
		{name: "H2.CL more", fields: []string{"content-length", "99"}, body: "abc"},
		{name: "H2.CL twice", fields: []string{"content-length", "3", "content-length", "30"}, body: "abc"},
		{name: "H2.CL signed", fields: []string{"content-length", "+3"}, body: "abc"},
		{name: "H2.CL with a blank", fields: []string{"content-length", "3 "}, body: "abc"},
		{name: "H2.TE", fields: []string{"transfer-encoding", "chunked"}, body: inner},
		{name: "H2.TE identity", fields: []string{"transfer-encoding", "identity"}, body: "abc"},
		{name: "H2.TE upper case", fields: []string{"Transfer-Encoding", "chunked"}, body: inner},
		{name: "H2.TE blank in name", fields: []string{"transfer-encoding ", "chunked"}, body: inner},
		{name: "H2.TE in a value", fields: []string{"x", "y\r\ntransfer-encoding: chunked"}, body: inner},
		{name: "H2.TE in a value, LF", fields: []string{"x", "y\ntransfer-encoding: chunked"}, body: inner},
		{name: "H2.TE in a name", fields: []string{"x: y\r\ntransfer-encoding", "chunked"}, body: inner},
		{name: "H2.TE in a trailer", body: inner, trailer: []string{"transfer-encoding", "chunked"}},
		{name: "H2.TE announced", body: inner, fields: []string{"trailer", "transfer-encoding"}},
		{name: "H2.CL in a trailer", body: "abc", trailer: []string{"content-length", "3"}},
		{name: "request line in the method", method: "GET /evil HTTP/1.1\r\nHost: a.test\r\n\r\nPOST", body: "abc"},
		{name: "request line in the path", path: "/a HTTP/1.1\r\nHost: b.test\r\n\r\nGET /evil", body: "abc"},
		{name: "version in the path", path: "/a HTTP/1.0", body: "abc"},
		{name: "tab in the path", path: "/a\tHTTP/1.0", body: "abc"},
		{name: "fields in the host", host: "a.test\r\nTransfer-Encoding: chunked", body: inner},
		{name: "path in the host", host: "a.test/evil", body: "abc"},
		{name: "another host", fields: []string{"host", "evil.test"}, body: "abc"},
		{name: "host in a trailer", body: "abc", trailer: []string{"host", "evil.test"}},
		{name: "NUL in a value", fields: []string{"x", "y\x00z"}, body: "abc"},
		{name: "Connection", fields: []string{"connection", "content-length"}, body: "abc"},
		{name: "colon before the name", fields: []string{":x", "y"}, body: "abc"},
		{name: "line end in a trailer", body: "abc", trailer: []string{"x", "y\r\n\r\nGET /evil HTTP/1.1"}},

		// What is no trick arrives whole, framed by us.
		{name: "length", fields: []string{"content-length", "3"}, body: "abc",
			want: []string{"POST /a HTTP/1.1\r\nHost: a.test\r\n", "\r\nContent-Length: 3\r\n", "\r\n\r\nabc"}},
		{name: "no length", body: inner, want: []string{"\r\nTransfer-Encoding: chunked\r\n", inner + "\r\n0\r\n\r\n"}},
		{name: "chunks in the body, with length", fields: []string{"content-length", "41"}, body: inner,
			want: []string{"\r\nContent-Length: 41\r\n", "\r\n\r\n" + inner}},
		{name: "many bodies", body: strings.Repeat("x", 40_000), want: []string{"\r\nTransfer-Encoding: chunked\r\n"}},
		{name: "escapes stay", path: "/a%0d%0aX:%20y", body: "abc", want: []string{"POST /a%0d%0aX:%20y HTTP/1.1\r\n"}},
		{name: "cookies are one", fields: []string{"cookie", "a=b", "cookie", "c=d"}, body: "abc",
			want: []string{"\r\nCookie: a=b; c=d\r\n"}},
		{name: "a trailer", fields: []string{"trailer", "x-sum"}, body: "abc", trailer: []string{"x-sum", "1"},
			want: []string{"\r\n0\r\nX-Sum: 1\r\n\r\n"}},
	}
}

// TestHTTP2Desync: what a service of HTTP/1.1 gets is what the client of HTTP/2 meant, byte by byte, or nothing.
func TestHTTP2Desync(t *testing.T) {
	service := record(t)
	b := start(t, to(service.Addr().String()))
	for _, d := range desyncs() {
		t.Run(d.name, func(t *testing.T) {
			d.send(t, strings.TrimPrefix(b.url, "http://"))
			got := <-service.got
			if d.want != nil {
				lines := strings.Count(got, " HTTP/1.1\r\n") - strings.Count(d.body, " HTTP/1.1\r\n")
				if !strings.HasPrefix(got, "POST ") || lines != 1 {
					t.Errorf("the service got %q", got)
				}
				for _, want := range d.want {
					if !strings.Contains(got, want) {
						t.Errorf("the service got %q, want %q in it", got, want)
					}
				}
				got = <-service.got
			}
			// Behind it, on the same connection, nothing is left of it.
			if !strings.HasPrefix(got, "GET /after HTTP/1.1\r\nHost: a.test\r\n") || !strings.HasSuffix(got, "\r\n\r\n") ||
				strings.Count(got, "\r\n\r\n") != 1 {
				t.Errorf("then the service got %q", got)
			}
		})
	}
}

// send sends the request in frames as they are, and then a harmless one.
func (d desync) send(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var block bytes.Buffer
	fields, frames := hpack.NewEncoder(&block), http2.NewFramer(conn, conn)
	write := func(stream uint32, end bool, list ...string) {
		block.Reset()
		for i := 0; i+1 < len(list); i += 2 {
			_ = fields.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]})
		}
		_ = frames.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndStream: end,
			EndHeaders: true})
	}
	or := func(s, usual string) string {
		if s == "" {
			return usual
		}
		return s
	}
	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = frames.WriteSettings()
	write(1, false, append([]string{":method", or(d.method, "POST"), ":scheme", "http",
		":authority", or(d.host, "a.test"), ":path", or(d.path, "/a")}, d.fields...)...)
	for body := d.body; body != ""; {
		part := body[:min(len(body), 16384)]
		body = body[len(part):]
		_ = frames.WriteData(1, body == "" && d.trailer == nil, []byte(part))
	}
	if d.trailer != nil {
		write(1, true, d.trailer...)
	}
	for ended := uint32(0); ended != 1; ended = endOf(t, frames) {
	}
	write(3, true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/after")
	for ended := uint32(0); ended != 3; ended = endOf(t, frames) {
	}
}

// endOf returns the stream that the next frame ends; 0: none.
func endOf(t *testing.T, frames *http2.Framer) uint32 {
	t.Helper()
	f, err := frames.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	switch f := f.(type) {
	case *http2.HeadersFrame:
		if f.StreamEnded() {
			return f.StreamID
		}
	case *http2.DataFrame:
		if f.StreamEnded() {
			return f.StreamID
		}
	case *http2.RSTStreamFrame:
		return f.StreamID
	}
	return 0
}
