package proxy

import (
	"net"
	"net/netip"
	"sync"
)

// limitConnections bounds how many connections are open at once, in all and for each client address (0: unbounded). One
// too many is closed at once: a client that holds connections cannot keep others waiting.
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
		client := parseAddr(conn.RemoteAddr().String())
		if l.limits.admit(client) {
			return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { l.limits.release(client) })}, nil
		}
		_ = conn.Close()
	}
}

// connectionLimits count the connections of an entry point, whatever they speak.
type connectionLimits struct {
	total, perClient int // 0: unbounded

	mu      sync.Mutex
	open    int
	clients map[netip.Addr]int
}

func newConnectionLimits(total, perClient int) *connectionLimits {
	return &connectionLimits{total: total, perClient: perClient, clients: make(map[netip.Addr]int)}
}

func (l *connectionLimits) admit(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total > 0 && l.open >= l.total || l.perClient > 0 && l.clients[client] >= l.perClient {
		return false
	}
	l.open++
	l.clients[client]++
	return true
}

func (l *connectionLimits) release(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.clients[client]--; l.clients[client] == 0 {
		delete(l.clients, client)
	}
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
