package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/wrapped"
)

// States of a connection. Only the change from idle matters: it is made by the connection, or by who closes it.
const (
	stateIdle int32 = iota
	stateActive
	stateClosed
)

const (
	parkAfter   = 100 * time.Millisecond // more or less
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// conn is a client's connection. Between requests it holds nothing but itself.
type conn struct {
	server *Server
	net    net.Conn
	tls    *tls.ConnectionState // nil: plain
	remote string
	client netip.AddrPort  // remote, if it is one
	raw    syscall.RawConn // to see that the client has gone; nil: we cannot
	state  atomic.Int32

	in  reader
	out writer

	waiter   waiter
	doubt    bool // something may have come that nobody was woken for
	hasty    bool // the client was seen to send a request before it had the answer to the one before
	reading  deadline
	writing  deadline
	requests int
	berth    berth // while it is parked

	watched  atomic.Pointer[requestContext] // of the request under way, if anybody asked for its end
	enlisted atomic.Bool                    // in the watcher's list
}

func newConn(s *Server, accepted net.Conn) *conn {
	c := &conn{server: s, net: accepted, remote: accepted.RemoteAddr().String()}
	c.client, _ = netip.ParseAddrPort(c.remote)
	c.reading.set, c.writing.set = accepted.SetReadDeadline, accepted.SetWriteDeadline
	c.in.reset(c, &s.buffers)
	c.out.reset(wrapped.Bare(accepted), &s.buffers)
	return c
}

// Read is what the reader reads from: it arms the deadline of what is under way.
func (c *conn) Read(p []byte) (int, error) {
	c.reading.arm()
	return c.net.Read(p)
}

// fate says what becomes of a connection that a goroutine has done with.
type fate int

const (
	fateClose  fate = iota
	fateOver        // it is somebody else's
	fateParked      // it waits elsewhere
)

// serve runs for as long as the connection is ours, or until it is parked.
func (c *conn) serve() {
	over, err := c.prepare()
	if err != nil || over {
		c.end(over, err)
		return
	}
	c.run(false)
}

// run serves requests. A connection that has waited for a moment is parked: it waits in the lot, or where it cannot, in
// a new goroutine, whose stack is small, where this one's has grown with the handler's calls and would stay large.
func (c *conn) run(parked bool) {
	end, err := fateClose, error(nil)
	defer func() { // deferred, as a handler may end the goroutine
		if end == fateParked {
			if idle := c.server.idleTimeout(); !c.server.lot.add(c, max(0, idle-parkAfter)) {
				go c.run(true)
			}
			return
		}
		c.end(end == fateOver, err)
	}()
	end, err = c.serveRequests(parked)
}

func (c *conn) end(over bool, err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		c.server.debug("connection ended", "client", c.remote, "error", err)
	}
	c.in.release()
	c.out.release()
	if !over {
		_ = c.net.Close()
	}
	c.server.remove(c)
}

// prepare makes the TLS handshake. It reports whether the connection went over to the Fallback.
func (c *conn) prepare() (over bool, err error) {
	tcp := c.net
	secure, isTLS := c.net.(*tls.Conn)
	if isTLS {
		tcp = secure.NetConn()
		c.reading.after(time.Now(), c.server.headerTimeout())
		c.writing.after(time.Now(), c.server.headerTimeout())
		c.reading.arm()
		c.writing.arm()
		if err := secure.Handshake(); err != nil {
			return false, err
		}
		c.writing.off()
		state := secure.ConnectionState()
		c.tls = &state
		if state.NegotiatedProtocol == "h2" {
			return c.handOver(secure)
		}
	}
	c.raw = rawOf(tcp)
	c.waiter.init(c, !isTLS)
	return false, nil
}

// handOver gives the connection to the Fallback.
func (c *conn) handOver(to net.Conn) (over bool, err error) {
	if c.server.Fallback == nil {
		return false, errors.New("HTTP/2 without anyone to serve it")
	}
	if !c.state.CompareAndSwap(stateIdle, stateActive) && c.state.Load() == stateClosed {
		return false, net.ErrClosed
	}
	c.reading.off()
	c.writing.off()
	c.server.remove(c)
	c.server.Fallback.ServeConn(to)
	return true, nil
}

// serveRequests serves one request after the other.
func (c *conn) serveRequests(parked bool) (fate, error) {
	for ; ; parked = false {
		if len(c.in.buffered()) == 0 {
			if park, err := c.await(parked); park {
				return fateParked, nil
			} else if err != nil {
				return fateClose, err
			}
		}
		if !c.state.CompareAndSwap(stateIdle, stateActive) {
			return fateClose, net.ErrClosed
		}
		if c.requests == 0 && c.speaksHTTP2() {
			over, err := c.handOver(c.replay())
			if over {
				return fateOver, nil
			}
			return fateClose, err
		}
		c.requests++
		switch c.serveRequest() {
		case nextHijacked:
			return fateOver, nil
		case nextClose:
			return fateClose, nil
		}
		c.reading.own()
		c.writing.own()
		if c.out.n == 0 && !c.answered() {
			return fateClose, nil
		}
	}
}

// answered ends a request whose answer has been written. It reports whether another one may follow.
func (c *conn) answered() bool {
	return c.state.CompareAndSwap(stateActive, stateIdle) && !c.server.closing.Load()
}

