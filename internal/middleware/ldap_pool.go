package middleware

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	defaultLDAPConns, defaultLDAPBurst = 10, 5
	defaultLDAPAge                     = time.Minute
	// maxLDAPAnswer is how much a server may say to one question, in bytes.
	maxLDAPAnswer = 1 << 20
)

var errTooMuch = errors.New("the server says more than it was asked for")

// ldapServer is where connections go.
type ldapServer struct {
	address          string
	secure, startTLS bool
	tls              *tls.Config
}

func newLDAPServer(spec *model.LDAP) (*ldapServer, error) {
	u, err := url.Parse(spec.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" {
		return nil, fieldError("ldap.url", "is no address; write it like ldaps://ldap.example")
	}
	port := map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	s := &ldapServer{
		address: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)),
		secure:  u.Scheme == "ldaps", startTLS: spec.StartTLS,
	}
	if s.secure && s.startTLS {
		return nil, fieldError("ldap.startTLS", "is for ldap://; ldaps:// is TLS from the start")
	}
	if s.tls, err = newTLSConfig("ldap", spec.Server.TLS); err != nil {
		return nil, fieldError("ldap.certificateAuthority", "has no certificate; give it in PEM")
	}
	s.tls.ServerName = u.Hostname()
	return s, nil
}

// dial makes a connection, over which nobody has said who it is.
func (s *ldapServer) dial(ctx context.Context) (*ldapConn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	c := &ldapConn{wire: &boundedConn{Conn: raw}, born: time.Now()}
	c.begin(ctx)
	var through net.Conn = c.wire
	if s.secure {
		secure := tls.Client(through, s.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		through = secure
	}
	c.Conn = ldap.NewConn(through, s.secure)
	c.Start()
	if s.startTLS {
		if err := c.StartTLS(s.tls); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return c, nil
}

// ldapConn is a connection with bounds on each question.
type ldapConn struct {
	*ldap.Conn
	wire *boundedConn // below TLS
	born time.Time
}

// begin gives the next question its bounds.
func (c *ldapConn) begin(ctx context.Context) {
	deadline, _ := ctx.Deadline()
	c.wire.left.Store(maxLDAPAnswer)
	_ = c.wire.SetDeadline(deadline) // a connection that is closed fails at the next step
}

// boundedConn fails when it has read too much.
type boundedConn struct {
	net.Conn
	left atomic.Int64
}

func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.left.Add(-int64(n)) < 0 {
		return 0, errTooMuch
	}
	return n, err
}

// ldapPool has the connections to one server.
type ldapPool struct {
	dial  func(context.Context) (*ldapConn, error)
	size  int
	ttl   time.Duration
	slots chan struct{} // has an element for each connection that is in use

	mu     sync.Mutex
	idle   []*ldapConn // the last is the one used last
	closed bool
}

func newLDAPPool(spec model.LDAPPool, dial func(context.Context) (*ldapConn, error)) *ldapPool {
	size, burst := cmp.Or(spec.Size, defaultLDAPConns), max(cmp.Or(spec.Burst, defaultLDAPBurst), 0)
	return &ldapPool{
		dial: dial, size: size, ttl: cmp.Or(spec.TTL, defaultLDAPAge), slots: make(chan struct{}, size+burst),
	}
}

// do has f ask over a connection that nobody else has. One that was used before may have ended since: then f is called
// again, with another.
func (p *ldapPool) do(ctx context.Context, f func(*ldap.Conn) error) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		c := p.take()
		used := c != nil
		if !used {
			var err error
			if c, err = p.dial(ctx); err != nil {
				return err
			}
			time.AfterFunc(p.ttl, func() { p.expire(c) })
		}
		c.begin(ctx)
		err := f(c.Conn)
		if err == nil || errors.Is(err, errNobody) {
			p.put(c)
			return err
		}
		_ = c.Close()
		if !used || ctx.Err() != nil {
			return err
		}
	}
}

// take returns a connection that can be used; nil: there is none.
func (p *ldapPool) take() *ldapConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if !c.IsClosing() {
			return c
		}
	}
	return nil
}

func (p *ldapPool) put(c *ldapConn) {
	_ = c.wire.SetDeadline(time.Time{}) // so that it is noticed when the server ends it
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.size || time.Since(c.born) >= p.ttl {
		_ = c.Close()
		return
	}
	p.idle = append(p.idle, c)
}

// expire closes a connection that is old, unless it is in use: then put does.
func (p *ldapPool) expire(c *ldapConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		_ = c.Close()
	}
}

// close ends the connections that nobody uses; those in use end when they are put back.
func (p *ldapPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		_ = c.Close()
	}
	p.idle = nil
}
