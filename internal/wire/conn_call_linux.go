package wire

import (
	"syscall"
	"unsafe"
)

// readNow and writeNow are for descriptors that do not block, so the scheduler need not know of the call: to tell it
// costs a tenth of a request, and wakes the runtime's monitor.
func readNow(fd uintptr, p []byte) (int, error) { return call(syscall.SYS_READ, fd, p) }

func writeNow(fd uintptr, p []byte) (int, error) { return call(syscall.SYS_WRITE, fd, p) }

func call(number, fd uintptr, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil //nolint:gosec // a length
}
