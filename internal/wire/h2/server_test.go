package h2

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
)

// TestShutdown: requests under way are finished, and so are those that were on their way; then the connection ends.
func TestShutdown(t *testing.T) {
	var may chan struct{} // made in the bubble of the test
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-may
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		may = make(chan struct{})
		c := dialPipe(t, s)
		c.headers(1, true, get("/slow")...)
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(context.Background()) }()
		c.want(0, "GOAWAY 2147483647 NO_ERROR")
		c.headers(3, true, get("/on-its-way")...)
		if got := c.answer(3); !strings.Contains(got, "DATA /on-its-way end") {
			t.Errorf("answer: %s", got)
		}
		ping := c.want(0, "PING")
		if ping.text != "PING" {
			t.Errorf("%s", ping.text)
		}
		c.send(func() error { return c.framer.WritePing(true, drainPing()) })
		c.want(0, "GOAWAY 3 NO_ERROR")
		c.headers(5, true, get("/too-late")...)
		close(may)
		if got := c.answer(1); !strings.Contains(got, "DATA /slow end") {
			t.Errorf("answer: %s", got)
		}
		if got := c.answer(5); got != "closed" {
			t.Errorf("answer to what came too late: %s", got)
		}
		if err := <-down; err != nil {
			t.Error(err)
		}
	})
}

// TestShutdownInTime: who waits for the end of a drain waits as long as it likes.
func TestShutdownInTime(t *testing.T) {
	s := &Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		c := dialPipe(t, s)
		c.headers(1, true, get("/")...)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if took := since(func() {
			if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
				t.Error(err)
			}
		}); took != time.Minute {
			t.Errorf("waited for %v", took)
		}
		_ = s.Close()
		c.want(0, "closed")
	})
}

// TestStalledStreamsLeaveTheOthers: handlers that do not read their bodies, and clients that do not read their answers,
// keep nobody else waiting; and what is held for them is bounded.
func TestStalledStreamsLeaveTheOthers(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/unread":
			<-r.Context().Done()
		case "/untaken":
			_, _ = w.Write(make([]byte, 1<<20))
		default:
			n, err := io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, strings.Repeat("x", int(n)))
			if err != nil {
				t.Error(err)
			}
		}
	})
	c := dial(t, s)
	stream := uint32(1)
	for range 60 { // together far more than the connection's window
		c.headers(stream, false, post("/unread")...)
		for range 3 {
			c.data(stream, false, strings.Repeat("x", maxFrame))
		}
		stream += 2
	}
	for range 60 {
		c.headers(stream, true, get("/untaken")...)
		stream += 2
	}
	// They have used up the connection's window towards us: that is the client's to give back, and it does.
	c.send(func() error { return c.framer.WriteWindowUpdate(0, 60<<20) })
	c.headers(stream, false, post("/")...)
	c.data(stream, true, "hello")
	if got := c.answer(stream); !strings.Contains(got, "DATA xxxxx end") {
		t.Errorf("answer: %s", got)
	}
	c.send(func() error { return c.framer.WriteData(1, false, make([]byte, maxFrame)) })
	if got := c.answer(1); got != "RST_STREAM FLOW_CONTROL_ERROR" {
		t.Errorf("beyond the window of a stream: %s", got)
	}
}

// TestConcurrentStreams: one too many is refused, so that the client may send it again.
func TestConcurrentStreams(t *testing.T) {
	s := newServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s.MaxConcurrentStreams = 3
	c := dial(t, s)
	for i := range uint32(4) {
		c.headers(2*i+1, true, get("/")...)
	}
	c.want(7, "RST_STREAM REFUSED_STREAM")
}

// TestExpect: a client that waits for leave to send the body gets it when the body is read, and not otherwise.
func TestExpect(t *testing.T) {
	c := dial(t, newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			_, _ = io.Copy(w, r.Body)
		}
	}))
	c.headers(1, false, post("/read", "expect", "100-continue")...)
	c.want(1, "HEADERS :status=100")
	c.data(1, true, "a")
	if got := c.answer(1); !strings.HasSuffix(got, "DATA a end") {
		t.Errorf("answer: %s", got)
	}
	c.headers(3, false, post("/unread", "expect", "100-continue")...)
	if got := c.answer(3); got != "HEADERS :status=200 content-length=0 end" {
		t.Errorf("answer: %s", got)
	}
	c.want(3, "RST_STREAM NO_ERROR") // the rest is not wanted
}

