package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// client speaks to a server over one connection, answer by answer.
type client struct {
	t  testing.TB
	c  net.Conn
	br *bufio.Reader
}

func newClient(t testing.TB, c net.Conn) *client { return &client{t, c, bufio.NewReader(c)} }

func (c *client) send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c.c, raw); err != nil {
		c.t.Fatal(err)
	}
}

// answer returns the status and the body of the next answer, and its head.
func (c *client) answer() (int, string, *http.Response) {
	c.t.Helper()
	response, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(body), response
}

// ended fails if the server did not close the connection.
func (c *client) ended() {
	c.t.Helper()
	if b, err := c.br.ReadByte(); err != io.EOF && (err == nil || !strings.Contains(err.Error(), "reset")) {
		c.t.Errorf("not closed: %q %v", b, err)
	}
}

// The client is told to send its body when the handler reads, not before, and never when it does not.
func TestContinueIsSentByReading(t *testing.T) {
	read := make(chan bool)
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if <-read {
			_, _ = io.Copy(w, r.Body)
		}
	})})
	c := newClient(t, dial(t, address))
	head, body, _ := strings.Cut(post("hello", "Expect: 100-continue\r\n"), "hello")
	c.send(head)
	read <- true
	if status, _, _ := c.answer(); status != http.StatusContinue {
		t.Fatalf("status %d", status)
	}
	c.send("hello" + body)
	if status, body, _ := c.answer(); status != http.StatusOK || body != "hello" {
		t.Fatalf("status %d, body %q", status, body)
	}
	c.send(head)
	read <- false
	if status, _, response := c.answer(); status != http.StatusOK || !response.Close {
		t.Errorf("status %d, close %v", status, response.Close)
	}
	c.ended()
}

func TestExpectContinueIsNotForOldClients(t *testing.T) {
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(repeats)})
	got := talk(t, address, "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")
	if !strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n") {
		t.Errorf("%q", got)
	}
}

func TestIdleConnectionsHoldNoBuffer(t *testing.T) {
	s := &Server{Poison: true, Handler: http.HandlerFunc(repeats)}
	address := serve(t, s)
	for range 10 {
		c := newClient(t, dial(t, address))
		c.send(post("hello", ""))
		c.answer()
	}
	dial(t, address)
	if !eventually(func() bool { return s.buffers.out.Load() == 0 }) {
		t.Errorf("%d buffers are held by idle connections", s.buffers.out.Load())
	}
}

// What stays from a request that a connection or an exchange served before must not be seen.
func TestNothingIsLeftOfTheRequestBefore(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/a/{name}", func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		r.Header.Set("Left", "over")
		r.Header["Second"] = append(r.Header["Second"], "x")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %v %v %q %v %v", r.PathValue("name"), r.Form, r.Header, r.Pattern, r.Trailer, r.ContentLength)
	})
	address := serve(t, &Server{Handler: mux})
	c := newClient(t, dial(t, address))
	for range 3 {
		c.send("POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nSecond: y\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n3\r\ne=f\r\n0\r\nT: u\r\n\r\n")
		c.answer()
		c.send(get("Third: z\r\n"))
		if _, body, _ := c.answer(); body != `"" map[] map[Third:[z]] "/" map[] 0` {
			t.Errorf("%s", body)
		}
	}
}

// A handler that keeps what it had sees it spoilt.
func TestPoison(t *testing.T) {
	kept := make(chan *http.Request, 1)
	writer := make(chan http.ResponseWriter, 1)
	s := &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept <- r
		writer <- w
	})}
	talk(t, serve(t, s), "GET /kept HTTP/1.1\r\nHost: x\r\nA: b\r\nConnection: close\r\n\r\n")
	awaitEmpty(t, s)
	r, w := <-kept, <-writer
	if r.Method != "POISON" || r.URL.Path == "/kept" || r.Header.Get("A") != "" || r.Header.Get("Poison") == "" {
		t.Errorf("%v", r)
	}
	if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("reading the body: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("writing did not fail")
		}
	}()
	_, _ = w.Write([]byte("x"))
}

