package proxy

import (
	"net"
	"sync"
)

// divider is the listener of an entry point for TCP: it keeps the connections that stream routes take, and hands on the
// others, which are HTTP's.
type divider struct {
	net.Listener
	// take looks at a connection, which it may keep: then it returns nil. Otherwise it returns what HTTP is to have.
	take func(net.Conn) net.Conn
	// looks reports whether there is anything to take.
	looks func() bool

	once   sync.Once
	http   chan net.Conn
	closed chan struct{} // when the listener is
	failed chan error    // why it cannot accept any more; one
}

func divide(l net.Listener, looks func() bool, take func(net.Conn) net.Conn) *divider {
	return &divider{
		Listener: l, take: take, looks: looks,
		http: make(chan net.Conn), closed: make(chan struct{}), failed: make(chan error, 1),
	}
}

// Accept is part of net.Listener.
func (d *divider) Accept() (net.Conn, error) {
	d.once.Do(func() { go d.run() })
	select {
	case c := <-d.http:
		return c, nil
	case err := <-d.failed:
		return nil, err
	}
}

// run accepts until that fails. To look at a connection may take long, and nobody waits for it.
func (d *divider) run() {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			d.failed <- err
			if isTemporary(err) {
				continue
			}
			return
		}
		if !d.looks() {
			d.hand(c)
			continue
		}
		go func() {
			if c := d.take(c); c != nil {
				d.hand(c)
			}
		}()
	}
}

// isTemporary reports whether accepting may go well the next time: descriptors were short, or the client was gone.
func isTemporary(err error) bool {
	temporary, ok := err.(interface{ Temporary() bool })
	return ok && temporary.Temporary()
}

func (d *divider) hand(c net.Conn) {
	select {
	case d.http <- c:
	case <-d.closed:
		_ = c.Close()
	}
}

// Close is part of net.Listener.
func (d *divider) Close() error {
	err := d.Listener.Close()
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return err
}
