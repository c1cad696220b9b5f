package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/telemetry"
	"github.com/fairlead/fairlead/internal/upstream"
)

const relayRequest = "GET /some/path?with=query HTTP/1.1\r\nHost: service.example\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef\r\n\r\n"

// BenchmarkRelay is a request through the whole proxy, over one connection to each side: at both depths, and with what
// looks at it. What is counted is the proxy's: client and service allocate nothing.
func BenchmarkRelay(b *testing.B) {
	metrics := telemetry.NewMetrics()
	accessLog, err := telemetry.NewAccessLog(io.Discard, telemetry.JSON)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var writing sync.WaitGroup
	writing.Go(func() { _ = accessLog.Run(ctx) })
	defer writing.Wait()
	defer stop()
	rate := func(part float64) *telemetry.Traces { return benchTraces(ctx, b, &writing, part) }
	all, none := rate(1), rate(0)
	for _, size := range []int{128, 10 << 10} {
		for _, depth := range []string{"raw", "general"} {
			for _, with := range []struct {
				name      string
				observers []Observer
				traces    *telemetry.Traces
			}{
				{"nothing", nil, nil}, {"metrics", []Observer{metrics}, nil}, {"log", []Observer{accessLog}, nil},
				{"both", []Observer{metrics, accessLog}, nil},
				{"traces", []Observer{all}, all}, {"traces-untold", []Observer{none}, none},
			} {
				b.Run(fmt.Sprintf("%d/%s/%s", size, depth, with.name), func(b *testing.B) {
					benchmarkRelay(b, depth == "raw", size, func(o *Options) {
						o.Observers, o.Traces = with.observers, with.traces
					})
				})
			}
		}
	}
}

// benchTraces tells a collector that takes everything of a part of the traces.
func benchTraces(ctx context.Context, b *testing.B, running *sync.WaitGroup, part float64) *telemetry.Traces {
	b.Helper()
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	b.Cleanup(collector.Close)
	traces, err := telemetry.NewTraces(telemetry.TraceOptions{
		Collector: telemetry.Collector{Endpoint: collector.URL}, SampleRate: part, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	running.Go(func() { _ = traces.Run(ctx) })
	return traces
}

func benchmarkRelay(b *testing.B, raw bool, size int, change func(*Options)) {
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: s\r\nDate: Sun, 22 Nov 2026 11:27:00 GMT\r\n"+
		"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", size, bytes.Repeat([]byte("x"), size))
	e := EntryPoint{Name: "web", Default: true, Via: Via{Name: "fairlead", Answers: true}}
	o := Options{
		EntryPoints: []EntryPoint{e}, Hosts: upstream.NewHosts(upstream.Options{}),
		Middlewares: middleware.NewSet(middleware.Options{}), Log: slog.New(slog.DiscardHandler),
	}
	change(&o)
	p, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	p.Apply(to(answers(b, answer)), true)
	defer p.builder.closeIdle()
	handler := p.clients(e)
	if !raw {
		handler = http.HandlerFunc(handler.ServeHTTP)
	}
	addr, _ := listen(b, handler, false)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request, got := []byte(relayRequest), make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		for n, whole := 0, len(answer)+len("Via: 1.1 fairlead\r\n"); n < whole; {
			m, err := conn.Read(got[n:])
			if n += m; err != nil {
				b.Fatal(err)
			}
		}
	}
}

// answers is a service that gives the same answer to every request without a body.
func answers(b *testing.B, answer []byte) (addr string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) == len("\r\n") {
						if _, err := conn.Write(answer); err != nil {
							return
						}
					}
				}
			})
		}
	})
	b.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}
