//go:build unix

package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// BenchmarkTransport sends GET over one kept connection to a service that parses nothing. The service allocates
// nothing: what is counted is the engine's.
func BenchmarkTransport(b *testing.B) {
	for _, size := range []int{128, 10 << 10, 1 << 20} {
		address := benchService(b, size)
		for _, engine := range []struct {
			name string
			rt   http.RoundTripper
		}{
			{"nethttp", &http.Transport{DisableCompression: true}},
			{"wire", NewTransport(TransportOptions{})},
		} {
			b.Run(fmt.Sprintf("%d/%s", size, engine.name), func(b *testing.B) { benchGet(b, engine.rt, address, false) })
			b.Run(fmt.Sprintf("%d/%s-cancellable", size, engine.name), func(b *testing.B) {
				benchGet(b, engine.rt, address, true)
			})
		}
	}
}

func benchGet(b *testing.B, rt http.RoundTripper, address string, cancellable bool) {
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/some/path?q=1", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = http.Header{
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}, "Accept": {"text/html,application/xhtml+xml"},
		"Accept-Language": {"en-GB,en;q=0.5"}, "Accept-Encoding": {"gzip, deflate, br"}, "Cookie": {"session=abcdef"},
		"X-Forwarded-For": {"10.1.2.3"},
	}
	buffer := make([]byte, 64<<10)
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		out := r
		cancel := func() {}
		if cancellable {
			var ctx context.Context
			ctx, cancel = context.WithCancel(context.Background())
			out = r.WithContext(ctx)
		}
		response, err := rt.RoundTrip(out)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = response.Body.Read(buffer)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		_ = response.Body.Close()
		cancel()
	}
}

// reportCPU reports the CPU time of the whole process, the service's part included: on a busy machine it says more than
// the clock.
func reportCPU(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

func benchService(b *testing.B, size int) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 11:27:00 GMT\r\nServer: bench\r\n"+
		"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				in := make([]byte, 4096)
				n := 0
				for {
					got, err := c.Read(in[n:])
					if err != nil {
						return
					}
					if n += got; bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
						n = 0
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// BenchmarkCopy moves bodies of 1 MiB from a service to a TCP connection.
func BenchmarkCopy(b *testing.B) {
	const size = 1 << 20
	address := benchService(b, size)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, bufio.NewReaderSize(c, 256<<10)) }()
		}
	}()
	to, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	rt := NewTransport(TransportOptions{})
	for name, w := range map[string]io.Writer{"splice": to, "copy": struct{ io.Writer }{to}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			defer reportCPU(b)()
			for b.Loop() {
				r, _ := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
				response, err := rt.RoundTrip(r)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(w, response.Body); n != size || err != nil {
					b.Fatal(n, err)
				}
				_ = response.Body.Close()
			}
		})
	}
}
