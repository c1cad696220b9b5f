package soak_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// pattern is what bodies are made of; at any offset they can be checked.
const pattern = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n"

// service answers what the clients ask for.
func service() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("n"))
		if r.FormValue("chunked") == "" {
			w.Header().Set("Content-Length", strconv.Itoa(n))
		}
		_, _ = io.Copy(w, io.LimitReader(&endless{}, int64(n)))
	})
	mux.HandleFunc("/sum", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		if _, err := io.Copy(sum, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, hex.EncodeToString(sum.Sum(nil)))
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(w)
		for n := 0; control.Flush() == nil; n++ {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
				fmt.Fprintf(w, "data: %d\n\n", n)
			}
		}
	})
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) { // in the middle of an answer
		w.Header().Set("Content-Length", "1000000")
		_, _ = io.Copy(w, io.LimitReader(&endless{}, 100_000))
		panic(http.ErrAbortHandler)
	})
	return mux
}

// endless is the pattern, over and over.
type endless struct{ at int }

func (e *endless) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		copied := copy(b[n:], pattern[e.at:])
		n, e.at = n+copied, (e.at+copied)%len(pattern)
	}
	return n, nil
}

// server is a service that listens.
type server struct {
	http http.Server
	net  net.Listener
}

func listen(address string, protocols *http.Protocols) (*server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &server{net: l, http: http.Server{Handler: service(), Protocols: protocols}}
	go func() { _ = s.http.Serve(l) }()
	return s, nil
}

func (s *server) address() string { return s.net.Addr().String() }

// die is a service that goes away, with everything that it has open, and comes back on the same address.
func die(ctx context.Context, address string, random *rand.Rand) error {
	for ctx.Err() == nil {
		s, err := listen(address, nil)
		if err != nil {
			return err
		}
		pause(ctx, time.Duration(500+random.IntN(1500))*time.Millisecond)
		_ = s.http.Close()
		pause(ctx, time.Duration(200+random.IntN(800))*time.Millisecond)
	}
	return nil
}

// pause waits, but not beyond the end.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
