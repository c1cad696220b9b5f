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
	o       TransportOptions
	limits  limits
	pools   *pools
	buffers buffers
	heads   sync.Pool // of *head
	out     sync.Pool // of *outgoing
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
	ctx := r.Context()
	o := t.outgoing(r)
	defer t.forget(o)
	err := ctx.Err()
	if err != nil {
		err = context.Cause(ctx)
	} else {
		err = o.prepare()
	}
	if err != nil {
		o.closeBody()
		return nil, err
	}
	key := poolKey{secure: r.URL.Scheme == "https", host: r.URL.Host}
	if key.secure {
		key.identity = identity
	}
	for again := false; ; {
		c, err := t.connection(ctx, key, again)
		if err != nil {
			o.closeBody()
			return nil, err
		}
		answer, err := c.exchange(o)
		switch {
		case err == nil:
			return answer, nil
		case ctx.Err() == nil && o.spoiled: // the next in the pool may be better
		case again || !o.stale || ctx.Err() != nil || !o.rewind():
			o.closeBody()
			return nil, err
		default:
			again = true
		}
	}
}

// connection returns an idle connection or, if there is none or fresh asks for it, a new one.
func (t *Transport) connection(ctx context.Context, key poolKey, fresh bool) (*serviceConn, error) {
	c, in, err := t.pools.acquire(ctx, key, fresh)
	if err != nil {
		return nil, err
	}
	if c != nil {
		c.reused = true
		return c, nil
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

// outgoing returns the workplace for a request.
func (t *Transport) outgoing(r *http.Request) *outgoing {
	o, ok := t.out.Get().(*outgoing)
	if !ok {
		o = new(outgoing)
	}
	o.t, o.r, o.body, o.trace = t, r, r.Body, httptrace.ContextClientTrace(r.Context())
	return o
}

func (t *Transport) forget(o *outgoing) {
	if o.buf != nil {
		t.buffers.give(o.buf)
	}
	clear(o.names)
	*o = outgoing{names: o.names[:0]}
	t.out.Put(o)
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
