package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves HTTP/1.0 and HTTP/1.1 on connections. Its fields are not changed after Serve was called. A handler must
// keep nothing of a request after it has returned: see the package.
//
// Timeouts are coarse, so that the usual request arms none: they may come early, by a second or an eighth, whichever
// is less. A connection that Accept returns may have a method Unwrap() net.Conn, if it only counts or names the one
// below, and whatever is read and written passes as it is: then the connection below is used where that is cheaper. The
// one below a *tls.Conn may have a method Value(key any) any, which the contexts of its requests ask, too.
//
// It differs from http.Server where that is laxer or guesses: what the package says is refused is refused; a handler
// gets OPTIONS * itself; Connection: close wins over keep-alive; no Cache-Control is made of Pragma; informational
// responses are not sent to HTTP/1.0; answers that refuse a request have a Content-Length; where answers have both,
// Connection stands at the end of the head. The context of a request is not cancelled at once when its client goes
// away, but soon, and only where the connection is TCP or TLS on TCP.
type Server struct {
	// Handler answers. An http.Handler's usual ways all work: http.ResponseController with flushing, hijacking,
	// deadlines and full duplex, trailers, informational responses, a panic with http.ErrAbortHandler.
	Handler http.Handler
	// Log gets panics of handlers as errors, and what clients do wrong on debug level. Nil: nothing is logged.
	Log *slog.Logger

	HeaderTimeout time.Duration // until a request's head is complete; also of the TLS handshake; 0: ReadTimeout
	ReadTimeout   time.Duration // until a request is complete; 0: none
	WriteTimeout  time.Duration // from the head of a request to the end of its answer; 0: none
	IdleTimeout   time.Duration // between requests; 0: ReadTimeout

	HeaderBytes int // of a request's head, and of a trailer; 0: 1 MiB
	Fields      int // of a request's head, and of a trailer; 0: 256
	Requests    int // on one connection, then it is closed; 0: no limit

	// Fallback takes the connections that speak HTTP/2: by ALPN, or by prior knowledge. Nil: they are refused.
	Fallback Fallback
	// OnOpen is told when a connection is opened (1) or not ours any more (-1: closed, hijacked, or given to Fallback).
	OnOpen func(delta int)
	// Poison spoils what a handler had, once it has returned, and never uses it again. It is for tests.
	Poison bool

	raw       RawHandler  // Handler, if it is one
	standard  http.Server // for http.ServerContextKey
	buffers   buffers
	exchanges sync.Pool // of *exchange
	watcher   watcher
	lot       lot
	clock     Clock
	closing   atomic.Bool

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	empty     chan struct{} // closed when conns is empty and closing
}

// Fallback serves connections that speak another protocol. What was read from a plain connection is read from conn
// again; a *tls.Conn comes as it is, after its handshake. The connection is the Fallback's own: it closes it, and may
// return before.
type Fallback interface {
	ServeConn(conn net.Conn)
}

// Serve accepts connections until Shutdown or Close, and returns http.ErrServerClosed then, or what accepting ended
// with.
func (s *Server) Serve(l net.Listener) error {
	if !s.open(l) {
		_ = l.Close()
		return http.ErrServerClosed
	}
	defer s.forget(l)
	var pause time.Duration
	for {
		accepted, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
		case s.closing.Load():
			return http.ErrServerClosed
		case isTemporary(err): // out of file descriptors, mostly: it passes
			pause = min(max(5*time.Millisecond, 2*pause), time.Second)
			s.debug("accepting failed", "error", err, "pause", pause)
			time.Sleep(pause)
			continue
		default:
			return err
		}
		c := newConn(s, accepted)
		if !s.add(c) {
			_ = accepted.Close()
			continue
		}
		go c.serve()
	}
}

func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// open registers a listener, unless the server is closing.
func (s *Server) open(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	if s.listeners == nil {
		s.buffers.poison, s.buffers.count = s.Poison, s.Poison
		s.raw, _ = s.Handler.(RawHandler)
		s.listeners = make(map[net.Listener]struct{})
		s.conns = make(map[*conn]struct{})
		s.empty = make(chan struct{})
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) forget(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	if s.OnOpen != nil {
		s.OnOpen(1)
	}
	return true
}

// remove forgets a connection that is closed, or not ours any more. The second time it does nothing.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.conns[c]; !known {
		return
	}
	delete(s.conns, c)
	if s.OnOpen != nil {
		s.OnOpen(-1)
	}
	if s.closing.Load() && len(s.conns) == 0 {
		close(s.empty)
	}
}

// Shutdown accepts no more connections, closes the idle ones, lets requests under way finish, and waits for them until
// ctx is done. Hijacked connections, and those of the Fallback, are none of its business.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.stop(func(c *conn) {
		if c.state.CompareAndSwap(stateIdle, stateClosed) {
			_ = c.net.Close()
		}
	})
	s.mu.Lock()
	empty := s.empty
	s.mu.Unlock()
	if empty == nil { // nothing was ever served
		return err
	}
	select {
	case <-empty:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close accepts no more connections and closes all there are.
func (s *Server) Close() error {
	return s.stop(func(c *conn) {
		c.state.Store(stateClosed)
		_ = c.net.Close()
	})
}

func (s *Server) stop(each func(*conn)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.closing.Swap(true)
	var errs []error
	for l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for c := range s.conns {
		each(c)
	}
	s.lot.close()
	if first && s.empty != nil && len(s.conns) == 0 {
		close(s.empty)
	}
	return errors.Join(errs...)
}

func (s *Server) limits() limits {
	l := limits{s.HeaderBytes, s.Fields}
	if l.bytes == 0 {
		l.bytes = http.DefaultMaxHeaderBytes
	}
	if l.fields == 0 {
		l.fields = 256
	}
	return l
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
