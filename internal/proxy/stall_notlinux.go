//go:build !linux

package proxy

import (
	"syscall"
	"time"
)

// stallControl does nothing here: clients of HTTP/1.1 that take nothing are cut by WriteTimeout only.
func stallControl(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
