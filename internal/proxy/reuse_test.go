package proxy

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/telemetry"
	"github.com/fairlead/fairlead/internal/upstream"
)

// seen counts the exchanges that it is told about, each once. It keeps them, so that none can lie where another did.
type seen struct{ sync.Map }

func (s *seen) Served(x *telemetry.Exchange) { s.Store(x, true) }

func (s *seen) count() (n int) {
	s.Range(func(any, any) bool { n++; return true })
	return n
}

// Making an exchange is among the most expensive things that a request could ask for, at both depths.
func TestExchangesAreUsedAgain(t *testing.T) {
	const requests = 100
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	defer service.Close()
	for _, depth := range []string{"raw", "general"} {
		t.Run(depth, func(t *testing.T) {
			exchanges, e := new(seen), EntryPoint{Name: "web", Default: true}
			p, err := New(Options{
				EntryPoints: []EntryPoint{e}, Hosts: upstream.NewHosts(upstream.Options{}), Observers: []Observer{exchanges},
				Middlewares: middleware.NewSet(middleware.Options{}), Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			p.Apply(to(service.Listener.Addr().String()), true)
			t.Cleanup(p.builder.closeIdle)
			h := p.clients(e)
			if depth == "general" {
				h = http.HandlerFunc(h.ServeHTTP)
			}
			client := &http.Client{Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			addr, _ := listen(t, h, false)
			for range requests {
				answer, err := client.Get("http://" + addr)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
			client.CloseIdleConnections()
			if n := exchanges.count(); n > requests/2 { // under the race detector pools lose some
				t.Errorf("%d exchanges were made for %d requests", n, requests)
			}
		})
	}
}

// Whoever derived a context may end it when the exchange is over: a timer does that fires at the same time. Then the
// package context looks at what it hangs on.
func TestContextsMayOutliveTheirExchange(t *testing.T) {
	for _, poison := range []bool{false, true} {
		all, entryPoint := &exchanges{poison: poison}, &EntryPoint{Name: "web"}
		x := all.take(entryPoint, slog.New(slog.DiscardHandler))
		r := x.begin(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		_, cancel := context.WithCancel(r.Context())
		all.give(x)
		cancel()
		for range 100 {
			if all.take(entryPoint, x.log) == x {
				t.Fatal("another request has the exchange")
			}
		}
	}
}
