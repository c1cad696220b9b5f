package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// http3Conn is a client's connection: what the entry point has to know of it beside quic-go.
type http3Conn struct {
	engine *http3Engine
	shaken func() // its handshake is over, for better or worse

	made shaken // how

	quic *quic.Conn // nil before the handshake is complete
	// Under the engine's mu.
	requests int         // under way
	idle     *time.Timer // closes the connection when it was without a request for too long; nil: no limit so far
}

// http3ConnKey is where a connection's context, and that of its requests, holds its http3Conn.
type http3ConnKey struct{}

func http3ConnOf(ctx context.Context) *http3Conn { return ctx.Value(http3ConnKey{}).(*http3Conn) }

var (
	errTooManyConnections = errors.New("too many connections")
	errShuttingDown       = errors.New("shutting down")
)

// admit is what quic.Transport asks when a handshake begins.
func (e *http3Engine) admit(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
	if e.accepting.Err() != nil {
		return nil, errShuttingDown
	}
	addr := parseAddr(client.RemoteAddr.String())
	if !e.limits.admit(addr) {
		return nil, errTooManyConnections
	}
	e.handshakes.Add(1)
	c := &http3Conn{engine: e, shaken: sync.OnceFunc(func() { e.handshakes.Add(-1) })}
	ctx = context.WithValue(context.WithValue(ctx, http3ConnKey{}, c), shakenKey{}, &c.made)
	context.AfterFunc(ctx, func() {
		c.shaken()
		c.close()
		e.limits.release(addr)
	})
	return ctx, nil
}

// open is called when the handshake is complete. It reports whether the connection is still there.
func (c *http3Conn) open(conn *quic.Conn) bool {
	c.shaken()
	e := c.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if conn.Context().Err() != nil {
		return false
	}
	c.quic = conn
	e.conns[c] = struct{}{}
	e.count(1)
	c.rest(e.idle)
	return true
}

// close is called when the connection is closed. One whose handshake failed was never open.
func (c *http3Conn) close() {
	e := c.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.idle != nil {
		c.idle.Stop()
	}
	if c.quic != nil {
		delete(e.conns, c)
		e.count(-1)
	}
}

// rest closes the connection if no request comes for so long (0: never). It is called with the engine's mu held.
func (c *http3Conn) rest(limit time.Duration) {
	switch {
	case c.requests > 0 || limit == 0:
	case c.idle == nil:
		c.idle = time.AfterFunc(limit, c.expire)
	default:
		c.idle.Reset(limit)
	}
}

// expire closes the connection if it has no request. A head that is not complete is none, so that whoever sends one
// byte now and then cannot keep a connection.
func (c *http3Conn) expire() {
	c.engine.mu.Lock()
	requests := c.requests
	c.engine.mu.Unlock()
	if requests == 0 {
		_ = c.quic.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "idle")
	}
}

// begin counts a request. It closes the connection of a client that gives up requests faster than they can be ended:
// QUIC's limit on streams does not count those (the same as HTTP/2's rapid reset).
func (c *http3Conn) begin() bool {
	e := c.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	c.requests++
	if c.idle != nil {
		c.idle.Stop()
	}
	if c.requests <= e.requests {
		return true
	}
	c.requests--
	_ = c.quic.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "too many requests are given up")
	return false
}

func (c *http3Conn) end() {
	e := c.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	c.requests--
	if e.draining {
		c.rest(farewell)
		return
	}
	c.rest(e.idle)
}
