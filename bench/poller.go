//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is epoll with a clock of nanoseconds: the service and the open-loop load are loops around one.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making an epoll: %w", err)
	}
	return &poller{fd: fd}, nil
}

// again reports whether a system call should just be made again when the connection is ready.
func again(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) }

func (p *poller) close() { _ = unix.Close(p.fd) }

// watch asks to be told when fd can be read, and also when it can be written.
func (p *poller) watch(operation, fd int, writes bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if writes {
		event.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(p.fd, operation, fd, &event); err != nil {
		return fmt.Errorf("watching a connection: %w", err)
	}
	return nil
}

// wait returns what is ready. A negative timeout is none.
func (p *poller) wait(timeout time.Duration) ([]unix.EpollEvent, error) {
	var until *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		until = &t
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(until)), 0, 0)
	if errors.Is(errno, unix.EINTR) {
		return nil, nil
	}
	if errno != 0 {
		return nil, fmt.Errorf("waiting for connections: %w", errno)
	}
	return p.events[:n], nil
}
