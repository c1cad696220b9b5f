package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// errSpoiled is for an idle connection that was closed, or on which something came that nobody asked for. Nothing of a
// request was written to it.
var errSpoiled = errors.New("the idle connection was closed or spoiled")

// lookAfter is how long a connection must have been idle to be looked at before it is used again: longer than a burst
// of work lasts. A look is a system call, and most of what comes in less time it would miss, too.
const lookAfter = 5 * time.Millisecond

// needsLook reports whether a look may find that the connection was closed or spoiled. A request that cannot be sent
// again is worth one in any case.
func (c *serviceConn) needsLook(o *message) bool {
	return time.Since(c.idleSince) > lookAfter || !idempotent(o.method())
}

// turn sends a request on a plain TCP connection and reads the first bytes of the answer in one visit to the
// poller: look whether the connection is silent, write, wait until there is something to read, read. As the look
// and the write happen after the poller was told, nothing is missed in between, and it needs no read that finds
// nothing. While it waits it holds no buffer.
type turn struct {
	c     *serviceConn
	visit func(fd uintptr) bool // made once: it would be an allocation each time. Nil: not possible on this connection

	o       *message
	written int
	all     bool // the request is written
	err     error
}

func (t *turn) init(c *serviceConn) {
	if c.tcp != nil && c.quiet != nil {
		t.c, t.visit = c, t.step
	}
}

// take makes the turn. If all is not written after it and there is no error, the connection could not take more at
// once.
func (t *turn) take(o *message) error {
	t.o, t.written, t.all, t.err = o, 0, false, nil
	err := t.c.quiet.raw.Read(t.visit)
	if t.o = nil; err == nil {
		err = t.err
	}
	return err
}

// step is called by the poller, which holds the descriptor. It returns false to wait.
func (t *turn) step(fd uintptr) bool {
	c := t.c
	if !t.all {
		if c.reused && c.needsLook(t.o) && !t.silent(fd) {
			t.err = errSpoiled
			return true
		}
		c.announce(t.o)
		if err := t.write(fd); err != nil || !t.all {
			t.err = err
			return true
		}
		wroteRequest(t.o.trace, nil)
		return false
	}
	for {
		n, err := readNow(fd, c.room())
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			c.read.rest()
			return false
		case err != nil:
			t.err = t.failed("read", err)
		case n == 0:
			t.err = io.EOF
		default:
			c.read.w += n
		}
		return true
	}
}

func (t *turn) silent(fd uintptr) bool {
	for {
		_, err := readNow(fd, t.c.quiet.one[:])
		if err != syscall.EINTR {
			return err == syscall.EAGAIN
		}
	}
}

func (t *turn) write(fd uintptr) error {
	for {
		n, err := writeNow(fd, t.o.b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return nil
		case err != nil:
			return t.failed("write", err)
		}
		t.written, t.all = n, n == len(t.o.b)
		return nil
	}
}

func (t *turn) failed(op string, err error) error {
	return &net.OpError{
		Op: op, Net: "tcp", Source: t.c.raw.LocalAddr(), Addr: t.c.raw.RemoteAddr(), Err: os.NewSyscallError(op, err),
	}
}
