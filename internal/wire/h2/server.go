package h2

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/wire"
)

// Server serves HTTP/2 on the connections that it is handed. Its fields are not changed after ServeConn was called. A
// handler must keep nothing of a request after it has returned: see package wire.
//
// A request is as net/http's server makes it. Extended CONNECT (RFC 8441) comes as CONNECT with the field ":protocol".
// A handler may flush, send trailers and informational answers, set deadlines, and read while it writes; it cannot
// hijack. A panic resets the stream.
type Server struct {
	Handler http.Handler
	// Log gets panics of handlers as errors, and what clients do wrong on debug level. Nil: nothing is logged.
	Log *slog.Logger

	HeaderTimeout time.Duration // until a frame or a block of fields that has begun is complete; 0: ReadTimeout
	ReadTimeout   time.Duration // until a request is complete; 0: none
	WriteTimeout  time.Duration // from the head of a request to the end of its answer; 0: none
	IdleTimeout   time.Duration // of a connection without streams; 0: ReadTimeout
	// StallTimeout bounds the wait for a client that takes nothing of what is to be sent: for its window on a stream, or
	// for its connection. 0: none.
	StallTimeout time.Duration

	HeaderBytes          int // of a request's fields, each with 32 more (RFC 9113 §6.5.2); 0: 1 MiB
	Fields               int // of a request; 0: 256
	MaxConcurrentStreams int // of a connection; 0: 250

	// OnOpen is told when a connection is opened (1) or closed (-1).
	OnOpen func(delta int)
	// Poison spoils what a handler had, once it has returned, and never uses it again. It is for tests.
	Poison bool

	standard http.Server // for http.ServerContextKey
	streams  sync.Pool   // of *stream
	codecs   sync.Pool   // of *codec
	chunks   sync.Pool   // of *chunk
	outputs  sync.Pool   // of *[]byte
	workers  workers
	clock    wire.Clock

	mu      sync.Mutex
	closing bool
	conns   map[*conn]struct{}
	empty   chan struct{} // closed when closing and conns is empty; made by those who wait
}

// ServeConn serves a connection, and returns at once. It is the server's own from here on. The connection is plain, and
// begins with the client's preface; or it is a *tls.Conn after its handshake.
func (s *Server) ServeConn(nc net.Conn) {
	c := newConn(s, nc)
	if !s.add(c) {
		_ = nc.Close()
		return
	}
	if secure, ok := nc.(*tls.Conn); ok {
		state := secure.ConnectionState()
		c.tls = &state
	}
	go c.serve()
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[*conn]struct{})
	}
	s.conns[c] = struct{}{}
	if s.OnOpen != nil {
		s.OnOpen(1)
	}
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.OnOpen != nil {
		s.OnOpen(-1)
	}
	s.noteEmpty()
}

// noteEmpty ends the waits for the last connection. The server is locked.
func (s *Server) noteEmpty() {
	if !s.closing || len(s.conns) > 0 {
		return
	}
	s.workers.close()
	if s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// Shutdown lets the streams under way finish and waits for them until ctx is done. Clients are first asked to open no
// more (GOAWAY), then those that they had already opened are served, too.
func (s *Server) Shutdown(ctx context.Context) error {
	conns := s.stop()
	for _, c := range conns {
		c.drain()
	}
	s.mu.Lock()
	if len(s.conns) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes all connections.
func (s *Server) Close() error {
	for _, c := range s.stop() {
		c.cut(net.ErrClosed)
	}
	return nil
}

// stop takes no more connections, and returns those there are.
func (s *Server) stop() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	s.noteEmpty()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

func (s *Server) headerBytes() int {
	if s.HeaderBytes == 0 {
		return http.DefaultMaxHeaderBytes
	}
	return s.HeaderBytes
}

func (s *Server) fields() int {
	if s.Fields == 0 {
		return 256
	}
	return s.Fields
}

func (s *Server) maxStreams() int {
	if s.MaxConcurrentStreams == 0 {
		return 250
	}
	return s.MaxConcurrentStreams
}

func (s *Server) headerTimeout() time.Duration {
	if s.HeaderTimeout == 0 {
		return s.ReadTimeout
	}
	return s.HeaderTimeout
}

func (s *Server) idleTimeout() time.Duration {
	if s.IdleTimeout == 0 {
		return s.ReadTimeout
	}
	return s.IdleTimeout
}

func (s *Server) debug(text string, args ...any) {
	if s.Log != nil {
		s.Log.Debug(text, args...)
	}
}
