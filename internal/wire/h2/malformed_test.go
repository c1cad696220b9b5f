package h2

import (
	"net/http"
	"strings"
	"testing"
)

// malformed is a request, and a body after "-".
type malformed struct {
	name   string
	fields []string
	body   string
}

func malformedRequests() []malformed {
	base := func(method, scheme, authority, path string, more ...string) []string {
		return append([]string{":method", method, ":scheme", scheme, ":authority", authority, ":path", path}, more...)
	}
	return []malformed{
		{name: "8.2.1 upper case", fields: get("/", "X-a", "b")},
		{name: "8.2.1 empty name", fields: get("/", "", "b")},
		{name: "8.2.1 space in name", fields: get("/", "x a", "b")},
		{name: "8.2.1 colon in name", fields: get("/", "x:a", "b")},
		{name: "8.2.1 CRLF in name", fields: get("/", "x\r\na", "b")},
		{name: "8.2.1 NUL in name", fields: get("/", "x\x00", "b")},
		{name: "8.2.1 non-ASCII name", fields: get("/", "x-\xc3\xa4", "b")},
		{name: "8.2.1 LF in value", fields: get("/", "x", "b\nc: d")},
		{name: "8.2.1 CR in value", fields: get("/", "x", "b\rc")},
		{name: "8.2.1 CRLF in value", fields: get("/", "x", "b\r\nTransfer-Encoding: chunked")},
		{name: "8.2.1 NUL in value", fields: get("/", "x", "b\x00c")},
		{name: "8.2.1 DEL in value", fields: get("/", "x", "b\x7fc")},
		{name: "8.2.1 space before value", fields: get("/", "x", " b")},
		{name: "8.2.1 tab after value", fields: get("/", "x", "b\t")},
		{name: "8.2.2 Connection", fields: get("/", "connection", "close")},
		{name: "8.2.2 Keep-Alive", fields: get("/", "keep-alive", "timeout=5")},
		{name: "8.2.2 Proxy-Connection", fields: get("/", "proxy-connection", "keep-alive")},
		{name: "8.2.2 Upgrade", fields: get("/", "upgrade", "websocket")},
		{name: "8.2.2 Transfer-Encoding", fields: post("/", "transfer-encoding", "chunked"), body: "-0\r\n\r\n"},
		{name: "8.2.2 TE", fields: get("/", "te", "gzip")},
		{name: "8.2.2 TE list", fields: get("/", "te", "trailers, gzip")},
		{name: "8.3 unknown pseudo", fields: get("/", ":x", "y")},
		{name: "8.3 response pseudo", fields: get("/", ":status", "200")},
		{name: "8.3 pseudo after field", fields: []string{":method", "GET", ":scheme", "http", "x", "y", ":path", "/"}},
		{name: "8.3 protocol without CONNECT", fields: get("/", ":protocol", "websocket")},
		{name: "8.3.1 no method", fields: []string{":scheme", "http", ":authority", "a.test", ":path", "/"}},
		{name: "8.3.1 no scheme", fields: []string{":method", "GET", ":authority", "a.test", ":path", "/"}},
		{name: "8.3.1 no path", fields: []string{":method", "GET", ":scheme", "http", ":authority", "a.test"}},
		{name: "8.3.1 no host", fields: []string{":method", "GET", ":scheme", "http", ":path", "/"}},
		{name: "8.3.1 empty path", fields: get("")},
		{name: "8.3.1 method twice", fields: get("/", ":method", "GET")},
		{name: "8.3.1 path twice", fields: get("/", ":path", "/")},
		{name: "8.3.1 scheme twice", fields: get("/", ":scheme", "http")},
		{name: "8.3.1 authority twice", fields: get("/", ":authority", "a.test")},
		{name: "8.3.1 space in method", fields: base("GET /x HTTP/1.1\r\nA: b\r\n", "http", "a.test", "/")},
		{name: "8.3.1 long method", fields: base(strings.Repeat("A", 33), "http", "a.test", "/")},
		{name: "8.3.1 space in path", fields: get("/ HTTP/1.1")},
		{name: "8.3.1 CRLF in path", fields: get("/\r\nHost: b")},
		{name: "8.3.1 fragment", fields: get("/#x")},
		{name: "8.3.1 non-ASCII path", fields: get("/\xc3\xa4")},
		{name: "8.3.1 DEL in path", fields: get("/\x7f")},
		{name: "8.3.1 relative path", fields: get("x")},
		{name: "8.3.1 absolute path", fields: get("http://a.test/")},
		{name: "8.3.1 * without OPTIONS", fields: get("*")},
		{name: "8.3.1 bad escape", fields: get("/%zz")},
		{name: "8.3.1 scheme", fields: base("GET", "ftp", "a.test", "/")},
		{name: "8.3.1 scheme with more", fields: base("GET", "http://b.test/?", "a.test", "/")},
		{name: "8.3.1 user in authority", fields: base("GET", "http", "u@a.test", "/")},
		{name: "8.3.1 path in authority", fields: base("GET", "http", "a.test/x", "/")},
		{name: "8.3.1 CRLF in authority", fields: base("GET", "http", "a.test\r\nX: y", "/")},
		{name: "8.3.1 space in authority", fields: base("GET", "http", "a.test b", "/")},
		{name: "8.3.1 bad port", fields: base("GET", "http", "a.test:x", "/")},
		{name: "8.3.1 other Host", fields: get("/", "host", "b.test")},
		{name: "8.3.1 Host twice", fields: get("/", "host", "a.test", "host", "a.test")},
		{name: "8.5 CONNECT with path", fields: base("CONNECT", "http", "a.test:1", "/")},
		{name: "8.5 CONNECT without port", fields: []string{":method", "CONNECT", ":authority", "a.test"}},
		{name: "8.1.1 length and no body", fields: post("/", "content-length", "1")},
		{name: "8.1.1 two lengths", fields: post("/", "content-length", "1", "content-length", "1"), body: "-a"},
		{name: "8.1.1 signed length", fields: post("/", "content-length", "+1"), body: "-a"},
		{name: "8.1.1 list of lengths", fields: post("/", "content-length", "1, 1"), body: "-a"},
		{name: "8.1.1 hex length", fields: post("/", "content-length", "0x1"), body: "-a"},
		{name: "8.1.1 huge length", fields: post("/", "content-length", "99999999999999999999"), body: "-a"},
		{name: "8.1 trailer announces a length", fields: post("/", "trailer", "content-length"), body: "-a"},
	}
}

