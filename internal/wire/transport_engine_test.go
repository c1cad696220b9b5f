package wire

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// eachEngine runs a test with net/http's Transport and with ours: what is not said to differ is the same.
func eachEngine(t *testing.T, test func(t *testing.T, rt http.RoundTripper, ours bool)) {
	t.Helper()
	t.Run("net/http", func(t *testing.T) {
		rt := &http.Transport{DisableCompression: true, ExpectContinueTimeout: 50 * time.Millisecond}
		t.Cleanup(rt.CloseIdleConnections)
		test(t, rt, false)
	})
	t.Run("wire", func(t *testing.T) {
		test(t, newTestTransport(t, TransportOptions{ContinueTimeout: 50 * time.Millisecond}), true)
	})
}

// newTestTransport returns a Transport that spoils what it gives back. At the end of the test it must have all buffers.
func newTestTransport(t *testing.T, o TransportOptions) *Transport {
	tr := NewTransport(o)
	tr.buffers.count, tr.buffers.poison = true, true
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if !eventually(func() bool { return tr.buffers.out.Load() == 0 }) {
			t.Errorf("%d buffers were not given back", tr.buffers.out.Load())
		}
	})
	return tr
}

// eventually waits for what other goroutines do last.
func eventually(holds func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(5 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			return holds()
		}
	}
	return true
}

// service is a raw service: serve gets each connection that is accepted, and its number from 1. The connection is
// closed when serve returns.
func service(t *testing.T, serve func(c net.Conn, in *bufio.Reader, number int)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() {
		for number := 1; ; number++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				stop := context.AfterFunc(ctx, func() { _ = c.Close() })
				defer stop()
				defer func() { _ = c.Close() }()
				serve(c, bufio.NewReader(c), number)
			})
		}
	})
	t.Cleanup(func() { cancel(); _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// request reads a request with its body. Nil: the connection ended.
func request(in *bufio.Reader) *http.Request {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return r
}

// answering is a service that gives the same answer to each request, and can close after it.
func answering(t *testing.T, answer string, andClose bool) (address string, connections func() int) {
	var mu sync.Mutex
	last := 0
	address = service(t, func(c net.Conn, in *bufio.Reader, number int) {
		mu.Lock()
		last = max(last, number)
		mu.Unlock()
		for request(in) != nil {
			if _, err := io.WriteString(c, answer); err != nil || andClose {
				return
			}
		}
	})
	return address, func() int { mu.Lock(); defer mu.Unlock(); return last }
}

func newRequest(ctx context.Context, t *testing.T, method, address, body string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+address+"/path?q=1", reader)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["User-Agent"] = nil
	return r
}

// outcome is what a caller sees.
type outcome struct {
	Status  int
	Text    string
	Header  http.Header
	Trailer http.Header
	Length  int64
	Close   bool
	Body    string
	Refused bool // RoundTrip failed
	Broken  bool // reading the body failed
}

func send(rt http.RoundTripper, r *http.Request) outcome {
	response, err := rt.RoundTrip(r)
	if err != nil {
		return outcome{Refused: true}
	}
	body, err := io.ReadAll(response.Body)
	if response.Close { // net/http drops the whole field, and what else it lists
		response.Header.Del("Connection")
	}
	o := outcome{
		Status: response.StatusCode, Text: response.Status, Header: response.Header, Trailer: response.Trailer,
		Length: response.ContentLength, Close: response.Close, Body: string(body), Broken: err != nil,
	}
	_ = response.Body.Close()
	return o
}

// mustGet wants 200 and returns the body.
func mustGet(t *testing.T, rt http.RoundTripper, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", response.StatusCode, err)
	}
	return string(body)
}

// standard is a service of net/http.
func standard(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}
