package h2

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// end closes a server, and waits until it has nothing more to do.
func end(t *testing.T, s *Server) {
	t.Helper()
	_ = s.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// since runs something and reports how long it took, in whole seconds.
func since(what func()) time.Duration {
	start := time.Now()
	what()
	return time.Since(start).Truncate(time.Second)
}

func TestPrefaceTimeout(t *testing.T) {
	s := &Server{HeaderTimeout: 10 * time.Second, IdleTimeout: time.Hour}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		ours, theirs := net.Pipe()
		s.ServeConn(theirs)
		c := newClient(t, ours)
		_, _ = io.WriteString(ours, http2.ClientPreface[:10])
		if took := since(func() { c.want(0, "closed") }); took != 10*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestIdleTimeout(t *testing.T) {
	s := &Server{Handler: http.NotFoundHandler(), IdleTimeout: 3 * time.Minute, HeaderTimeout: time.Second}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		c := dialPipe(t, s)
		for i := range uint32(3) {
			time.Sleep(2 * time.Minute)
			c.headers(2*i+1, true, get("/")...)
			c.answer(2*i + 1)
		}
		took := since(func() { c.want(0, "GOAWAY 2147483647 NO_ERROR") })
		if took != 3*time.Minute {
			t.Errorf("asked to go after %v", took)
		}
		c.headers(7, true, get("/")...) // it was on its way
		if got := c.answer(7); !strings.HasPrefix(got, "HEADERS :status=404") {
			t.Errorf("answer: %s", got)
		}
		c.want(0, "GOAWAY 7 NO_ERROR")
		c.want(0, "closed")
	})
}

// TestSlowBlock: the fields of a request must come in time, however many frames they come in.
func TestSlowBlock(t *testing.T) {
	s := &Server{HeaderTimeout: 10 * time.Second, IdleTimeout: time.Hour}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		c := dialPipe(t, s)
		c.send(func() error {
			return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.encode(get("/")...)})
		})
		took := since(func() {
			for range 20 {
				time.Sleep(time.Second)
				if c.framer.WriteContinuation(1, false, c.encode("x", "y")) != nil {
					break
				}
			}
			c.want(0, "closed")
		})
		if took != 10*time.Second && took != 11*time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestReadTimeout(t *testing.T) {
	var ended chan error // made in the bubble of the test
	s := &Server{ReadTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		ended <- err
	})}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		ended = make(chan error, 1)
		c := dialPipe(t, s)
		c.headers(1, false, post("/")...)
		took := since(func() {
			for range 59 {
				time.Sleep(time.Second)
				c.data(1, false, "x")
			}
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read: %v", err)
			}
		})
		if took != time.Minute {
			t.Errorf("after %v", took)
		}
	})
}

// TestStalledStream: a client that takes nothing on one stream loses that stream; the others go on.
func TestStalledStream(t *testing.T) {
	var ended chan error // made in the bubble of the test
	s := &Server{StallTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/small" {
			return
		}
		_, err := w.Write(make([]byte, 10_000))
		ended <- err
	})}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		ended = make(chan error, 1)
		c := dialPipe(t, s, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
		c.headers(1, true, get("/large")...)
		took := since(func() {
			for i := range uint32(5) { // it takes a little now and then
				time.Sleep(50 * time.Second)
				c.send(func() error { return c.framer.WriteWindowUpdate(1, 10) })
				c.headers(2*i+3, true, get("/small")...)
				if got := c.answer(2*i + 3); !strings.HasPrefix(got, "HEADERS :status=200") {
					t.Errorf("another stream: %s", got)
				}
			}
			c.want(1, "RST_STREAM CANCEL")
		})
		if want := 310 * time.Second; took != want {
			t.Errorf("reset after %v, want %v", took, want)
		}
		if err := <-ended; !errors.Is(err, errStalled) {
			t.Errorf("write: %v", err)
		}
	})
}

// TestStalledConnection: a client that reads nothing at all loses its connection.
func TestStalledConnection(t *testing.T) {
	var closed chan struct{} // made in the bubble of the test
	s := &Server{StallTimeout: time.Minute, OnOpen: func(delta int) {
		if delta < 0 {
			close(closed)
		}
	}}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		closed = make(chan struct{})
		ours, theirs := net.Pipe()
		s.ServeConn(theirs)
		defer func() { _ = ours.Close() }()
		if took := since(func() { <-closed }); took != time.Minute {
			t.Errorf("closed after %v", took)
		}
	})
}

func TestWriteTimeout(t *testing.T) {
	s := &Server{WriteTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})}
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		c := dialPipe(t, s)
		if took := since(func() {
			c.headers(1, true, get("/")...)
			c.want(1, "RST_STREAM INTERNAL_ERROR")
		}); took != time.Minute {
			t.Errorf("reset after %v", took)
		}
	})
}

// TestDeadlinesOfHandlers: http.ResponseController's stand in for the server's.
func TestDeadlinesOfHandlers(t *testing.T) {
	s := &Server{ReadTimeout: time.Second, WriteTimeout: time.Hour}
	var read chan error // made in the bubble of the test
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(time.Now().Add(time.Minute)),
			control.SetWriteDeadline(time.Now().Add(2*time.Minute))); err != nil {
			t.Error(err)
		}
		_, err := r.Body.Read(make([]byte, 1))
		read <- err
		<-r.Context().Done()
	})
	synctest.Test(t, func(t *testing.T) {
		defer end(t, s)
		read = make(chan error, 1)
		c := dialPipe(t, s)
		if took := since(func() {
			c.headers(1, false, post("/")...)
			if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read: %v", err)
			}
		}); took != time.Minute {
			t.Errorf("read until %v", took)
		}
		if took := since(func() { c.want(1, "RST_STREAM INTERNAL_ERROR") }); took != time.Minute {
			t.Errorf("reset after %v more", took)
		}
	})
}
