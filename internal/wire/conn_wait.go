package wire

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/wrapped"
)

// waiter waits until a connection has something to read, without holding a buffer meanwhile.
//
// From plain TCP it reads when the poller says so, into a buffer that is taken for this; reading comes first, so that
// nothing is missed. From TLS (which keeps what it has decrypted) and from other connections it reads one byte: a
// request has more than one, so that waiting for the second is not waiting for another request.
type waiter struct {
	conn     *conn
	plain    bool                  // TCP without TLS
	callback func(fd uintptr) bool // made once: it would be an allocation each time. Nil: there is no poller
	answers  bool                  // the callback writes first
	waited   bool                  // nothing was there when wait began
	err      error                 // of the callback
	one      [1]byte
}

func (w *waiter) init(c *conn, plain bool) {
	w.conn, w.plain = c, plain
	if c.raw != nil {
		w.callback = w.step
	}
}

// wait returns when the connection's reader has something, or with the error of reading.
func (w *waiter) wait() error {
	w.waited = false
	if w.plain && w.callback != nil {
		return w.visit()
	}
	began := time.Now()
	err := w.readOne()
	w.waited = time.Since(began) >= time.Millisecond // TLS does not tell
	return err
}

func (w *waiter) visit() error {
	w.err = nil
	if err := w.conn.raw.Read(w.callback); err != nil {
		return err
	}
	return w.err
}

func (w *waiter) readOne() error {
	c := w.conn
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
	w.answers = true
	err := w.visit()
	if w.answers { // we were not let in: on a busy machine the deadline for what comes next may be over by now
		w.answers = false
		return w.written(true, w.conn.out.flush())
	}
	if err != nil || w.plain {
		return err
	}
	return w.readOne()
}

// step is called by the poller, which holds the descriptor. It returns false to wait.
func (w *waiter) step(fd uintptr) bool {
	if !w.answers {
		return !w.plain || w.read(fd)
	}
	w.answers = false
	w.err = w.written(w.write(fd))
	return w.err != nil
}

// written ends a request whose answer has been written, or why not. late: something may have come meanwhile.
func (w *waiter) written(late bool, err error) error {
	switch {
	case err != nil:
		return err
	case !w.conn.answered():
		return net.ErrClosed
	case late:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// write writes the answer. late: the connection could not take it at once, and something may have come meanwhile.
func (w *waiter) write(fd uintptr) (late bool, err error) {
	out := &w.conn.out
	if !w.plain {
		return false, out.flush()
	}
	n, err := writeNow(fd, out.buf.b[:out.n])
	if err == nil && n == out.n {
		out.release()
		return false, nil
	}
	out.n = copy(out.buf.b, out.buf.b[max(n, 0):out.n])
	return true, out.flush() // which finds out what is wrong, if anything is
}

// read reads what is there.
func (w *waiter) read(fd uintptr) bool {
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

// rawOf returns the way to a TCP or Unix connection's descriptor, or nil.
func rawOf(c net.Conn) syscall.RawConn {
	var sys syscall.Conn
	switch plain := wrapped.Bare(c).(type) {
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
