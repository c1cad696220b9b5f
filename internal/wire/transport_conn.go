package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"time"
)

const (
	answerBuffer = 16 << 10
	maxInterim   = 64 // informational answers to one request
)

// serviceConn is a connection to a service. One exchange at a time uses it: RoundTrip, then the body of its answer.
type serviceConn struct {
	t     *Transport
	in    *hostPool
	raw   net.Conn     // without TLS
	nc    net.Conn     // what is spoken to: raw, or TLS over it
	tcp   *net.TCPConn // nc where it is plain TCP, else nil
	tls   *tls.ConnectionState
	quiet *probe // nil: raw cannot be asked
	abort func() // closes raw: whoever waits for it goes on

	read      reader
	idleSince time.Time
	reused    bool

	turn  turn
	watch watch

	// Of the exchange under way.
	ctx     context.Context
	sender  *sender // nil: no body is being sent
	waiting bool    // for 100 (Continue)
	keep    bool    // another request may follow
}

// begin makes the connection one with an exchange, whose answer is to begin until then.
func (c *serviceConn) begin(o *message, until time.Time) {
	c.ctx = o.Context
	c.sender, c.waiting, c.keep = nil, o.expect, false
	c.read.reset(c.nc, &c.t.buffers)
	c.watch.begin(c.ctx, until)
	o.stale, o.spoiled = false, false
}

// announce tells that something of the request may reach the service from now on.
func (c *serviceConn) announce(o *message) {
	o.Touched = true
	if o.trace != nil && o.trace.GotConn != nil {
		info := httptrace.GotConnInfo{Conn: c.nc, Reused: c.reused, WasIdle: c.reused}
		if c.reused {
			info.IdleTime = time.Since(c.idleSince)
		}
		o.trace.GotConn(info)
	}
}

// exchange sends a request and reads the head of the answer. After an error the connection is closed.
func (c *serviceConn) exchange(o *message, until time.Time, a *Answer) error {
	c.begin(o, until)
	h := c.t.head()
	written, err := c.write(o)
	if err == nil {
		err = c.readHead(o, h)
	}
	if err == nil {
		c.watch.answered()
		if h.status == http.StatusSwitchingProtocols {
			return a.switchProtocol(c, o, h)
		}
		a.begin(c, o, h)
		return nil
	}
	cause := c.explain(err)
	nothingCame := len(c.read.buffered()) == 0 && h.status == 0
	o.spoiled = err == errSpoiled
	o.stale = c.reused && nothingCame && (written == 0 || idempotent(o.method())) && !isProtocolError(err) &&
		(c.sender == nil || c.sender.bodyError() == nil) && !errors.Is(cause, ErrHeadTimeout)
	c.discard()
	c.t.forgetHead(h)
	return cause
}

// write sends the request, or its head while a goroutine sends the body. It returns how much of o.b was sent.
func (c *serviceConn) write(o *message) (int, error) {
	written := 0
	if c.turn.visit != nil && !o.stream {
		err := c.turn.take(o)
		if written = c.turn.written; err != nil || c.turn.all {
			return written, err
		}
	} else {
		if c.reused && c.quiet != nil && !c.quiet.silent(c.nc) {
			return 0, errSpoiled
		}
		c.announce(o)
	}
	n, err := c.nc.Write(o.b[written:])
	if written += n; err != nil {
		return written, err
	}
	if !o.stream {
		wroteRequest(o.trace, nil)
	} else if !o.expect {
		c.send(o)
	}
	return written, nil
}

// room makes room for the head of an answer, and a small body with it.
func (c *serviceConn) room() []byte {
	if c.read.buf == nil {
		c.read.buf = c.t.buffers.take(answerBuffer)
	}
	return c.read.room()
}

func isProtocolError(err error) bool {
	_, ok := errors.AsType[*ProtocolError](err)
	return ok
}

