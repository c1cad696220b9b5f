package wire

import (
	"net"
	"os"
	"syscall"
)

// socket writes to a TCP connection without telling the scheduler of each call: see readNow.
type socket struct {
	raw   syscall.RawConn
	visit func(fd uintptr) bool // made once: it would be an allocation each time
	left  []byte
	err   error
}

// newSocket returns nil where that is not possible.
func newSocket(c *net.TCPConn) *socket {
	raw := rawOf(c)
	if raw == nil {
		return nil
	}
	s := &socket{raw: raw}
	s.visit = s.step
	return s
}

// Write is part of io.Writer.
func (s *socket) Write(p []byte) (int, error) {
	s.left, s.err = p, nil
	err := s.raw.Write(s.visit)
	n := len(p) - len(s.left)
	s.left = nil
	if err == nil && s.err != nil {
		err = &net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", s.err)}
	}
	return n, err
}

// step is called by the poller, which holds the descriptor. It returns false to wait.
func (s *socket) step(fd uintptr) bool {
	for len(s.left) > 0 {
		n, err := writeNow(fd, s.left)
		switch err {
		case nil:
			s.left = s.left[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			s.err = err
			return true
		}
	}
	return true
}
