package wire

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzRequestWriter: what is written, net/http and our own server read as one request, and as the one that was meant.
func FuzzRequestWriter(f *testing.F) {
	f.Add("GET", "h.test", "/a b", "q=1", "X-A", "b", "x-a", " c ")
	f.Add("POST", "h.test:80", "/%zz", "", "Content-Length", "7", "Transfer-Encoding", "chunked")
	f.Add("PUT", "[::1]", "//x", "a\r\nb", "transfer-encoding", "chunked", "TRAILER", "X")
	f.Add("OPTIONS", "h\r\n", "*", "#", "A\r\nB", "c\r\nd", "Host", "other")
	f.Add("HEAD", "h", "", "%", "A:", "\x00", "", "\x7f")
	rt := NewTransport(TransportOptions{})
	f.Fuzz(func(t *testing.T, method, host, path, query, name, value, name2, value2 string) {
		r := &http.Request{
			Method: method, URL: &url.URL{Scheme: "http", Host: host, Path: path, RawPath: path, RawQuery: query},
			Header: http.Header{name: {value}, name2: {value2}}, Body: io.NopCloser(strings.NewReader("body")), ContentLength: 4,
		}
		o := rt.message()
		defer rt.forget(o)
		o.own.from(r.WithContext(context.Background()))
		o.Outgoing, o.body = &o.own, o.own.Body
		if o.prepare() != nil {
			return
		}
		if o.stream { // it would have expected 100 (Continue)
			o.b = append(o.b, "body"...)
		}
		in := bufio.NewReader(strings.NewReader(string(o.b)))
		got, err := http.ReadRequest(in)
		if err != nil {
			if strings.Contains(err.Error(), "parse") || strings.Contains(err.Error(), "URI") {
				return // a target that net/http cannot take apart is no more than that
			}
			t.Fatalf("net/http refuses %q: %v", o.b, err)
		}
		body, err := io.ReadAll(got.Body)
		rest, _ := io.ReadAll(in)
		if err != nil || string(body) != "body" || len(rest) > 0 || got.Host != host || got.TransferEncoding != nil {
			t.Fatalf("%q reads as %q, %q, then %q (%v)", o.b, got.Host, body, rest, err)
		}
		if want := method; got.Method != want && want != "" {
			t.Fatalf("the method is %q, not %q", got.Method, want)
		}
		for sent, v := range r.Header {
			key := textproto.CanonicalMIMEHeaderKey(sent)
			if isFraming(sent) || key == "Connection" {
				continue
			}
			if !slices.Contains(got.Header[key], trim(v[0])) {
				t.Fatalf("%q reads as %q", o.b, got.Header)
			}
		}
	})
}