// TestMalformed: what RFC 9113 calls malformed is a stream error of type PROTOCOL_ERROR, no handler sees it, and the
// connection goes on.
func TestMalformed(t *testing.T) {
	for _, test := range malformedRequests() {
		t.Run(test.name, func(t *testing.T) {
			called := make(chan string, 2)
			c := dial(t, newServer(t, func(_ http.ResponseWriter, r *http.Request) { called <- r.RequestURI }))
			data, hasBody := strings.CutPrefix(test.body, "-")
			c.headers(1, !hasBody, test.fields...)
			if hasBody {
				c.data(1, true, data)
			}
			if got := c.answer(1); got != "RST_STREAM PROTOCOL_ERROR" {
				t.Errorf("answer: %s", got)
			}
			c.headers(3, true, get("/after")...)
			if got := c.answer(3); got != "HEADERS :status=200 content-length=0 end" {
				t.Errorf("after it: %s", got)
			}
			if got := <-called; got != "/after" {
				t.Errorf("a handler was called for %s", got)
			}
		})
	}
}

// TestMalformedBody: what is wrong is seen when a handler is at work already. It reads an error, never a short body.
func TestMalformedBody(t *testing.T) {
	for _, test := range []struct {
		name, length string
		send         func(*client)
		want         string
	}{
		{"8.1.1 more than declared", "3", func(c *client) { c.data(1, false, "abcd") }, "PROTOCOL_ERROR"},
		{"8.1.1 more in two", "3", func(c *client) { c.data(1, false, "ab"); c.data(1, false, "cd") }, "PROTOCOL_ERROR"},
		{"8.1.1 less than declared", "3", func(c *client) { c.data(1, true, "ab") }, "PROTOCOL_ERROR"},
		{"8.1.1 less, trailer", "3", func(c *client) { c.data(1, false, "ab"); c.headers(1, true, "x", "y") },
			"PROTOCOL_ERROR"},
		{"8.1 trailer goes on", "2", func(c *client) { c.data(1, false, "ab"); c.headers(1, false, "x", "y") },
			"PROTOCOL_ERROR"},
		{"8.1 pseudo in trailer", "2", func(c *client) { c.data(1, false, "ab"); c.headers(1, true, ":path", "/") },
			"PROTOCOL_ERROR"},
		{"8.1 length in trailer", "2", func(c *client) { c.data(1, false, "ab"); c.headers(1, true, "content-length", "9") },
			"PROTOCOL_ERROR"},
		{"8.2.1 CRLF in trailer", "2", func(c *client) { c.data(1, false, "ab"); c.headers(1, true, "x", "y\r\nz: a") },
			"PROTOCOL_ERROR"},
		{"6.9.1 beyond the window", "999999", func(c *client) {
			for range 5 {
				c.data(1, false, strings.Repeat("x", maxFrame))
			}
		}, "FLOW_CONTROL_ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			read := make(chan error, 1)
			called, go1 := make(chan struct{}), make(chan struct{})
			c := dial(t, newServer(t, func(_ http.ResponseWriter, r *http.Request) {
				close(called)
				<-go1
				var err error
				for buffer := make([]byte, 10); err == nil; {
					_, err = r.Body.Read(buffer)
				}
				read <- err
			}))
			c.headers(1, false, post("/", "content-length", test.length)...)
			<-called
			test.send(c)
			if got := c.answer(1); got != "RST_STREAM "+test.want {
				t.Errorf("answer: %s", got)
			}
			close(go1)
			if err := <-read; err == nil || err.Error() == "EOF" {
				t.Errorf("the handler reads to the end: %v", err)
			}
		})
	}
}
