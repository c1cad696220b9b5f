package stream

import (
	"io"
	"net"
	"time"

	"github.com/fairlead/fairlead/internal/wrapped"
)

// Conn is a connection of which something was read that is to be read again.
type Conn struct {
	net.Conn
	early []byte
}

// Read is part of net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(b, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// Early returns a connection on which some bytes come before what c itself brings.
func Early(c net.Conn, bytes []byte) *Conn { return &Conn{Conn: c, early: bytes} }

// Limits bound what a pump waits for. 0: no limit.
type Limits struct {
	Idle time.Duration // for how long nothing may come from either side
	// Termination is for how long one side may go on once the other has ended.
	Termination time.Duration
}

// Passed is how much came of each side, in bytes, and whether the pump ended because nothing came any more.
type Passed struct {
	FromClient, FromService int64
	Idle                    bool
}

// Pump copies what client sends to service, and the other way round, until both have ended or the limits are reached,
// then closes them. Where one ends, the other is told so (half-close) and may go on.
//
// Where both are plain TCP the bytes do not leave the kernel (Linux).
func Pump(client, service net.Conn, limits Limits) (p Passed) {
	a, b := sideOf(client), sideOf(service)
	idle := limitIdleness(a, b, limits.Idle)
	done := make(chan int64, 1)
	go func() { done <- pass(a, b, limits.Termination) }()
	p.FromClient = pass(b, a, limits.Termination)
	p.FromService = <-done
	p.Idle = idle.stop()
	_ = client.Close()
	_ = service.Close()
	return p
}

// side is a connection, and what comes on it before anything else.
type side struct {
	net.Conn
	early []byte
	from  io.Reader            // what is read of it then: itself, as a rule
	quiet func() time.Duration // for how long nothing has come; nil: nobody asks
}

func sideOf(c net.Conn) *side {
	var early []byte
	if begun, ok := c.(*Conn); ok {
		c, early = begun.Conn, begun.early
	}
	c = wrapped.Bare(c)
	return &side{Conn: c, early: early, from: c}
}

// pass copies from one side to the other until the first has ended.
func pass(to, from *side, termination time.Duration) int64 {
	n, err := forward(to.Conn, from)
	if err == nil {
		err = wrapped.CloseWrite(to.Conn)
	}
	if err != nil { // one side is gone, or cannot be told: there is nothing to wait for
		_ = to.Close()
		_ = from.Close()
		return n
	}
	if termination > 0 {
		_ = to.SetReadDeadline(time.Now().Add(termination))
	}
	return n
}

func forward(to net.Conn, from *side) (int64, error) {
	if len(from.early) > 0 {
		if n, err := to.Write(from.early); err != nil {
			return int64(n), err
		}
	}
	// Bare on both sides, so that io.Copy finds *net.TCPConn.ReadFrom, which splices.
	n, err := io.Copy(to, from.from)
	return int64(len(from.early)) + n, err
}
