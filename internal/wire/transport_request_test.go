package wire

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// recorded is a service that records what it gets until the request's end, and answers 200.
func recorded(t *testing.T) (address string, got <-chan string) {
	all := make(chan string, 8)
	address = service(t, func(c net.Conn, in *bufio.Reader, _ int) {
		for {
			var text strings.Builder
			r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(in, &text)))
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			all <- text.String()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	return address, all
}

// unsized hides how long a body is.
type unsized struct{ io.Reader }

func (unsized) Close() error { return nil }

func TestRequests(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(r *http.Request)
		want    string
		refused bool
	}{
		{"plain", func(*http.Request) {}, "GET /path?q=1 HTTP/1.1\r\nHost: h.test\r\n\r\n", false},
		{"no path", func(r *http.Request) { r.URL.Path, r.URL.RawQuery = "", "" },
			"GET / HTTP/1.1\r\nHost: h.test\r\n\r\n", false},
		{"escaped path", func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b c", "/a%2Fb%20c" },
			"GET /a%2Fb%20c?q=1 HTTP/1.1\r\nHost: h.test\r\n\r\n", false},
		{"raw path", func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b", "/a%2Fb" },
			"GET /a%2Fb?q=1 HTTP/1.1\r\nHost: h.test\r\n\r\n", false},
		{"forced query", func(r *http.Request) { r.URL.RawQuery, r.URL.ForceQuery = "", true },
			"GET /path? HTTP/1.1\r\nHost: h.test\r\n\r\n", false},
		{"asterisk", func(r *http.Request) {
			r.Method = "OPTIONS"
			r.URL = &url.URL{Scheme: "http", Host: r.URL.Host, Path: "*"}
		},
			"OPTIONS * HTTP/1.1\r\nHost: h.test\r\n\r\n", false},
		{"case and order", func(r *http.Request) {
			r.Header["x-lower"], r.Header["X-B"], r.Header["X-A"] = []string{"1"}, []string{"2", "3"}, []string{" 4\t"}
		}, "GET /path?q=1 HTTP/1.1\r\nHost: h.test\r\nX-A: 4\r\nX-B: 2\r\nX-B: 3\r\nx-lower: 1\r\n\r\n", false},
		{"own framing", func(r *http.Request) {
			r.Header["Content-Length"], r.Header["Transfer-Encoding"] = []string{"7"}, []string{"chunked"}
			r.Header["Host"], r.Header["Trailer"] = []string{"evil"}, []string{"X"}
		}, "GET /path?q=1 HTTP/1.1\r\nHost: h.test\r\n\r\n", false},
		{"close", func(r *http.Request) { r.Close = true },
			"GET /path?q=1 HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n", false},
		{"TE is for one connection", func(r *http.Request) { r.Header["Te"] = []string{"trailers"} },
			"GET /path?q=1 HTTP/1.1\r\nHost: h.test\r\nTe: trailers\r\nConnection: TE\r\n\r\n", false},
		{"post nothing", func(r *http.Request) { r.Method = "POST" },
			"POST /path?q=1 HTTP/1.1\r\nHost: h.test\r\nContent-Length: 0\r\n\r\n", false},
		{"post", func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "POST", io.NopCloser(strings.NewReader("hello")), 5
		}, "POST /path?q=1 HTTP/1.1\r\nHost: h.test\r\nContent-Length: 5\r\n\r\nhello", false},
		{"chunked", func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "POST", unsized{strings.NewReader("hello")}, -1
		}, "POST /path?q=1 HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false},
		{"trailer", func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "POST", unsized{strings.NewReader("hello")}, -1
			r.Trailer = http.Header{"X-T": {"1"}}
		}, "POST /path?q=1 HTTP/1.1\r\nHost: h.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n" +
			"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", false},
		{"bad value", func(r *http.Request) { r.Header["X-A"] = []string{"a\r\nX-B: c"} }, "", true},
		{"bad name", func(r *http.Request) { r.Header["X A"] = []string{"a"} }, "", true},
		{"bad method", func(r *http.Request) { r.Method = "GET /x HTTP/1.1\r\n" }, "", true},
		{"bad host", func(r *http.Request) { r.Host = "a b" }, "", true},
		{"bad query", func(r *http.Request) { r.URL.RawQuery = "a b\r\nX: y" }, "", true},
		{"bad opaque", func(r *http.Request) { r.URL.Opaque = "/a\nb" }, "", true},
		{"bad scheme", func(r *http.Request) { r.URL.Scheme = "ftp" }, "", true},
		{"bad trailer", func(r *http.Request) {
			r.Body, r.ContentLength, r.Trailer = unsized{strings.NewReader("a")}, -1, http.Header{"Content-Length": {"1"}}
		}, "", true},
		{"no body", func(r *http.Request) { r.ContentLength = 3 }, "", true},
		{"short body", func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "POST", unsized{strings.NewReader("hello")}, 9
		}, "", true},
		{"short long body", func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "POST", unsized{strings.NewReader("hello")}, 90_000
		}, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, rt http.RoundTripper, ours bool) {
				address, got := recorded(t)
				r := newRequest(t.Context(), t, "GET", address, "")
				r.Host = "h.test"
				test.change(r)
				o := send(rt, r)
				if o.Refused != test.refused && (ours || test.name != "bad host") { // net/http cuts it
					t.Fatalf("refused: %v", o.Refused)
				}
				if !test.refused && ours { // net/http writes the same in another order
					if text := <-got; text != test.want {
						t.Errorf("got  %q\nwant %q", text, test.want)
					}
				}
			})
		})
	}
}

// closing counts how often it is closed.
type closing struct {
	io.Reader
	closed chan struct{}
}

func (c *closing) Close() error { c.closed <- struct{}{}; return nil }

func TestRequestBodyIsClosedOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		length int64
		size   int
		change func(*http.Request)
	}{
		{"small", 10, 10, nil},
		{"large", 1 << 20, 1 << 20, nil},
		{"unknown", -1, 1 << 20, nil},
		{"short", 10, 5, nil},
		{"refused", 10, 10, func(r *http.Request) { r.Method = "no method" }},
		{"no host", 10, 10, func(r *http.Request) { r.URL.Host = "127.0.0.1:1" }},
		{"expecting", 10, 10, func(r *http.Request) { r.Header.Set("Expect", "100-continue") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, _ := recorded(t)
			rt := newTestTransport(t, TransportOptions{ContinueTimeout: 20 * time.Millisecond})
			body := &closing{strings.NewReader(strings.Repeat("x", test.size)), make(chan struct{}, 9)}
			r := newRequest(t.Context(), t, "POST", address, "")
			r.Body, r.ContentLength = body, test.length
			if test.change != nil {
				test.change(r)
			}
			send(rt, r)
			<-body.closed
			if len(body.closed) > 0 {
				t.Error("closed again")
			}
		})
	}
}

// TestBodyError tells whose fault it is that a request could not be sent.
func TestBodyError(t *testing.T) {
	address, _ := recorded(t)
	rt := newTestTransport(t, TransportOptions{})
	for _, length := range []int64{9, 90_000, -1} {
		r := newRequest(t.Context(), t, "POST", address, "")
		r.Body, r.ContentLength = unsized{io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(errStopped))}, length
		_, err := rt.RoundTrip(r)
		if broken, ok := errors.AsType[*BodyError](err); !ok || broken.Read != 5 || !errors.Is(err, errStopped) {
			t.Errorf("length %d: %v", length, err)
		}
	}
}
