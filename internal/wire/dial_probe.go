package wire

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// probe reads from a connection without waiting. It may lie under TLS: then Read goes to the connection, but while a
// look is taken.
type probe struct {
	net.Conn
	looking bool

	raw  syscall.RawConn
	try  func(fd uintptr) bool // look. Made once: it would be an allocation each time
	into []byte
	n    int
	err  error
	one  [1]byte
}

// newProbe returns nil for what is no socket: nobody can look into it.
func newProbe(c net.Conn) *probe {
	raw := rawOf(c)
	if raw == nil {
		return nil
	}
	p := &probe{raw: raw}
	p.try = p.look
	return p
}

// look reads from a descriptor that does not block.
func (p *probe) look(fd uintptr) bool {
	p.n, p.err = readNow(fd, p.into)
	for p.err == syscall.EINTR {
		p.n, p.err = readNow(fd, p.into)
	}
	switch {
	case p.err == syscall.EAGAIN:
		p.n, p.err = 0, nothingYet{}
	case p.err == nil && p.n == 0:
		p.err = io.EOF
	}
	return true
}

// now reads what is there. The error is nothingYet where nothing is.
func (p *probe) now(b []byte) (int, error) {
	p.into = b
	err := p.raw.Read(p.try)
	p.into = nil
	if err != nil {
		return 0, err
	}
	return p.n, p.err
}

// Read is for TLS.
func (p *probe) Read(b []byte) (int, error) {
	if p.looking {
		return p.now(b)
	}
	return p.Conn.Read(b)
}

// silent reports whether a connection is open and nothing came on it that nobody asked for. reader is the connection as
// the exchanges see it.
func (p *probe) silent(reader io.Reader) bool {
	if p.Conn == nil {
		_, err := p.now(p.one[:])
		return errors.Is(err, nothingYet{})
	}
	p.looking = true
	n, err := reader.Read(p.one[:])
	p.looking = false
	return n == 0 && errors.Is(err, nothingYet{})
}

// nothingYet is a net.Error that passes, so that TLS goes on after it.
type nothingYet struct{}

func (nothingYet) Error() string   { return "nothing to read yet" }
func (nothingYet) Timeout() bool   { return true }
func (nothingYet) Temporary() bool { return true }
