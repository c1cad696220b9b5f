package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// dying accepts connections, reads one request from each and cuts it after writing answer.
func dying(t *testing.T, answer string) (addr string, requests *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int32)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				requests.Add(1)
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String(), requests
}

// closed is an address at which nothing is.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestRetry(t *testing.T) {
	const half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
	for _, c := range []struct {
		name, method, body string
		first              string // what the first service does: "closed", or what it answers before it cuts the connection
		want               int
	}{
		{"nothing listens, GET", "GET", "", "closed", 200},
		{"nothing listens, POST: it was never written", "POST", "order", "closed", 200},
		{"cut before the answer, GET", "GET", "", "", 200},
		{"cut before the answer, PUT with a small body", "PUT", "state", "", 200},
		{"cut before the answer, POST: it may have been done", "POST", "order", "", 502},
		{"cut in the middle of a small answer, GET", "GET", "", half, 200},
		{"cut in the middle of a small answer, POST", "POST", "order", half, 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := closed(t)
			if c.first != "closed" {
				bad, _ = dying(t, c.first)
			}
			good := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = fmt.Fprintf(w, "good %s", body)
			})
			// Whichever is picked first, after some requests the bad one has been.
			s := to(bad, good)
			s.Services[0].Balance.Picker = model.WRR
			b := start(t, s)
			var statuses []int
			for range 2 {
				status, _, body := b.do(t, c.method, "/", strings.NewReader(c.body))
				if status == 200 && body != "good "+c.body {
					t.Errorf("body %q", body)
				}
				statuses = append(statuses, status)
			}
			if want := []int{200, c.want}; !slices.Equal(statuses, want) && !slices.Equal(statuses, []int{c.want, 200}) {
				t.Errorf("%v, want %v in some order", statuses, want)
			}
		})
	}
}

func TestRetryIsNotForEver(t *testing.T) {
	addr, requests := dying(t, "")
	b := start(t, to(addr))
	if status, _, _ := b.get(t, "/"); status != 502 {
		t.Errorf("status %d", status)
	}
	if n := requests.Load(); n != defaultAttempts {
		t.Errorf("%d attempts, want %d", n, defaultAttempts)
	}
}

func TestRetryMiddleware(t *testing.T) {
	addr, requests := dying(t, "")
	s := to(addr)
	s.Middlewares = []*model.Middleware{{
		Name: model.Name{Name: "once"}, Source: "file/test", Retry: &model.Retry{Attempts: 1},
	}}
	s.Routes[0].Middlewares = []model.Ref{{Name: model.Name{Name: "once"}}}
	b := start(t, s)
	b.get(t, "/")
	if n := requests.Load(); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
}

func TestLargeAnswerCutInTheMiddleIsSeenAsCut(t *testing.T) {
	addr, _ := dying(t, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 50000))
	b := start(t, to(addr))
	answer, err := b.http.Get(b.url)
	if err != nil {
		return // cut before its head reached us
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("a part of %d bytes was taken for the whole", len(body))
	}
}

func TestHeaderTimeout(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	s := to(addr)
	s.Routes[0].Timeouts.Header = 10 * time.Millisecond
	if status, h, _ := start(t, s).do(t, "POST", "/", nil); status != 504 || h.Get(reasonField) != reasonTimeout {
		t.Errorf("%d %s", status, h.Get(reasonField))
	}
}

func TestBodies(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Chunked") != "" {
			_, _ = w.Write(body[:len(body)/2])
			_ = http.NewResponseController(w).Flush()
			body = body[len(body)/2:]
		}
		_, _ = w.Write(body)
	})
	b := start(t, to(addr))
	for _, size := range []int{0, 1, wholeAnswer - 1, wholeAnswer, wholeAnswer + 1, replayable + 1, 1 << 20} {
		want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		for _, method := range []string{"POST", "PUT"} {
			for _, chunked := range []string{"", "1"} {
				_, h, got := b.do(t, method, "/", bytes.NewReader(want), "X-Chunked", chunked)
				if got != string(want) {
					t.Errorf("%s of %d bytes (chunked %q): %d came back", method, size, chunked, len(got))
				}
				if chunked == "" && size > 0 && size < 2048 && h.Get("Content-Length") != fmt.Sprint(size) {
					t.Errorf("%d bytes: Content-Length %q", size, h.Get("Content-Length"))
				}
			}
		}
	}
	if status, _, body := b.do(t, "HEAD", "/", nil); status != 200 || body != "" {
		t.Errorf("HEAD: %d %q", status, body)
	}
}

func TestStreamIsFlushed(t *testing.T) {
	next := make(chan struct{})
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	})
	b := start(t, to(addr))
	answer, err := b.http.Get(b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for range 3 { // each event arrives while the service waits
		if _, err := io.ReadFull(answer.Body, make([]byte, len("data: x\n\n"))); err != nil {
			t.Fatal(err)
		}
		next <- struct{}{}
	}
}

func TestTrailersAndInformationalAnswers(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "43")
	})
	b := start(t, to(addr))
	early := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == http.StatusEarlyHints && h.Get("Link") != "" {
				early++
			}
			return nil
		},
	})
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, b.url, nil)
	answer, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "body" {
		t.Fatalf("%q %v", body, err)
	}
	if early != 1 || answer.Header.Get("Link") != "" {
		t.Errorf("early hints: %d, Link in the final answer: %q", early, answer.Header.Get("Link"))
	}
	if answer.Trailer.Get("X-Sum") != "42" || answer.Trailer.Get("X-Late") != "43" {
		t.Errorf("trailers: %v", answer.Trailer)
	}
}

func TestUpgrade(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if upgradeType(r.Header) != "echo" {
			http.Error(w, "no upgrade", http.StatusBadRequest)
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, rw)
	})
	b := start(t, to(addr))
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Upgrade") != "echo" {
		t.Fatalf("%v %v", answer, err)
	}
	_, _ = io.WriteString(conn, "late")
	got := make([]byte, len("early late"))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "early late" {
		t.Errorf("%q %v", got, err)
	}
}

func TestDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "finished")
	})
	b := start(t, to(addr))
	type reply struct {
		body string
		err  error
	}
	replies := make(chan reply, 1)
	go func() {
		answer, err := b.http.Get(b.url)
		if err != nil {
			replies <- reply{err: err}
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		replies <- reply{string(body), err}
	}()
	<-arrived
	b.stop()
	close(release)
	if r := <-replies; r.err != nil || r.body != "finished" {
		t.Errorf("%q %v", r.body, r.err)
	}
}

// A service may answer while the request is still being sent: each line is echoed before the next one is written.
func TestFullDuplex(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintln(w, lines.Text())
			_ = control.Flush()
		}
	})
	b := start(t, to(addr))
	body, write := io.Pipe()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, body)
	go func() { _, _ = fmt.Fprintln(write, "line 0") }()
	answer, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	echo := bufio.NewReader(answer.Body)
	for n := range 5 {
		if got, err := echo.ReadString('\n'); err != nil || got != fmt.Sprintf("line %d\n", n) {
			t.Fatalf("%q %v", got, err)
		}
		if _, err := fmt.Fprintf(write, "line %d\n", n+1); err != nil {
			t.Fatal(err)
		}
	}
	_ = write.Close()
	if rest, err := io.ReadAll(echo); err != nil || string(rest) != "line 5\n" {
		t.Errorf("%q %v", rest, err)
	}
}