// TestLargeHeads: what is too much is decoded, and answered; what is far too much ends the connection.
func TestLargeHeads(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	s.HeaderBytes, s.Fields = 4000, 20
	c := dial(t, s)
	many := func(n int) (fields []string) {
		for range n {
			fields = append(fields, "x", "y")
		}
		return get("/", fields...)
	}
	for stream, fields := range map[uint32][]string{
		1: many(17), 3: get("/", "x", strings.Repeat("y", 3900)), 5: many(10), 7: many(2000),
	} {
		want := "HEADERS :status=431"
		if stream == 5 {
			want = "HEADERS :status=204 end"
		}
		c = dial(t, s)
		c.headers(stream, true, fields...)
		if got := c.answer(stream); !strings.HasPrefix(got, want) {
			t.Errorf("stream %d: %s", stream, got)
		}
		c.headers(stream+2, true, append(get("/"), "x", "y")...) // the tables agree
		if got := c.answer(stream + 2); got != "HEADERS :status=204 end" {
			t.Errorf("after stream %d: %s", stream, got)
		}
	}
	c.headers(9, true, get("/", "x", strings.Repeat("~", 5000))...)
	c.want(0, "GOAWAY")
}

// TestKeptRequest: what a handler keeps is spoilt when it has returned.
func TestKeptRequest(t *testing.T) {
	var kept *http.Request
	var writer http.ResponseWriter
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if kept == nil {
			kept, writer = r, w
		}
	})
	c := dial(t, s)
	for _, stream := range []uint32{1, 3} {
		c.headers(stream, false, post("/", "x", "y")...)
		c.data(stream, true, "body")
		c.answer(stream)
	}
	_ = s.Close()
	_ = s.Shutdown(t.Context()) // nobody serves any more
	if kept.Method != "POISON" || kept.Header.Get("X") != "" {
		t.Errorf("kept: %v", kept)
	}
	defer func() {
		if recover() == nil {
			t.Error("the writer can still be used")
		}
	}()
	writer.WriteHeader(200)
}

// TestLeavesNothing: connections that end in every way leave no goroutine behind.
func TestLeavesNothing(t *testing.T) {
	existing := goleak.IgnoreCurrent()
	opened := 0
	var mu sync.Mutex
	s := handler(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic(http.ErrAbortHandler)
		case "/wait":
			<-r.Context().Done()
		case "/exit":
			_, _ = io.ReadAll(r.Body)
		}
		_, _ = w.Write(make([]byte, 100_000))
	})
	s.OnOpen = func(delta int) { mu.Lock(); defer mu.Unlock(); opened += delta }
	for _, end := range []func(c *client){
		func(c *client) { _ = c.conn.Close() },
		func(c *client) { c.send(func() error { return c.framer.WriteRSTStream(0, 0) }); c.want(0, "GOAWAY") },
		func(c *client) { c.send(func() error { return c.framer.WriteRSTStream(3, http2.ErrCodeCancel) }) },
		func(*client) {},
	} {
		c := dial(t, s)
		for i, path := range []string{"/panic", "/wait", "/", "/exit"} {
			c.headers(uint32(2*i+1), i < 3, get(path)...)
		}
		c.want(1, "RST_STREAM")
		end(c)
		defer func() { _ = c.conn.Close() }()
	}
	_ = s.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	mu.Lock()
	if opened != 0 {
		t.Errorf("%d connections are counted", opened)
	}
	mu.Unlock()
	reading := goleak.IgnoreAnyFunction("github.com/fairlead/fairlead/internal/wire/h2.(*client).read")
	goleak.VerifyNone(t, existing, reading)
}

// TestManyAtOnce has many streams send and receive, while some are reset.
func TestManyAtOnce(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	client := &http.Client{Transport: transportTo(t, s)}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			body := strings.Repeat(string(rune('a'+i%26)), 1000*i)
			for n := range 10 {
				ctx, cancel := context.WithCancel(t.Context())
				r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://a.test/", strings.NewReader(body))
				if n%5 == 4 {
					cancel()
				}
				answer, err := client.Do(r)
				if err == nil {
					var got []byte
					got, err = io.ReadAll(answer.Body)
					_ = answer.Body.Close()
					if err == nil && string(got) != body {
						t.Errorf("%d bytes came back of %d", len(got), len(body))
					}
				}
				if err != nil && n%5 != 4 {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Wait()
}