// idempotent reports whether sending a request twice has the effect of sending it once (RFC 9110 §9.2.2).
func idempotent(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// explain finds out why an exchange failed, where the connection only tells that it was closed.
func (c *serviceConn) explain(err error) error {
	if cause := context.Cause(c.ctx); cause != nil {
		return cause
	}
	if c.watch.late() {
		return ErrHeadTimeout
	}
	if c.sender != nil {
		if broken := c.sender.bodyError(); broken != nil {
			return broken
		}
	}
	if err == io.EOF { // before any byte of the answer
		return io.ErrUnexpectedEOF
	}
	return err
}

// send starts to send the body behind the head.
func (c *serviceConn) send(o *message) {
	c.sender = newSender(o, c)
	o.body = nil // the sender closes it
	go c.sender.run()
}

// readHead reads heads until one is final, and passes on the others.
func (c *serviceConn) readHead(o *message, h *head) error {
	if c.waiting {
		_ = c.nc.SetReadDeadline(time.Now().Add(c.t.o.ContinueTimeout))
	}
	for interim := 0; ; {
		if c.read.buf == nil {
			c.read.buf = c.t.buffers.take(answerBuffer)
		}
		raw, err := c.read.head(c.t.limits)
		if c.waiting && errors.Is(err, os.ErrDeadlineExceeded) {
			c.read.err = nil
			c.proceed(o)
			continue
		}
		if err != nil {
			return err
		}
		if interim == 0 && o.trace != nil && o.trace.GotFirstResponseByte != nil {
			o.trace.GotFirstResponseByte()
		}
		if err := h.parseResponse(raw, o.method(), c.t.limits); err != nil {
			return err
		}
		c.read.discard(len(raw))
		if h.status >= 200 || h.status == http.StatusSwitchingProtocols {
			break
		}
		if interim++; interim > maxInterim {
			return malformed("RFC 9110 §15.2", "too many informational answers")
		}
		if err := c.interim(o, h); err != nil {
			return err
		}
	}
	if c.waiting { // the service does not want the body
		c.waiting = false
		_ = c.nc.SetReadDeadline(time.Time{})
	}
	_, err := h.announced()
	return err
}

// proceed sends the body that waited for 100 (Continue).
func (c *serviceConn) proceed(o *message) {
	c.waiting = false
	_ = c.nc.SetReadDeadline(time.Time{})
	c.send(o)
}

// interim passes an informational answer on, and forgets it.
func (c *serviceConn) interim(o *message, h *head) error {
	if h.status == http.StatusContinue && c.waiting {
		c.proceed(o)
	}
	tell := o.Interim
	if o.trace != nil && o.trace.Got1xxResponse != nil {
		tell = func(status int, fields http.Header) error {
			return o.trace.Got1xxResponse(status, textproto.MIMEHeader(fields))
		}
	}
	var err error
	if tell != nil {
		fields := make(http.Header, len(h.fields))
		h.values = nil // they may be kept
		h.header(fields)
		err = tell(h.status, fields)
	}
	h.values = nil
	h.reset()
	h.status = http.StatusContinue // something came
	return err
}

// end ends the exchange. The connection waits for another request if whole says that the answer was read to its
// end, and nothing else speaks against it.
func (c *serviceConn) end(whole bool) {
	if c.sender != nil && !c.sender.ended(whole) {
		whole = false
	}
	c.sender = nil
	if !whole || !c.keep || len(c.read.buffered()) > 0 || c.read.err != nil || !c.watch.end() {
		c.discard()
		return
	}
	c.read.release()
	c.ctx = nil
	c.in.put(c)
}

// discard closes a connection that a request has.
func (c *serviceConn) discard() {
	c.watch.end()
	_ = c.raw.Close()
	if c.sender != nil {
		c.sender.ended(false)
	}
	c.ctx, c.sender = nil, nil
	c.read.release()
	c.in.gone()
}

// close closes an idle connection that the pool has let go.
func (c *serviceConn) close() { _ = c.nc.Close() }

func (t *Transport) head() *head {
	if h, ok := t.heads.Get().(*head); ok {
		return h
	}
	return new(head)
}

func (t *Transport) forgetHead(h *head) {
	h.values = nil // the answer has them
	h.reset()
	t.heads.Put(h)
}

func wroteRequest(trace *httptrace.ClientTrace, err error) {
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
}
