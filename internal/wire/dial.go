package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// connect opens a connection to a host. Its errors are *net.OpError with Op "dial": nothing of a request was written.
func (t *Transport) connect(ctx context.Context, key poolKey, in *hostPool) (*serviceConn, error) {
	address := dialAddress(key)
	raw, err := t.dialTCP(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &serviceConn{t: t, in: in, nc: raw, raw: raw}
	c.quiet = newProbe(raw)
	if key.secure {
		if err := c.handshake(ctx, key, t.o.HandshakeTimeout); err != nil {
			_ = raw.Close()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: raw.RemoteAddr(), Err: err}
		}
	} else if tcp, ok := raw.(*net.TCPConn); ok {
		c.tcp = tcp
	}
	c.turn.init(c)
	c.abort = func() { _ = c.raw.Close() }
	c.watch.abort = c.abort
	return c, nil
}

func (t *Transport) dialTCP(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.o.DialTimeout)
	defer cancel()
	dial := t.o.DialContext
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	raw, err := dial(ctx, "tcp", address)
	if err == nil {
		return raw, nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return nil, err
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
}

// handshake puts TLS over the connection. The probe lies between the two, so that an idle TLS connection can be asked
// whether anything came without waiting, and session tickets that come late are not taken for an answer.
func (c *serviceConn) handshake(ctx context.Context, key poolKey, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	under := c.raw
	if c.quiet != nil {
		c.quiet.Conn = c.raw
		under = c.quiet
	}
	secured := tls.Client(under, tlsConfig(key))
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	if p := secured.ConnectionState().NegotiatedProtocol; p != "" && p != "http/1.1" {
		return fmt.Errorf("TLS handshake: the service chose %q where only http/1.1 was offered", p)
	}
	state := secured.ConnectionState()
	c.nc, c.tls = secured, &state
	return nil
}

func tlsConfig(key poolKey) *tls.Config {
	config := new(tls.Config)
	if key.identity != nil {
		config = key.identity.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = (&url.URL{Host: key.host}).Hostname()
	}
	config.NextProtos = []string{"http/1.1"}
	return config
}

// dialAddress returns host and port.
func dialAddress(key poolKey) string {
	u := url.URL{Host: key.host}
	if u.Port() != "" {
		return key.host
	}
	port := "80"
	if key.secure {
		port = "443"
	}
	return net.JoinHostPort(strings.TrimSuffix(u.Hostname(), ":"), port)
}
