package wire

import (
	"io"
	"net"
	"os"
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
	answers  bool                  // the callback writes first
	waited   bool                  // nothing was there when the callback first read
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
		w.err, w.waited = nil, false
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

// answer writes what the connection's writer has, and waits. Few clients send a request before they have the answer to
// the one before, and whatever comes after the poller was told wakes us: so it does not look whether something is there
// already, which is a system call. What did come before (a request, or the end of the connection) is found by wait, for
// which the error os.ErrDeadlineExceeded asks.
func (w *waiter) answer() error {
	w.err, w.answers = nil, true
	if err := w.conn.raw.Read(w.callback); err != nil {
		return err
	}
	return w.err
}

// write is the first step of answer. It returns false to wait.
func (w *waiter) write(fd uintptr) bool {
	c := w.conn
	n, err := writeNow(fd, c.out.buf.b[:c.out.n])
	late := err != nil || n < c.out.n // the connection takes no more for now, or is broken
	if late {
		c.out.n = copy(c.out.buf.b, c.out.buf.b[max(n, 0):c.out.n])
		err = c.out.flush()
	}
	c.out.release()
	switch {
	case err != nil:
		w.err = err
	case !c.answered():
		w.err = net.ErrClosed
	case late:
		w.err = os.ErrDeadlineExceeded
	}
	return w.err != nil
}

// read is called by the poller, which holds the descriptor. It returns false to wait.
func (w *waiter) read(fd uintptr) bool {
	if w.answers {
		w.answers = false
		return w.write(fd)
	}
	in := &w.conn.in
	for {
		n, err := readNow(fd, in.room())
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			w.waited = true
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
