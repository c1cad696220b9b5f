// Command app is what containers of the suite run: it answers with the name of its host. "app healthy" is its health
// check: it holds once the file /healthy is there, which a request to /heal makes and one to /hurt takes away.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		if _, err := os.Stat("/healthy"); err != nil {
			os.Exit(1)
		}
		return
	}
	name, _ := os.Hostname()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
	mux.HandleFunc("/heal", func(http.ResponseWriter, *http.Request) { _ = os.WriteFile("/healthy", nil, 0o600) })
	mux.HandleFunc("/hurt", func(http.ResponseWriter, *http.Request) { _ = os.Remove("/healthy") })
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.ListenAndServe() }()
	<-stop.Done()
	time.Sleep(100 * time.Millisecond) // as docs/providers/docker.md advises
	_ = server.Shutdown(context.Background())
}
