package wire

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

const benchRequest = "GET /some/path?with=query HTTP/1.1\r\nHost: service.example\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef\r\n\r\n"

// benchEngines are ours and net/http's, configured alike.
func benchEngines(handler http.Handler) map[string]engine {
	const limit = time.Minute
	return map[string]engine{
		"wire": &Server{Handler: handler, ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: limit},
		"nethttp": &http.Server{
			Handler: handler, ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: limit, ReadHeaderTimeout: limit,
		},
	}
}

// BenchmarkServer is a keep-alive request of a client that costs next to nothing, for both engines: alone, and 16 in
// one packet.
func BenchmarkServer(b *testing.B) {
	for _, size := range []int{128, 10 << 10} {
		body, contentType, length := make([]byte, size), []string{"text/plain"}, []string{strconv.Itoa(size)}
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h["Content-Type"], h["Content-Length"] = contentType, length
			_, _ = w.Write(body)
		})
		for _, depth := range []int{1, 16} {
			for _, name := range []string{"wire", "nethttp"} {
				b.Run(fmt.Sprintf("%s/%dB/%d", name, size, depth), func(b *testing.B) {
					benchmark(b, serve(b, benchEngines(handler)[name]), depth)
				})
			}
		}
	}
}

func benchmark(b *testing.B, address string, depth int) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	requests := bytes.Repeat([]byte(benchRequest), depth)
	answers := make([]byte, depth*answerLength(b, conn))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N / depth {
		if _, err := conn.Write(requests); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answers); err != nil {
			b.Fatal(err)
		}
	}
}

// answerLength asks once, to know how long the answers are.
func answerLength(b *testing.B, conn net.Conn) int {
	b.Helper()
	if _, err := io.WriteString(conn, benchRequest); err != nil {
		b.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		b.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		b.Fatal(err)
	}
	return len(answer)
}

// BenchmarkParse is the head of a request, without anything around it.
func BenchmarkParse(b *testing.B) {
	raw, l := []byte(benchRequest), limits{1 << 20, 100}
	header := make(http.Header)
	var h head
	b.ReportAllocs()
	for b.Loop() {
		h.reset()
		clear(header)
		end, _, err := endOfHead(raw, 0)
		if err != nil || h.parseRequest(raw[:end], l) != nil {
			b.Fatal("refused")
		}
		h.header(header)
	}
}
