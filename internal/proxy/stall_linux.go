package proxy

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stallControl makes the system cut the connections of a listener whose clients take nothing of what is sent to them
// for so long (RFC 5482): it costs a request nothing, and sees through TLS, splice and whatever the engine does. It is
// the time without any progress, not that of an answer.
func stallControl(limit time.Duration) func(network, address string, c syscall.RawConn) error {
	if limit == 0 {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
		})
		if failed != nil {
			return failed
		}
		return err
	}
}
