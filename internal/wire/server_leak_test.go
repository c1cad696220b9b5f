package wire

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// Connections that end in every way leave nothing behind: no goroutine, no descriptor, no buffer.
func TestServerLeavesNothing(t *testing.T) {
	existing, before := goleak.IgnoreCurrent(), descriptors(t)
	opened := 0
	var mu sync.Mutex
	s := &Server{Log: discard(), Poison: true, OnOpen: func(delta int) {
		mu.Lock()
		defer mu.Unlock()
		opened += delta
	}}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("as expected")
		case "/half":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
			must(http.NewResponseController(w).Flush())
			panic(http.ErrAbortHandler)
		case "/wait":
			<-r.Context().Done()
		case "/hijack":
			conn, _, err := http.NewResponseController(w).Hijack()
			must(err)
			must(conn.Close())
		default:
			repeats(w, r)
		}
	})
	t.Run("connections", func(t *testing.T) {
		address := serve(t, s)
		for _, raw := range []string{
			"", "\r", "\r\n", "GET", get(""), post("hello", ""), post("hello", "")[:50], chunks("5\r\nhel", ""), chunks("x", ""),
			"bad\r\n\r\n", strings.Replace(get(""), "/", "/panic", 1), strings.Replace(get(""), "/", "/half", 1),
			strings.Replace(get(""), "/", "/wait", 1), strings.Replace(get(""), "/", "/hijack", 1) + "rest",
			strings.Replace(post(strings.Repeat("x", 1<<20), ""), "/", "/panic", 1), post("hello", "Expect: 100-continue\r\n"),
		} {
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					conn := dial(t, address)
					_, _ = io.WriteString(conn, raw)
					_ = conn.CloseWrite()
					_, _ = io.Copy(io.Discard, conn)
					_ = conn.Close()
				})
			}
			all.Wait()
		}
	})
	if err := goleak.Find(existing); err != nil {
		t.Error(err)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
	if opened != 0 {
		t.Errorf("%d connections are thought to be open", opened)
	}
}

// A handler that ends its goroutine ends the connection with it.
func TestHandlerEndsItsGoroutine(t *testing.T) {
	s := &Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		runtime.Goexit()
	})}
	if got := talk(t, serve(t, s), get("")); got != "" {
		t.Errorf("%q", got)
	}
}
