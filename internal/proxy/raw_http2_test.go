package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// overHTTP2 is depths.through for a client of HTTP/2. A request is its fields in order, a line each ("name value"), and
// what the client saw is told in the same way.
func (d *depths) overHTTP2(tb testing.TB, depth, fields, body, answer string) [2]string {
	tb.Helper()
	d.service.set(answer)
	conn, err := net.Dial("tcp", d.ways[depth])
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(4 * time.Second)) // the fuzzer takes 10 s for a deadlock
	frames := http2.NewFramer(conn, conn)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = frames.WriteSettings()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	_ = frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == "",
	})
	for rest := body; rest != ""; {
		part := rest[:min(len(rest), 16<<10)]
		rest = rest[len(part):]
		_ = frames.WriteData(1, rest == "", []byte(part))
	}
	seen := seenOf(frames)
	return [2]string{d.service.take(), dateField.ReplaceAllString(seen, "date now")}
}

var dateField = regexp.MustCompile(`date [^\n]*`)

// seenOf reads until stream 1 ends, and returns what came on it.
func seenOf(frames *http2.Framer) string {
	frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var seen strings.Builder
	for {
		f, err := frames.ReadFrame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return seen.String() + "and no end"
		}
		if err != nil {
			return seen.String() + err.Error()
		}
		if f.Header().StreamID != 1 {
			continue
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				fmt.Fprintf(&seen, "%s %s\n", field.Name, field.Value)
			}
		case *http2.DataFrame:
			seen.Write(f.Data())
			_ = frames.WriteWindowUpdate(0, max(f.Length, 1))
			_ = frames.WriteWindowUpdate(1, max(f.Length, 1))
		case *http2.RSTStreamFrame:
			return seen.String() + f.ErrCode.String()
		}
		if f.Header().Flags.Has(http2.FlagDataEndStream) { // HEADERS has the same
			return seen.String()
		}
	}
}

// TestDepths for clients of HTTP/2.
func TestDepthsOfHTTP2(t *testing.T) {
	const get = ":method GET\n:scheme http\n:authority a.example\n:path /a/b?c=d%20e\n"
	const put = ":method PUT\n:scheme http\n:authority a.example\n:path /\n"
	large := strings.Repeat("0123456789abcdef", 5000)
	answered := func(rest string) string { return "HTTP/1.1 200 OK\r\nDate: x\r\n" + rest }
	for _, c := range []struct {
		name, fields, body, answer string
		raw                        bool
	}{
		{"plain", get + "user-agent x\naccept */*\n", "", plainAnswer, true},
		{"order, several of one", get + "b 1\na 2\nb 3\nc \n", "", plainAnswer, true},
		{"cookies", get + "cookie a=b\nx y\ncookie c=d\n", "", plainAnswer, true},
		{"fields that stay behind", get + "fairlead-service x\nx-forwarded-for 1.2.3.4\nforwarded for=x\n" +
			"proxy-authorization x\nx-real-ip 9.9.9.9\n", "", plainAnswer, true},
		{"put", put + "content-length 5\ncontent-type a/b\n", "hello", plainAnswer, true},
		{"put nothing", put + "content-length 0\n", "", plainAnswer, true},
		{"a large body", put + "content-length 60000\n", large[:60000], plainAnswer, true},
		{"head", strings.Replace(get, "GET", "HEAD", 1), "", answered("Content-Length: 7\r\n\r\n"), true},
		{"odd status, no date", get, "", "HTTP/1.1 299 Whatever\r\nContent-Length: 0\r\n\r\n", true},
		{"204", get, "", "HTTP/1.1 204 No Content\r\nDate: x\r\nX: Content-Length\r\n\r\n", true},
		{"304", get, "", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nEtag: 1\r\n\r\n", true},
		{"fields that stay here", get, "", answered("Fairlead-Reason: x\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n"),
			true},
		{"already signed", get, "", answered("Via: 1.1 b\r\nVia: 1.1 c\r\nContent-Length: 0\r\n\r\n"), true},
		{"10 KiB", get, "", answered("Content-Length: 10000\r\n\r\n" + large[:10000]), true},
		{"larger than what is read whole", get, "", answered("Content-Length: 80000\r\n\r\n" + large), true},
		{"chunks", get, "", answered("b: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), true},
		{"a trailer", get, "", answered("Trailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"),
			true},
		{"until the end", get, "", answered("\r\nok"), true},
		{"informational", get, "", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + plainAnswer, true},
		{"no answer", put + "content-length 1\n", "x", "", true},
		{"half an answer", put + "content-length 1\n", "x", answered("content-length: 5\r\n\r\nok"), true},
		{"half a large answer", get, "", answered("content-length: 90000\r\n\r\n" + large), true},

		{"escapes", strings.Replace(get, "/a/b", "/%41", 1), "", plainAnswer, false},
		{"dots", strings.Replace(get, "/a/b", "/a/../b", 1), "", plainAnswer, false},
		{"trailers wanted", get + "te trailers\n", "", plainAnswer, false},
		{"no length", put, "body", plainAnswer, false},
		{"host beside", get + "host a.example\n", "", plainAnswer, false},
		{"expects", put + "expect 100-continue\ncontent-length 1\n", "x", plainAnswer, false},
		{"signed", get + "via 1.0 x\n", "", plainAnswer, false},
		{"malformed", get + "connection close\n", "", plainAnswer, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDepths(t, EntryPoint{Via: Via{Name: "f", Answers: true}}, nil)
			raw := d.overHTTP2(t, "raw", c.fields, c.body, c.answer)
			general := d.overHTTP2(t, "general", c.fields, c.body, c.answer)
			d.agree(t, raw, general, c.raw)
		})
	}
}

// FuzzDepths for clients of HTTP/2.
func FuzzDepthsOfHTTP2(f *testing.F) {
	f.Add("GET", "/a", "x-a 1\nb 2\n", "", "server: x\r\nX: 1\r\n", "ok")
	f.Add("POST", "/?", "content-length 4\nvia x\n", "body", "Connection: close\r\n", "")
	f.Add("POST", "/?", "content-length 4\n", "body", "Connection: clo", "")
	f.Add("HEAD", "/%2e", "cookie a\ncookie b\nhost a\n", "", "Set-Cookie: a\r\nset-cookie: b\r\n", "x")
	f.Add("PUT", "/a/./b", "x-forwarded-proto https\nte trailers\n", "b", "Trailer: X\r\nVia: 1.1 y\r\n", "x")
	d := newDepths(f, EntryPoint{Via: Via{Name: "f", Answers: true}}, nil)
	d.service.closes = true // as an answer may say that it ends so
	f.Fuzz(func(t *testing.T, method, target, fields, body, answered, content string) {
		request := ":method " + method + "\n:scheme http\n:authority a\n:path " + target + "\n" + fields
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: x\r\n%sContent-Length: %d\r\n\r\n%s", answered, len(content), content)
		raw := d.overHTTP2(t, "raw", request, body, answer)
		if general := d.overHTTP2(t, "general", request, body, answer); raw != general {
			t.Errorf("raw:\n%q\n%q\ngeneral:\n%q\n%q", raw[0], raw[1], general[0], general[1])
		}
	})
}
