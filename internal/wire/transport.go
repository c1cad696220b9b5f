package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// TransportOptions say how a Transport reaches services. The zero value is ready.
type TransportOptions struct {
	// TLS is for https: who we are, whom we trust. ServerName is the host of the request's URL where it is empty; ALPN
	// offers http/1.1 and nothing else. Nil: no certificate of ours, the system's roots.
	TLS *tls.Config
	// DialContext opens a connection to host:port. Nil: a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// DialTimeout and HandshakeTimeout bound how long a connection is being opened. 0: 10 s each.
	DialTimeout, HandshakeTimeout time.Duration
	// IdlePerHost is how many connections to a host are kept that no request uses. 0: 256.
	IdlePerHost int
	// IdleTimeout is how long they are kept. 0: 90 s.
	IdleTimeout time.Duration
	// ConnsPerHost bounds the connections to a host, and QueuePerHost the requests that wait for one of them; to
	// one more RoundTrip returns ErrBusy. 0: any number of connections; nobody waits.
	ConnsPerHost, QueuePerHost int
	// ContinueTimeout is how long a service has to answer Expect: 100-continue, before the body is sent all the same
	// (RFC 9110 §10.1.1). 0: 1 s.
	ContinueTimeout time.Duration
	// HeadBytes and HeadFields bound the head of an answer, and its trailer. 0: 256 KiB, 1000 fields.
	HeadBytes, HeadFields int
	// Poison spoils answers that were closed, and never uses them again. It is for tests.
	Poison bool
}

// Transport is an http.RoundTripper that speaks HTTP/1.1, in the goroutine of its caller. Its connections live as
// long as it does; it is safe for concurrent use.
//
// It adds nothing to a request but Host, and the fields that say how long the body is: no User-Agent, no
// Accept-Encoding. Header names go out as they are in the map, in the order of the alphabet. Of a body with a
// length exactly so much is sent; Header's own Content-Length, Transfer-Encoding, Host and Trailer count for
// nothing.
//
// Errors from before a connection was there are *net.OpError with Op "dial", ErrBusy, the context's, or say what is
// wrong with the request; ClientTrace.GotConn has been called exactly if something of the request may have reached
// the service.
//
// A body of an answer that has a length is an io.WriterTo, which lets the kernel move it from one TCP connection to
// another; after 101 it is an io.ReadWriteCloser.
type Transport struct {
	o        TransportOptions
	limits   limits
	pools    *pools
	buffers  buffers
	heads    sync.Pool // of *head
	messages sync.Pool // of *message
	answers  sync.Pool // of *Answer
}

// NewTransport returns a Transport without connections.
func NewTransport(o TransportOptions) *Transport {
	o.DialTimeout = cmp.Or(o.DialTimeout, 10*time.Second)
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, 10*time.Second)
	o.IdlePerHost = cmp.Or(o.IdlePerHost, 256)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 90*time.Second)
	o.ContinueTimeout = cmp.Or(o.ContinueTimeout, time.Second)
	o.HeadBytes = cmp.Or(o.HeadBytes, 256<<10)
	o.HeadFields = cmp.Or(o.HeadFields, 1000)
	return &Transport{o: o, limits: limits{o.HeadBytes, o.HeadFields}, pools: newPools(o)}
}

// RoundTrip sends a request and returns the answer as soon as its head is there. It is done with the request's body
// when the answer's body has been read or closed; a goroutine sends bodies that are large or have no length.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.roundTrip(r, t.o.TLS)
}

