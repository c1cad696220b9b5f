package proxy

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// limitConnections bounds how many connections are open at once, in all and for each client (0: unbounded). One too
// many is closed at once: a client that holds connections cannot keep others waiting.
func limitConnections(l net.Listener, limits *connectionLimits) net.Listener {
	if limits.total == 0 && limits.perClient == 0 {
		return l
	}
	return &limitedListener{l, limits}
}

type limitedListener struct {
	net.Listener
	limits *connectionLimits
}

func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := addrPort(conn.RemoteAddr()).Addr()
		if l.limits.admit(client) {
			return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { l.limits.release(client) })}, nil
		}
		_ = conn.Close()
	}
}

// connectionLimits count the connections of an entry point, whatever they speak.
type connectionLimits struct {
	total, perClient int // 0: unbounded
	// infront are proxies and balancers: behind the address of one are many clients.
	infront trust
	log     *slog.Logger

	mu      sync.Mutex
	open    int
	clients map[netip.Addr]int
	told    time.Time // when a refusal was logged last
}

// newConnectionLimits makes them for an entry point, with so many connections in all.
func newConnectionLimits(o *EntryPoint, total int, log *slog.Logger) *connectionLimits {
	infront := trust{everyone: o.TrustAll, ranges: append(o.Trusted[:len(o.Trusted):len(o.Trusted)], o.ProxyProtocol...)}
	return &connectionLimits{
		total: total, perClient: o.ConnectionsPerClient, infront: infront, log: log,
		clients: make(map[netip.Addr]int),
	}
}

func (l *connectionLimits) admit(addr netip.Addr) bool {
	client, counted := l.client(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.total > 0 && l.open >= l.total:
		l.tell("connections", addr)
		return false
	case counted && l.clients[client] >= l.perClient:
		l.tell("connectionsPerClient", addr)
		return false
	case counted:
		l.clients[client]++
	}
	l.open++
	return true
}

// tell logs a refusal, once a minute: a flood of connections is not to become one of lines.
func (l *connectionLimits) tell(limit string, addr netip.Addr) {
	if now := time.Now(); now.Sub(l.told) >= time.Minute {
		l.told = now
		l.log.Warn("a connection is refused; more may be", "limit", limit, "client", addr.String())
	}
}

func (l *connectionLimits) release(addr netip.Addr) {
	client, counted := l.client(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if !counted {
		return
	}
	if l.clients[client]--; l.clients[client] == 0 {
		delete(l.clients, client)
	}
}

// client returns what is counted as one client: an address, or a network of IPv6 such as everybody gets one (/64).
func (l *connectionLimits) client(addr netip.Addr) (client netip.Addr, counted bool) {
	if l.perClient == 0 || l.infront.includes(addr) {
		return addr, false
	}
	if addr.Is6() && !addr.Is4In6() {
		network, _ := addr.Prefix(64)
		return network.Addr(), true
	}
	return addr, true
}

type limitedConn struct {
	net.Conn
	release func()
}

// Unwrap lets the engine wait for the connection itself.
func (c *limitedConn) Unwrap() net.Conn { return c.Conn }

func (c *limitedConn) Close() error {
	c.release()
	return c.Conn.Close()
}
