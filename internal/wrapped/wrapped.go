// Package wrapped knows what lies below a connection: those that the listeners of an entry point accept are counted,
// named and read from in layers, and what only the connection at the bottom can do is asked of it here.
package wrapped

import (
	"errors"
	"net"
)

// Bare returns the connection that c only counts or names: what has a method Unwrap promises that whatever is read and
// written passes as it is.
func Bare(c net.Conn) net.Conn {
	for {
		wrapper, ok := c.(interface{ Unwrap() net.Conn })
		if !ok {
			return c
		}
		c = wrapper.Unwrap()
	}
}

// Below returns the connection that carries c, whatever c makes of what it reads and writes; nil: none that is known.
func Below(c net.Conn) net.Conn {
	switch wrapper := c.(type) {
	case interface{ Unwrap() net.Conn }:
		return wrapper.Unwrap()
	case interface{ Raw() net.Conn }: // go-proxyproto's
		return wrapper.Raw()
	case interface{ NetConn() net.Conn }: // crypto/tls's
		return wrapper.NetConn()
	}
	return nil
}

// CloseWrite tells the other side of a connection that nothing more comes; it may still send. The error is
// [errors.ErrUnsupported] where the connection can only be closed as a whole.
func CloseWrite(c net.Conn) error {
	for ; c != nil; c = Below(c) {
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			return half.CloseWrite()
		}
	}
	return errors.ErrUnsupported
}