// Send is RoundTrip for those who give the answer back, by closing it. Nothing of out may change until Send returns.
func (t *Transport) Send(out *Outgoing) (*Answer, error) {
	m := t.message()
	defer t.forget(m)
	m.Outgoing = out
	a := t.takeAnswer()
	if err := m.send(t.o.TLS, a); err != nil {
		t.giveAnswer(a)
		return nil, err
	}
	return a, nil
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() { t.pools.closeIdle() }

// As returns a view of t that uses another TLS identity. Connections of different identities are never mixed up.
// Identities are told apart by the pointer.
func (t *Transport) As(identity *tls.Config) http.RoundTripper { return as{t, identity} }

type as struct {
	t        *Transport
	identity *tls.Config
}

func (a as) RoundTrip(r *http.Request) (*http.Response, error) { return a.t.roundTrip(r, a.identity) }

func (t *Transport) roundTrip(r *http.Request, identity *tls.Config) (*http.Response, error) {
	m := t.message()
	defer t.forget(m)
	m.own.from(r)
	m.Outgoing, m.trace = &m.own, httptrace.ContextClientTrace(r.Context())
	if err := checkRequest(r); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	a := &Answer{t: t}
	if err := m.send(identity, a); err != nil {
		return nil, err
	}
	response := a.Response()
	response.Request = r
	a.forgetHead()
	return response, nil
}

// checkRequest refuses what only a request of net/http's can have wrong.
func checkRequest(r *http.Request) error {
	switch {
	case r.URL == nil || r.URL.Host == "":
		return fmt.Errorf("the request has no host")
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("the scheme %q is not spoken", r.URL.Scheme)
	case r.Body == nil && r.ContentLength > 0:
		return fmt.Errorf("the request has a length, %d, and no body", r.ContentLength)
	}
	return nil
}

// send fills a with the answer.
func (o *message) send(identity *tls.Config, a *Answer) error {
	ctx, t := o.Context, o.t
	o.body = o.Body
	err := ctx.Err()
	if err != nil {
		err = context.Cause(ctx)
	} else {
		err = o.prepare()
	}
	if err != nil {
		o.closeBody()
		return err
	}
	key := poolKey{secure: o.Secure, host: o.Address}
	if key.secure {
		key.identity = identity
	}
	var until time.Time
	if o.HeadTimeout > 0 {
		until = time.Now().Add(o.HeadTimeout)
	}
	for again := false; ; {
		c, err := t.connection(ctx, until, key, again)
		if err != nil {
			o.closeBody()
			return err
		}
		err = c.exchange(o, until, a)
		switch {
		case err == nil:
			return nil
		case ctx.Err() == nil && o.spoiled: // the next in the pool may be better
		case again || !o.stale || ctx.Err() != nil || !o.rewind():
			o.closeBody()
			return err
		default:
			again = true
		}
	}
}

// connection returns an idle connection or, if there is none or fresh asks for it, a new one.
func (t *Transport) connection(ctx context.Context, until time.Time, key poolKey, fresh bool) (*serviceConn, error) {
	c, in, err := t.pools.acquire(ctx, key, fresh)
	if err != nil {
		return nil, err
	}
	if c != nil {
		c.reused = true
		return c, nil
	}
	if !until.IsZero() {
		limited, cancel := context.WithDeadlineCause(ctx, until, ErrHeadTimeout)
		defer cancel()
		ctx = limited
	}
	if c, err = t.connect(ctx, key, in); err != nil {
		in.gone()
		if cause := context.Cause(ctx); cause != nil {
			err = &net.OpError{Op: "dial", Net: "tcp", Err: cause}
		}
		return nil, err
	}
	return c, nil
}

// message returns the workplace for a request.
func (t *Transport) message() *message {
	m, ok := t.messages.Get().(*message)
	if !ok {
		m = new(message)
	}
	m.t = t
	return m
}

func (t *Transport) forget(m *message) {
	if m.buf != nil {
		t.buffers.give(m.buf)
	}
	clear(m.names)
	*m = message{names: m.names[:0]}
	t.messages.Put(m)
}

// BodyError is returned where the body of a request could not be read to its end: whoever sends it is to blame, not the
// service. It may come before GotConn (a small body is read first) or after.
type BodyError struct {
	// Read is how many bytes came before.
	Read int64
	// Err is what Read of the body returned; io.ErrUnexpectedEOF where the body was shorter than its length.
	Err error
}

// Error names no byte of the body.
func (e *BodyError) Error() string {
	return fmt.Sprintf("reading the request's body after %d bytes: %v", e.Read, e.Err)
}

// Unwrap returns Err.
func (e *BodyError) Unwrap() error { return e.Err }

var errConnect = errors.New("CONNECT is not spoken to services")
