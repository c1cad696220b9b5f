package wire

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// lot is where connections are parked: they wait for their next request without a goroutine, the stack of which would
// be the larger part of what an idle connection takes. One goroutine waits for all of them, as long as there is a
// server; it blocks no thread, as the runtime's poller watches the one that is used here.
//
// All wait equally long, so they are in the order in which their time is over.
type lot struct {
	mu          sync.Mutex
	poll        *os.File // epoll; nil: nobody was ever parked
	descriptor  int      // its
	began       time.Time
	parked      []*conn // by descriptor; nil: not here
	first, last *conn   // in the order in which they came
	closed      bool
}

// berth is what a connection has of the lot.
type berth struct {
	next, before *conn
	descriptor   int32
	known        bool          // to the poller
	due          time.Duration // since the lot began; 0: never
}

// readable is what is waited for: data or an end, once.
const readable = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT

// add parks a connection for so long, 0: for ever. It reports false where that cannot be: the connection is none of the
// system's, it is closed, or the server is.
func (l *lot) add(c *conn, timeout time.Duration) bool {
	if c.raw == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.open() != nil {
		return false
	}
	added := false
	err := c.raw.Control(func(descriptor uintptr) { // holds it, so that it cannot become another connection's
		added = l.watch(c, int(descriptor)) == nil
	})
	if err != nil || !added {
		return false
	}
	if c.berth.due = 0; timeout > 0 {
		c.berth.due = time.Since(l.began) + timeout
	}
	l.insert(c)
	return true
}

// open makes the poller, and begins to wait.
func (l *lot) open() error {
	if l.poll != nil {
		return nil
	}
	descriptor, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(descriptor, true); err != nil {
		_ = syscall.Close(descriptor)
		return os.NewSyscallError("fcntl", err)
	}
	l.descriptor, l.poll, l.began = descriptor, os.NewFile(uintptr(descriptor), "epoll"), time.Now()
	go l.run(l.poll)
	return nil
}

// watch tells the poller to say once when something comes. What came before counts.
func (l *lot) watch(c *conn, descriptor int) error {
	call := syscall.EPOLL_CTL_ADD
	if c.berth.known {
		call = syscall.EPOLL_CTL_MOD
	}
	event := syscall.EpollEvent{Events: readable, Fd: int32(descriptor)}
	if err := syscall.EpollCtl(l.descriptor, call, descriptor, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	c.berth.known, c.berth.descriptor = true, event.Fd
	return nil
}

func (l *lot) insert(c *conn) {
	for len(l.parked) <= int(c.berth.descriptor) {
		l.parked = append(l.parked, nil)
	}
	l.parked[c.berth.descriptor] = c
	if l.last == nil {
		l.first = c
		l.alarm()
	} else {
		l.last.berth.next, c.berth.before = c, l.last
	}
	l.last = c
}

func (l *lot) remove(c *conn) {
	l.parked[c.berth.descriptor] = nil
	next, before := c.berth.next, c.berth.before
	c.berth.next, c.berth.before = nil, nil
	if before == nil {
		l.first = next
	} else {
		before.berth.next = next
	}
	if next == nil {
		l.last = before
	} else {
		next.berth.before = before
	}
}

// alarm wakes the goroutine when the time of the first is over.
func (l *lot) alarm() {
	var at time.Time
	if l.first != nil && l.first.berth.due > 0 {
		at = l.began.Add(l.first.berth.due)
	}
	_ = l.poll.SetReadDeadline(at) // fails when it is closed
}

// run waits until the lot is closed.
func (l *lot) run(poll *os.File) {
	raw, err := poll.SyscallConn()
	for err == nil {
		var events [64]syscall.EpollEvent
		n := 0
		err = raw.Read(func(descriptor uintptr) bool {
			n, _ = syscall.EpollWait(int(descriptor), events[:], 0) // fails with EINTR, if at all
			return n > 0
		})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		l.leave(events[:max(n, 0)])
	}
}

// leave lets those go on for whom something came, and ends those whose time is over.
func (l *lot) leave(events []syscall.EpollEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, event := range events {
		// It may be another one by now, which had the descriptor after it was closed: that finds nothing, and waits on.
		if c := l.parked[event.Fd]; c != nil {
			l.remove(c)
			go c.run(true)
		}
	}
	for now := time.Since(l.began); l.first != nil && l.first.berth.due > 0 && l.first.berth.due <= now; {
		c := l.first
		l.remove(c)
		go c.end(false, os.ErrDeadlineExceeded)
	}
	l.alarm()
}

// close lets all go on, to find that the server is closed.
func (l *lot) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.poll != nil {
		_ = l.poll.Close()
	}
	for l.first != nil {
		c := l.first
		l.remove(c)
		go c.run(true)
	}
}
