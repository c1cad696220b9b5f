package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/stream"
)

// streamTransport connects to the endpoints of a service of TCP or UDP.
type streamTransport struct {
	model.Transport
	network string
	tls     *tls.Config // nil: plain text
}

func newStreamTransport(s reached, workload model.Workload) (t *streamTransport, err error) {
	t = &streamTransport{Transport: *cmp.Or(s.by, new(model.Transport)), network: "tcp"}
	t.Stream = s.service.Stream.Or(t.Stream)
	if s.service.Lane == model.LaneUDP {
		t.network = "udp"
	}
	if s.service.Protocol == model.TLS {
		t.tls, err = t.TLS.Config(workload)
	}
	return t, err
}

func (t *streamTransport) timeout() time.Duration { return cmp.Or(t.DialTimeout, endpointDialTimeout) }

func (t *streamTransport) termination() time.Duration {
	if t == nil {
		return 0
	}
	return t.Stream.Termination
}

// dial connects to an address, and says what must be said before the client's first byte.
func (t *streamTransport) dial(ctx context.Context, addr string, s *streaming, passthrough bool) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAlive: t.KeepAlive}).DialContext(ctx, t.network, addr)
	if err != nil {
		return nil, err
	}
	if t.network == "udp" {
		return conn, nil
	}
	deadline, _ := ctx.Deadline()
	err = conn.SetDeadline(deadline)
	if err == nil {
		conn, err = t.introduce(ctx, conn, addr, s, passthrough)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// introduce says who the client is, and begins TLS. It returns the connection to go on with, also with an error.
func (t *streamTransport) introduce(
	ctx context.Context, conn net.Conn, addr string, s *streaming, passthrough bool,
) (net.Conn, error) {
	if t.Stream.ProxyProtocol > 0 {
		if _, err := proxyHeader(t.Stream.ProxyProtocol, s.client, s.local).WriteTo(conn); err != nil {
			return conn, fmt.Errorf("saying who the client is: %w", err)
		}
	}
	if s.hello.Postgres && (passthrough || t.tls != nil) {
		if err := stream.RequestTLS(conn); err != nil {
			return conn, err
		}
	}
	if t.tls == nil || passthrough {
		return conn, nil
	}
	config := t.tls
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return conn, errors.Join(errHandshake, err)
	}
	return secure, nil
}

var errHandshake = errors.New("beginning TLS with the service")

// proxyHeader returns the header of the PROXY protocol. Both addresses are of the client's family: the header has room
// for one only.
func proxyHeader(version int, client, local netip.AddrPort) *proxyproto.Header {
	if !local.IsValid() || client.Addr().Is4() != local.Addr().Is4() {
		unspecified := netip.IPv6Unspecified()
		if client.Addr().Is4() {
			unspecified = netip.IPv4Unspecified()
		}
		local = netip.AddrPortFrom(unspecified, local.Port())
	}
	return proxyproto.HeaderProxyFromAddrs(byte(version), net.TCPAddrFromAddrPort(client), net.TCPAddrFromAddrPort(local))
}
