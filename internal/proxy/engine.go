package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/fairlead/fairlead/internal/wire"
	"github.com/fairlead/fairlead/internal/wire/h2"
)

// This file is the seam between the proxy and what speaks HTTP: everything above it sees an http.Handler and an
// http.RoundTripper. HTTP/1.1 is package wire's, HTTP/2 from clients package h2's, HTTP/2 to services net/http's.

// engine serves one entry point.
type engine interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error // waits for requests under way
	Close() error                   // does not
}

// counter returns what is told of each connection of a protocol that opens (1) or closes (-1).
type counter func(protocol string) func(int)

// newEngine returns what serves HTTP/1.1 and HTTP/2 (over TLS by ALPN, in plain text by prior knowledge) on an entry
// point.
func newEngine(o EntryPoint, handler http.Handler, connections counter, log *slog.Logger) engine {
	second := &h2.Server{
		Handler: handler, Log: log, HeaderTimeout: o.HeaderTimeout, ReadTimeout: o.ReadTimeout,
		WriteTimeout: o.WriteTimeout, IdleTimeout: o.IdleTimeout, StallTimeout: o.StallTimeout,
		HeaderBytes: o.HeaderBytes, Fields: maxFields(o), MaxConcurrentStreams: o.MaxConcurrentStreams,
		OnOpen: connections("http2"),
	}
	return &engines{second: second, first: &wire.Server{
		Handler: handler, Log: log, HeaderTimeout: o.HeaderTimeout, ReadTimeout: o.ReadTimeout,
		WriteTimeout: o.WriteTimeout, IdleTimeout: o.IdleTimeout, HeaderBytes: o.HeaderBytes,
		Fields: maxFields(o), Fallback: second, OnOpen: connections("http1"),
	}}
}

// maxFields is how many fields a request's head may have before it is not even read: more than the entry point allows,
// so that those are refused with a reason.
func maxFields(o EntryPoint) int { return max(2*o.Headers, 256) }

// engines are the two that serve an entry point: the first accepts, and hands HTTP/2 over to the second.
type engines struct {
	first  *wire.Server
	second *h2.Server
}

func (e *engines) Serve(l net.Listener) error { return e.first.Serve(l) }

func (e *engines) Shutdown(ctx context.Context) error {
	var both sync.WaitGroup
	var first, second error
	both.Go(func() { first = e.first.Shutdown(ctx) })
	both.Go(func() { second = e.second.Shutdown(ctx) })
	both.Wait()
	return errors.Join(first, second)
}

func (e *engines) Close() error { return errors.Join(e.first.Close(), e.second.Close()) }
