//go:build unix

package wire

import "syscall"

func writeNow(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }
