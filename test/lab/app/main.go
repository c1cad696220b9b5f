// Command app is what suites run as a service: it answers with NAME, else the name of its host, on PORT, else 8080, of
// HOST, else of all addresses. "app healthy" is its health check: it holds once the file healthy is there, which a
// request to /heal makes and one to /hurt takes away. /healthz is another, which holds from the start.
package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		if _, err := os.Stat("healthy"); err != nil {
			os.Exit(1)
		}
		return
	}
	host, _ := os.Hostname()
	name, port := cmp.Or(os.Getenv("NAME"), host), cmp.Or(os.Getenv("PORT"), "8080")
	var sick atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
	mux.HandleFunc("/heal", func(http.ResponseWriter, *http.Request) {
		sick.Store(false)
		_ = os.WriteFile("healthy", nil, 0o600)
	})
	mux.HandleFunc("/hurt", func(http.ResponseWriter, *http.Request) {
		sick.Store(true)
		_ = os.Remove("healthy")
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	server := &http.Server{Addr: os.Getenv("HOST") + ":" + port, Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.ListenAndServe() }()
	<-stop.Done()
	time.Sleep(100 * time.Millisecond) // as docs/providers/docker.md advises
	_ = server.Shutdown(context.Background())
}
