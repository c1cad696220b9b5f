package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/wire"
)

// This file is the seam between the proxy and what speaks HTTP: everything above it sees an http.Handler and an
// http.RoundTripper. HTTP/1.1 is package wire's, HTTP/2 is net/http's.

// engine serves one entry point.
type engine interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error // waits for requests under way
	Close() error                   // does not
}

// newEngine returns what serves HTTP/1.1 and HTTP/2 (over TLS by ALPN, in plain text by prior knowledge) on an entry
// point. connections is told of each that opens (1) or closes (-1).
func newEngine(o EntryPoint, handler http.Handler, connections func(int), log *slog.Logger) engine {
	second := &http2Engine{conns: make(chan net.Conn), closed: make(chan struct{}), server: http.Server{
		Handler: handler, ReadTimeout: o.ReadTimeout, ReadHeaderTimeout: o.HeaderTimeout,
		WriteTimeout: o.WriteTimeout, IdleTimeout: o.IdleTimeout, MaxHeaderBytes: o.HeaderBytes, Protocols: http2Only(),
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: o.MaxConcurrentStreams},
		ConnState: countConnections(connections), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	return &engines{second: second, first: &wire.Server{
		Handler: handler, Log: log, HeaderTimeout: o.HeaderTimeout, ReadTimeout: o.ReadTimeout,
		WriteTimeout: o.WriteTimeout, IdleTimeout: o.IdleTimeout, HeaderBytes: o.HeaderBytes,
		Fields: maxFields(o), Fallback: second, OnOpen: connections,
	}}
}

// maxFields is how many fields a request's head may have before it is not even read: more than the entry point allows,
// so that those are refused with a reason.
func maxFields(o EntryPoint) int { return max(2*o.Headers, 256) }

func http2Only() *http.Protocols {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return protocols
}

func countConnections(count func(int)) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			count(1)
		case http.StateClosed, http.StateHijacked:
			count(-1)
		}
	}
}

// engines are the two that serve an entry point: the first accepts, and hands HTTP/2 over to the second.
type engines struct {
	first  *wire.Server
	second *http2Engine
}

func (e *engines) Serve(l net.Listener) error {
	ended := make(chan struct{})
	go func() { defer close(ended); _ = e.second.server.Serve(e.second) }()
	err := e.first.Serve(l)
	_ = e.second.Close()
	<-ended
	return err
}

func (e *engines) Shutdown(ctx context.Context) error {
	var both sync.WaitGroup
	var first, second error
	both.Go(func() { first = e.first.Shutdown(ctx) })
	both.Go(func() { second = e.second.server.Shutdown(ctx) })
	both.Wait()
	return errors.Join(first, second)
}

func (e *engines) Close() error { return errors.Join(e.first.Close(), e.second.server.Close()) }

// http2Engine is net/http's server on the connections that it is handed. It is its own net.Listener.
type http2Engine struct {
	server http.Server
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// ServeConn is part of wire.Fallback.
func (e *http2Engine) ServeConn(conn net.Conn) {
	select {
	case e.conns <- conn:
	case <-e.closed:
		_ = conn.Close()
	}
}

// Accept is part of net.Listener.
func (e *http2Engine) Accept() (net.Conn, error) {
	select {
	case conn := <-e.conns:
		return conn, nil
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

// Close is part of net.Listener.
func (e *http2Engine) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

// Addr is part of net.Listener.
func (e *http2Engine) Addr() net.Addr { return &net.TCPAddr{} }

// transport is what sends requests to services: one for each protocol (and, for followed clusters, for each identity),
// for the life of the process, so that connections outlive every generation.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// newTransport returns a transport that speaks protocol; identity is who we are and whom we trust, nil the usual.
func newTransport(protocol model.Protocol, identity *tls.Config, dialTimeout time.Duration) transport {
	if protocol == model.H2C || protocol == model.HTTPS && identity == nil {
		return newHTTP2Transport(protocol, dialTimeout)
	}
	return wire.NewTransport(wire.TransportOptions{
		TLS: identity, DialTimeout: dialTimeout, HandshakeTimeout: dialTimeout,
		DialContext: (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
	})
}

// newHTTP2Transport returns net/http's: for services that speak HTTP/2, and for those that may.
func newHTTP2Transport(protocol model.Protocol, dialTimeout time.Duration) transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(protocol == model.HTTPS)
	protocols.SetHTTP2(protocol == model.HTTPS)
	protocols.SetUnencryptedHTTP2(protocol == model.H2C)
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		Protocols:              protocols,
		DisableCompression:     true, // bodies pass as they are
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}
