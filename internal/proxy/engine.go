package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// This file is the seam between the proxy and the engine that speaks HTTP: everything above it sees an http.Handler and
// an http.RoundTripper. Another engine goes in here, and nowhere else.

// engine serves one entry point.
type engine interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error // waits for requests under way
	Close() error                   // does not
}

// newEngine returns what serves HTTP/1.1 and HTTP/2 (over TLS by ALPN, in plain text by prior knowledge) on an entry
// point. connections is told of each that opens (1) or closes (-1).
func newEngine(o EntryPoint, handler http.Handler, connections func(int), log *slog.Logger) engine {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		ReadTimeout:       o.ReadTimeout,
		ReadHeaderTimeout: o.HeaderTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    o.HeaderBytes,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: o.MaxConcurrentStreams},
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				connections(1)
			case http.StateClosed, http.StateHijacked:
				connections(-1)
			}
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// transport returns what sends requests to services: one for each protocol (and, for followed clusters, for each
// identity), for the life of the process, so that connections outlive every generation.
func newTransport(protocol model.Protocol, identity *tls.Config, dialTimeout time.Duration) http.RoundTripper {
	protocols := new(http.Protocols)
	switch protocol {
	case model.H2C:
		protocols.SetUnencryptedHTTP2(true)
	case model.HTTPS:
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(identity == nil)
	default:
		protocols.SetHTTP1(true)
	}
	if identity != nil { // a gateway: one HTTP/2 connection would carry the requests of all clients
		identity = identity.Clone()
		identity.NextProtos = []string{"http/1.1"}
	}
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        identity,
		TLSHandshakeTimeout:    dialTimeout,
		Protocols:              protocols,
		DisableCompression:     true, // bodies pass as they are
		MaxIdleConns:           0,    // bounded for each host
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		WriteBufferSize:        4 << 10,
		ReadBufferSize:         16 << 10,
	}
}

// closeIdle closes the connections of a transport that no request uses.
func closeIdle(t http.RoundTripper) { t.(*http.Transport).CloseIdleConnections() }
