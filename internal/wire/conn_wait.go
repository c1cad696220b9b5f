package wire

import (
	"io"
	"net"
	"syscall"
)

// waiter waits until a connection has something to read, without holding a buffer meanwhile.
//
// From plain TCP it reads when the poller says so, into a buffer that is taken for this; reading comes first, so that
// nothing is missed. From TLS (which keeps what it has decrypted) and from other connections it reads one byte: a
// request has more than one, so that waiting for the second is not waiting for another request.
type waiter struct {
	conn     *conn
	callback func(fd uintptr) bool // made once: it would be an allocation each time. Nil: one byte
	err      error                 // of the callback
	one      [1]byte
}

func (w *waiter) init(c *conn, plain bool) {
	w.conn = c
	if plain && c.raw != nil {
		w.callback = w.read
	}
}

// wait returns when the connection's reader has something, or with the error of reading.
func (w *waiter) wait() error {
	c := w.conn
	if w.callback != nil {
		w.err = nil
		if err := c.raw.Read(w.callback); err != nil {
			return err
		}
		return w.err
	}
	for {
		n, err := c.net.Read(w.one[:])
		if n == 1 {
			c.in.r, c.in.w = 0, 0
			c.in.room()[0] = w.one[0]
			c.in.w = 1
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// read is called by the poller, which holds the descriptor. It returns false to wait.
func (w *waiter) read(fd uintptr) bool {
	in := &w.conn.in
	for {
		n, err := readNow(fd, in.room())
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			in.rest()
			return false
		case err != nil:
			w.err = err
		case n == 0:
			w.err = io.EOF
		default:
			in.w += n
		}
		return true
	}
}

// bare returns the connection that c only counts or names: what has a method Unwrap promises that whatever is read and
// written passes as it is.
func bare(c net.Conn) net.Conn {
	for {
		wrapped, ok := c.(interface{ Unwrap() net.Conn })
		if !ok {
			return c
		}
		c = wrapped.Unwrap()
	}
}

// rawOf returns the way to a TCP or Unix connection's descriptor, or nil.
func rawOf(c net.Conn) syscall.RawConn {
	var sys syscall.Conn
	switch plain := bare(c).(type) {
	case *net.TCPConn:
		sys = plain
	case *net.UnixConn:
		sys = plain
	default:
		return nil
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
