package stream

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// sinceReceived returns for how long nothing has come on a connection, or since it was made, where the system knows.
func sinceReceived(c *net.TCPConn) (d time.Duration, known bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	failed := raw.Control(func(fd uintptr) {
		var info *unix.TCPInfo
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			d = time.Duration(info.Last_data_recv) * time.Millisecond
		}
	})
	return d, failed == nil && err == nil
}
