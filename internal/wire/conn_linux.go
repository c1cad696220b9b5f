package wire

import (
	"encoding/binary"
	"syscall"
)

// finished reports whether the other side has ended the connection, even if something is left to be read: the alert
// that ends TLS, which only the TLS connection could read.
func finished(fd uintptr) bool {
	const established = 1 // TCP_ESTABLISHED; struct tcp_info begins with a byte for the state
	info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
	if err != nil {
		return false // no TCP
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(info))
	return b[0] != established
}
