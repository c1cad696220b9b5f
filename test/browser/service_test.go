package browser_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
)

// report is what the page tells.
type report struct {
	Protocol, Uploaded, Events, Socket, Error string
	Downloaded, Many                          int
}

// service is what the page talks to.
type service struct {
	next    chan struct{} // the page asks for one more event
	reports chan report
}

func serve(t *testing.T) (*service, string) {
	t.Helper()
	s := &service{make(chan struct{}), make(chan report, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/page.html") })
	mux.HandleFunc("/download", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content()) })
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		_, _ = io.Copy(sum, r.Body)
		_, _ = io.WriteString(w, hex.EncodeToString(sum.Sum(nil)))
	})
	mux.HandleFunc("/one", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.RawQuery) })
	mux.HandleFunc("/events", s.events)
	mux.HandleFunc("/next", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case s.next <- struct{}{}:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/socket", socket)
	mux.HandleFunc("/result", func(w http.ResponseWriter, r *http.Request) {
		var told report
		if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
			told.Error = err.Error()
		}
		s.reports <- told
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return s, server.URL
}

func content() []byte { return bytes.Repeat([]byte("fairlead"), 1<<17) }

// events sends one event whenever it is asked for, and flushes it.
func (s *service) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 1; http.NewResponseController(w).Flush() == nil; n++ {
		select {
		case <-s.next:
			fmt.Fprintf(w, "data: event %d\n\n", n)
		case <-r.Context().Done():
			return
		}
	}
}

// socket echoes.
func socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{"fairlead.test"}, CompressionMode: websocket.CompressionContextTakeover,
		InsecureSkipVerify: true, // the page's origin is the program's
	})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(4 << 20)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