func TestRequestsOfAConnectionAreLimited(t *testing.T) {
	var open atomic.Int64
	s := &Server{Poison: true, Requests: 3, Handler: says("x"), OnOpen: func(delta int) { open.Add(int64(delta)) }}
	address := serve(t, s)
	c := newClient(t, dial(t, address))
	c.send(strings.Repeat(get(""), 5))
	for i := range 3 {
		if _, _, response := c.answer(); response.Close != (i == 2) {
			t.Errorf("answer %d: close %v", i, response.Close)
		}
	}
	c.ended()
	if !eventually(func() bool { return open.Load() == 0 }) {
		t.Errorf("%d open", open.Load())
	}
}

// Requests that came together are answered in order, each before the next is read.
func TestPipeline(t *testing.T) {
	var under atomic.Int64
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if under.Add(1) != 1 {
			t.Error("two at once")
		}
		defer under.Add(-1)
		_, _ = io.WriteString(w, r.URL.Path)
	})})
	c := newClient(t, dial(t, address))
	var all strings.Builder
	for i := range 200 {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: x\r\nPadding: %s\r\n\r\n", i, strings.Repeat("p", i*7))
	}
	go c.send(all.String())
	for i := range 200 {
		if _, body, _ := c.answer(); body != fmt.Sprintf("/%d", i) {
			t.Fatalf("answer %d is %q", i, body)
		}
	}
}

// What comes before an answer, and so before the wait for what follows it, is not missed.
func TestEarlyRequestsAreFound(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	address := serve(t, &Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})})
	const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	requests, ends := newClient(t, dial(t, address)), newClient(t, dial(t, address))
	requests.send(request)
	for range 3 {
		<-arrived
		requests.send(request)
		release <- struct{}{}
		requests.answer()
	}
	<-arrived
	release <- struct{}{}
	requests.answer()

	ends.send(request)
	<-arrived
	if err := ends.c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	release <- struct{}{}
	ends.answer()
	ends.ended()
}

// What 200 would say stays in 304 (RFC 9110 §15.4.5): net/http leaves it out.
func TestNotModifiedSaysWhatWouldBe(t *testing.T) {
	address := serve(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "4")
		w.Header().Set("Content-Type", "a/b")
		w.WriteHeader(http.StatusNotModified)
	})})
	got := talkAndEnd(t, address, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 2))
	if strings.Count(got, "Content-Length: 4\r\nContent-Type: a/b\r\n") != 2 {
		t.Errorf("%q", got)
	}
}

// What may not stand in a trailer (RFC 9110 §6.5.1) does not, whoever asks for it.
func TestTrailersThatMayNotBe(t *testing.T) {
	address := serve(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Connection, Host, content-length, Sum")
		_ = http.NewResponseController(w).Flush()
		for _, name := range []string{"Connection", "Host", "Content-Length", "Sum"} {
			w.Header().Set(name, "declared")
		}
		for _, name := range []string{"connection", "host", "Transfer-Encoding", "trailer", "Late"} {
			w.Header().Set(http.TrailerPrefix+name, "late")
		}
	})})
	answer := talk(t, address, get("Connection: close\r\n"))
	_, trailer, _ := strings.Cut(answer, "\r\n\r\n")
	if want := "0\r\nLate: late\r\nSum: declared\r\n\r\n"; trailer != want {
		t.Errorf("%q, want %q", trailer, want)
	}
}

func TestLargeHead(t *testing.T) {
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.Header.Get("Cookie")), len(r.Header))
	})})
	c := newClient(t, dial(t, address))
	for _, size := range []int{4000, 4096, 17000, 70000, 300000} {
		c.send(get("Cookie: " + strings.Repeat("c", size) + "\r\nA: b\r\n"))
		if _, body, _ := c.answer(); body != fmt.Sprint(size, 2) {
			t.Errorf("%d: %q", size, body)
		}
	}
}

// The answer to a request that is refused early arrives, though the client sends more than we read.
func TestEarlyAnswerArrives(t *testing.T) {
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})})
	conn := dial(t, address)
	go func() {
		_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 100<<20)
		for range 100 {
			_, _ = conn.Write(make([]byte, 4096))
		}
	}()
	c := newClient(t, conn)
	if status, _, response := c.answer(); status != http.StatusRequestEntityTooLarge || !response.Close {
		t.Errorf("status %d", status)
	}
}