// await writes what is left of the answer before, and waits for a request to begin. park: it is to be parked, and has
// waited for parkAfter of its time.
func (c *conn) await(parked bool) (park bool, err error) {
	c.in.rest()
	idle := c.server.idleTimeout()
	mayPark := !parked && (idle == 0 || idle > parkAfter)
	switch now := time.Now(); {
	case mayPark:
		c.reading.about(now, parkAfter)
	case parked && idle > 0:
		c.reading.after(now, idle-parkAfter)
	default:
		c.reading.after(now, idle)
	}
	c.reading.arm()
	answers := c.out.n > 0
	if answers {
		err = c.waiter.answer()
	} else {
		err = c.waiter.wait()
		c.hasty = c.hasty || c.doubt && err == nil && !c.waiter.waited
	}
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if answers && late && !c.waiter.plain { // TLS may have decrypted what no poller knows of
		if err = c.waiter.readOne(); err == nil {
			c.hasty = true
			return false, nil
		}
		late = errors.Is(err, os.ErrDeadlineExceeded)
	}
	c.doubt = answers && late
	if c.doubt && !mayPark {
		return c.await(true)
	}
	return mayPark && late, err
}

// speaksHTTP2 reports whether the connection begins with the preface of HTTP/2. It reads on while that is open.
func (c *conn) speaksHTTP2() bool {
	c.reading.after(time.Now(), c.server.headerTimeout())
	for c.server.Fallback != nil {
		b := c.in.buffered()
		n := min(len(b), len(preface))
		if !bytes.Equal(b[:n], []byte(preface)[:n]) {
			return false
		}
		if n == len(preface) {
			return true
		}
		if c.in.fill() != nil {
			return false
		}
	}
	return false
}

// replay returns the connection as if nothing had been read from it.
func (c *conn) replay() net.Conn {
	return &replayed{c.net, io.MultiReader(bytes.NewReader(bytes.Clone(c.in.buffered())), c.net)}
}

type replayed struct {
	net.Conn
	from io.Reader
}

func (r *replayed) Read(p []byte) (int, error) { return r.from.Read(p) }

// CloseWrite is what package wrapped looks for.
func (r *replayed) CloseWrite() error { return wrapped.CloseWrite(r.Conn) }

// next says what becomes of a connection after a request.
type next int

const (
	nextRequest next = iota
	nextClose
	nextHijacked
)

// serveRequest reads a request and answers it.
func (c *conn) serveRequest() next {
	e := c.server.takeExchange()
	e.conn = c
	now := time.Now()
	err := e.read(now)
	if err != nil {
		c.server.giveExchange(e)
		c.refuse(err)
		return nextClose
	}
	c.writing.after(now, c.server.WriteTimeout)
	c.writing.arm()
	if e.body.finished() {
		c.in.rest()
	}
	returned := e.call(c.server.Handler)
	if e.response.hijacked {
		return nextHijacked // all of the exchange went over, too
	}
	if !returned {
		c.server.giveExchange(e)
		return nextClose
	}
	e.response.finish()
	keep := e.response.reusable()
	unread := !e.body.finished() || len(c.in.buffered()) > 0
	c.server.giveExchange(e)
	c.in.rest()
	if keep {
		return nextRequest
	}
	_ = c.out.flush()
	if unread {
		c.linger()
	}
	return nextClose
}

// call runs the handler. It reports whether it returned; otherwise it panicked, and the connection is to be cut.
func (e *exchange) call(h http.Handler) (returned bool) {
	defer func() {
		e.context.end()
		e.conn.watched.Store(nil)
		if returned {
			return
		}
		e.body.close()
		if v := recover(); v != nil && v != http.ErrAbortHandler && e.conn.server.Log != nil {
			e.conn.server.Log.Error("a handler panicked", "client", e.conn.remote, "panic", v,
				"stack", string(debug.Stack()))
		}
	}()
	if e.plain {
		if e.conn.server.raw.ServeRaw(&e.raw) {
			return true
		}
		if err := e.fill(); err != nil {
			return false // plain saw to it that there is none
		}
		e.plain = false
	}
	h.ServeHTTP(&e.response, e.request)
	return true
}

// refuse answers what is no request, if the client is there and can be told.
func (c *conn) refuse(err error) {
	var refused *ProtocolError
	if !errors.As(err, &refused) {
		if !errors.Is(err, io.EOF) {
			c.server.debug("no request", "client", c.remote, "error", err)
		}
		return
	}
	if c.requests == 1 && c.server.Fallback != nil && refused.Reason == foreign {
		// It may be meant for the Fallback: a wrong preface of HTTP/2. Who knows what would be understood (RFC 9113 §3.4).
		c.server.debug("no protocol that is known", "client", c.remote)
		return
	}
	c.server.debug("request refused", "client", c.remote, "status", refused.Status, "reason", refused.Reason,
		"section", refused.Section)
	now := time.Now()
	c.writing.after(now, c.server.WriteTimeout)
	c.writing.arm()
	text := http.StatusText(refused.Status) + ": " + refused.Reason + "\n"
	writeStatusLine(&c.out, 1, refused.Status)
	for _, part := range []string{
		"Date: ", c.server.clock.Date(now), "\r\nContent-Length: ", strconv.Itoa(len(text)),
		"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n", text,
	} {
		_, _ = c.out.WriteString(part)
	}
	if c.out.flush() == nil {
		c.linger()
	}
}

// linger ends what we write, and reads on a little: a connection that is closed with something unread is reset, and the
// client might lose our answer with it (RFC 9112 §9.6).
func (c *conn) linger() {
	if wrapped.CloseWrite(c.net) != nil {
		return
	}
	c.in.release()
	_ = c.net.SetReadDeadline(time.Now().Add(lingerTime))
	b := c.server.buffers.take(bufferSize)
	defer c.server.buffers.give(b)
	for total := 0; total < lingerBytes; {
		n, err := c.net.Read(b.b)
		if err != nil {
			return
		}
		total += n
	}
}
