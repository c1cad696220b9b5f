package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/stream"
)

const (
	defaultSessionTimeout = 3 * time.Second
	// defaultSessions bounds the sessions of an entry point where it names no limit: addresses of UDP can be made up, and
	// each session takes a descriptor and up to 128 KiB.
	defaultSessions = 4096
	// sessionQueue is how many datagrams of a client wait for its service.
	sessionQueue = 64
)

// datagramPoint is an entry point for UDP that is open. What comes from one address is a session, which has a socket of
// its own to the service.
type datagramPoint struct {
	options EntryPoint
	proxy   *Proxy
	conn    *net.UDPConn
	limits  *connectionLimits
	log     *slog.Logger

	mu       sync.Mutex
	sessions map[netip.AddrPort]*session
	draining bool
	all      sync.WaitGroup
}

func (p *Proxy) openDatagrams(e *EntryPoint) (*datagramPoint, error) {
	conn, err := net.ListenPacket("udp", e.Address)
	if err != nil {
		return nil, fmt.Errorf("opening entry point %s: %w", e.Name, err)
	}
	log := p.log.With("entryPoint", e.Name)
	return &datagramPoint{
		options: *e, proxy: p, conn: conn.(*net.UDPConn), log: log,
		limits:   newConnectionLimits(e, cmp.Or(e.Connections, defaultSessions), log),
		sessions: make(map[netip.AddrPort]*session),
	}, nil
}

// run serves until ctx is done, then drains: no new sessions, and those under way may end within the grace.
func (d *datagramPoint) run(ctx context.Context) error {
	d.log.Info("entry point open", "address", d.conn.LocalAddr().String(), "udp", true)
	served := make(chan error, 1)
	go func() { served <- d.read() }()
	select {
	case err := <-served:
		d.end()
		return fmt.Errorf("serving entry point %s: %w", d.options.Name, err)
	case <-ctx.Done():
	}
	if d.options.AcceptGrace > 0 {
		time.Sleep(d.options.AcceptGrace)
	}
	d.mu.Lock()
	d.draining = true
	d.mu.Unlock()
	ended := make(chan struct{})
	go func() { d.all.Wait(); close(ended) }()
	grace := time.NewTimer(d.options.DrainGrace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
	}
	_ = d.conn.Close()
	err := <-served
	d.end()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("draining entry point %s: %w", d.options.Name, err)
}

// end cuts the sessions, and waits for them.
func (d *datagramPoint) end() {
	d.mu.Lock()
	d.draining = true
	for _, s := range d.sessions {
		_ = s.Close()
	}
	d.mu.Unlock()
	d.all.Wait()
}

// read hands each datagram to its session, until the socket is closed.
func (d *datagramPoint) read() error {
	buffer := make([]byte, stream.MaxDatagram)
	for {
		n, from, err := d.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			continue // of one datagram; the next is another
		}
		if s := d.session(from); s != nil {
			s.receive(buffer[:n])
		}
	}
}

// session returns the session of a client, a new one if there is none; nil: there may be no more.
func (d *datagramPoint) session(from netip.AddrPort) *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.sessions[from]; s != nil && !s.over() {
		return s
	}
	client := from.Addr().Unmap()
	if d.draining || d.proxy.generation.Load() == nil || !d.limits.admit(client) {
		return nil
	}
	s := &session{point: d, from: from, queue: make(chan []byte, sessionQueue), closed: make(chan struct{})}
	d.sessions[from] = s
	d.all.Add(1)
	go func() {
		defer d.all.Done()
		defer d.limits.release(client)
		defer d.forget(s)
		s.serve()
	}()
	return s
}

func (d *datagramPoint) forget(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sessions[s.from] == s {
		delete(d.sessions, s.from)
	}
}

// session is the datagrams of one client. It is their connection: Read takes one of the client's, Write sends it one.
type session struct {
	point  *datagramPoint
	from   netip.AddrPort
	queue  chan []byte
	once   sync.Once
	closed chan struct{}
}

// receive takes a datagram of the client's. What comes faster than the service takes it is lost, as it would be in a
// socket's buffer.
func (s *session) receive(datagram []byte) {
	select {
	case s.queue <- append([]byte(nil), datagram...):
	default:
	}
}

// serve leads the session to its service.
func (s *session) serve() {
	defer func() { _ = s.Close() }()
	d, p := s.point, s.point.proxy
	p.count(d.options.Name, "udp", 1)
	defer p.count(d.options.Name, "udp", -1)
	x := p.newStream(&d.options, model.LaneUDP, s.RemoteAddr(), s.LocalAddr())
	defer p.finishStream(x)
	g := p.generation.Load()
	rule, ok := g.table.Match(x.question(&d.options))
	if !ok {
		x.Reason = reasonNoRoute
		return
	}
	a := g.actions[rule.Slot]
	x.Route = a.route
	release := a.stream.admit(x)
	defer release()
	if x.Reason != "" {
		return
	}
	if service, ok := p.openStream(a.stream, x); ok {
		p.pumpDatagrams(x, s, service, cmp.Or(d.options.SessionTimeout, defaultSessionTimeout))
	}
}

// Read is part of net.Conn.
func (s *session) Read(b []byte) (int, error) {
	select {
	case datagram := <-s.queue:
		return copy(b, datagram), nil
	case <-s.closed:
		return 0, io.EOF
	}
}

// Write is part of net.Conn.
func (s *session) Write(b []byte) (int, error) { return s.point.conn.WriteToUDPAddrPort(b, s.from) }

// Close is part of net.Conn. The next datagram of the client begins another session.
func (s *session) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *session) over() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// LocalAddr is part of net.Conn.
func (s *session) LocalAddr() net.Addr { return s.point.conn.LocalAddr() }

// RemoteAddr is part of net.Conn.
func (s *session) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(s.from) }

// SetDeadline is part of net.Conn. Sessions have none: they end when nothing passes.
func (s *session) SetDeadline(time.Time) error { return errors.ErrUnsupported }

// SetReadDeadline is part of net.Conn.
func (s *session) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// SetWriteDeadline is part of net.Conn.
func (s *session) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