// The body is read in another goroutine while the answer is written, as a proxy does.
func TestFullDuplex(t *testing.T) {
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		must(rc.EnableFullDuplex())
		pieces := make(chan []byte)
		go func() {
			defer close(pieces)
			for {
				b := make([]byte, 10)
				n, err := r.Body.Read(b)
				if n > 0 {
					pieces <- b[:n]
				}
				if err != nil {
					return
				}
			}
		}()
		for piece := range pieces {
			_, _ = w.Write(bytes.ToUpper(piece))
			must(rc.Flush())
		}
	})})
	c := newClient(t, dial(t, address))
	c.send(chunks("", ""))
	for i := range 3 {
		c.send("5\r\nhello\r\n")
		if i > 0 {
			continue
		}
		if response, err := http.ReadResponse(c.br, nil); err != nil {
			t.Fatal(err)
		} else {
			defer response.Body.Close()
			b := make([]byte, 5)
			if _, err := io.ReadFull(response.Body, b); err != nil || string(b) != "HELLO" {
				t.Fatalf("%q %v", b, err)
			}
		}
	}
	c.send("0\r\n\r\n" + goodbye)
	rest, err := io.ReadAll(c.br)
	if err != nil || strings.Count(string(rest), "HELLO") != 2 || !strings.Contains(string(rest),
		"\r\n0\r\n\r\nHTTP/1.1 200 OK") {
		t.Errorf("%q %v", rest, err)
	}
}

// A goroutine that still reads the body when the handler returns is interrupted, and the connection is closed.
func TestReadingAfterTheHandlerIsInterrupted(t *testing.T) {
	ended := make(chan error, 1)
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(http.NewResponseController(w).EnableFullDuplex())
		started := make(chan struct{})
		body := r.Body
		go func() {
			b := make([]byte, 10)
			_, _ = body.Read(b)
			close(started)
			_, err := body.Read(b)
			ended <- err
		}()
		<-started
	})})
	c := newClient(t, dial(t, address))
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
	c.answer()
	if err := <-ended; err == nil {
		t.Error("read after the handler had returned")
	}
	c.ended()
}

func TestFileIsSent(t *testing.T) {
	name := t.TempDir() + "/file"
	content := strings.Repeat("0123456789", 100_000)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	address := serve(t, &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, name)
	})})
	c := newClient(t, dial(t, address))
	for range 2 {
		c.send(get(""))
		if _, body, _ := c.answer(); body != content {
			t.Errorf("%d bytes", len(body))
		}
		c.send(get("Range: bytes=5-14\r\n"))
		if status, body, _ := c.answer(); status != http.StatusPartialContent || body != content[5:15] {
			t.Errorf("%d %q", status, body)
		}
	}
}

func TestServerAllocates(t *testing.T) {
	fields := []string{"text/plain"}
	body := make([]byte, 100)
	address := serve(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = fields
		_, _ = w.Write(body)
	})})
	conn := dial(t, address)
	request, answer := []byte(benchRequest), make([]byte, 4096)
	allocations := testing.AllocsPerRun(200, func() {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(answer); err != nil {
			t.Fatal(err)
		}
	})
	if most := 3.0; allocations > most && !raceEnabled() {
		t.Errorf("%v allocations for a request, more than %v", allocations, most)
	}
}

// raceEnabled reports whether pools drop things at random.
func raceEnabled() bool {
	var pool buffers
	for range 100 {
		b := pool.take(1)
		pool.give(b)
		if again := pool.take(1); again != b {
			return true
		}
	}
	return false
}

func TestShutdown(t *testing.T) {
	under, finish := make(chan struct{}), make(chan struct{})
	s := &Server{Poison: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(under)
			<-finish
		}
		_, _ = io.WriteString(w, "done")
	})}
	address := serve(t, s)
	fresh := newClient(t, dial(t, address))
	idle := newClient(t, dial(t, address))
	idle.send(get(""))
	idle.answer()
	busy := newClient(t, dial(t, address))
	busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-under
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown did not wait: %v", err)
	}
	idle.ended()
	fresh.ended()
	close(finish)
	if _, body, response := busy.answer(); body != "done" || !response.Close {
		t.Errorf("%q, close %v", body, response.Close)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		t.Error("still accepting")
		_ = c.Close()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}
