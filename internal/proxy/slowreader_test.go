package proxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Who takes an answer too slowly is cut off. That says nothing about the service: if it counted against it, a handful
// of slow clients would take it away from everybody.
func TestSlowReadersAreNotTheServicesFault(t *testing.T) {
	for _, length := range []string{"", "1000000000"} {
		t.Run("length "+length, func(t *testing.T) {
			cut := make(chan struct{})
			addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				for piece := bytes.Repeat([]byte("x"), 1000); ; {
					if _, err := w.Write(piece); err != nil {
						break
					}
					if err := http.NewResponseController(w).Flush(); err != nil {
						break
					}
				}
				cut <- struct{}{}
			})
			b := start(t, to(addr), func(o *Options) { o.EntryPoints[0].WriteTimeout = 100 * time.Millisecond })
			for range 5 { // three failures in a row would put the service out
				client, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
				<-cut
			}
			for _, h := range b.hosts.States() {
				if h.Failures != 0 || !h.Ejected.IsZero() {
					t.Errorf("%d failures, ejected %v", h.Failures, h.Ejected)
				}
			}
		})
	}
}
