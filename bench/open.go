//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// openLoop is a load that comes at its own pace, whether or not the proxy keeps up: request number n is due n/rate
// after the start, and its latency counts from then. A load that waits for answers would not ask while the proxy is
// slow, and so never see it.
type openLoop struct {
	address string
	conns   int
	hosts   int
	path    string
	rate    float64         // requests a second
	until   <-chan struct{} // no further requests once it is closed; nil: for as long as run is told
}

// outcome is what an open loop saw.
type outcome struct {
	latencies []time.Duration // sorted
	failed    int
}

// openRun is an open loop under way.
type openRun struct {
	openLoop
	poll     *poller
	to       unix.Sockaddr
	requests [][]byte
	conns    map[int]*openConn
	idle     []*openConn
	begin    time.Time
	sent     int // requests that were due and sent, or failed
	outcome
}

type openConn struct {
	fd    int
	busy  bool
	due   time.Time
	head  []byte // of the answer, until it is whole
	left  int    // of the answer's body
	close bool   // the answer says so
}

// run makes the load for a duration, then waits at most a second for the last answers.
func (o openLoop) run(ctx context.Context, d time.Duration) (outcome, error) {
	runtime.LockOSThread() // its timers are this thread's
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // wake up when it is time, not 50 us later
	r, err := o.prepare()
	if err != nil {
		return outcome{}, err
	}
	defer r.close()
	total := int(o.rate * d.Seconds())
	r.begin = time.Now()
	for end := r.begin.Add(d + time.Second); r.sent < total || len(r.idle) < len(r.conns); {
		if ctx.Err() != nil {
			return outcome{}, ctx.Err()
		}
		now := time.Now()
		select {
		case <-o.until:
			total, o.until, end = r.sent, nil, now.Add(time.Second)
		default:
		}
		if now.After(end) {
			break
		}
		for r.sent < total && len(r.idle) > 0 && !r.due(r.sent).After(now) {
			r.send()
		}
		wait := min(time.Until(end), 100*time.Millisecond)
		if r.sent < total && len(r.idle) > 0 {
			wait = min(wait, time.Until(r.due(r.sent)))
		}
		ready, err := r.poll.wait(max(wait, 0))
		if err != nil {
			return outcome{}, err
		}
		for _, event := range ready {
			if c := r.conns[int(event.Fd)]; c != nil {
				r.read(c)
			}
		}
	}
	r.failed += total - r.sent + len(r.conns) - len(r.idle)
	slices.Sort(r.latencies)
	return r.outcome, nil
}

func (o openLoop) prepare() (*openRun, error) {
	to, err := netip.ParseAddrPort(o.address)
	if err != nil {
		return nil, fmt.Errorf("an open loop to %s: %w", o.address, err)
	}
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	r := &openRun{
		openLoop: o, poll: poll, conns: make(map[int]*openConn),
		to: &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()},
	}
	for i := range o.hosts {
		r.requests = append(r.requests, requestFor(hostOf(i), o.path, ""))
	}
	for range o.conns {
		if err := r.connect(); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// requestFor returns a request as a browser sends it, with one more field if it is given.
func requestFor(host, path, field string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\n", path, host)
	for _, f := range browserFields() {
		b.WriteString(f + "\r\n")
	}
	if field != "" {
		b.WriteString(field + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

func (r *openRun) close() {
	for fd := range r.conns {
		_ = unix.Close(fd)
	}
	r.poll.close()
}

func (r *openRun) due(n int) time.Time {
	return r.begin.Add(time.Duration(float64(n) / r.rate * float64(time.Second)))
}

// connect opens one more connection: on the loopback that takes no time worth doing something else in.
func (r *openRun) connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("making a socket: %w", err)
	}
	if err := errors.Join(
		unix.Connect(fd, r.to), unix.SetNonblock(fd, true), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		r.poll.watch(unix.EPOLL_CTL_ADD, fd, false),
	); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("connecting to %s: %w", r.address, err)
	}
	c := &openConn{fd: fd}
	r.conns[fd] = c
	r.idle = append(r.idle, c)
	return nil
}

// send sends the next request over the connection that was used last.
func (r *openRun) send() {
	c := r.idle[len(r.idle)-1]
	r.idle = r.idle[:len(r.idle)-1]
	c.due, c.busy = r.due(r.sent), true
	r.sent++
	request := r.requests[rand.IntN(len(r.requests))]
	if n, err := unix.Write(c.fd, request); err != nil || n < len(request) {
		r.replace(c)
	}
}

// replace puts a new connection in the place of one that has ended.
func (r *openRun) replace(c *openConn) {
	if c.busy {
		r.failed++
	}
	_ = unix.Close(c.fd)
	delete(r.conns, c.fd)
	if i := slices.Index(r.idle, c); i >= 0 {
		r.idle = slices.Delete(r.idle, i, i+1)
	}
	_ = r.connect() // where it cannot, there is one less, and the requests wait
}

// read takes what has come of an answer.
func (r *openRun) read(c *openConn) {
	var buffer [64 << 10]byte
	n, err := unix.Read(c.fd, buffer[:])
	if again(err) {
		return
	}
	if err != nil || n == 0 || !c.busy {
		r.replace(c)
		return
	}
	whole, err := c.take(buffer[:n])
	if err != nil {
		r.replace(c)
		return
	}
	if !whole {
		return
	}
	r.latencies = append(r.latencies, time.Since(c.due))
	c.busy = false
	if c.close {
		r.replace(c)
		return
	}
	r.idle = append(r.idle, c)
}

// take adds to an answer and says whether it is whole.
func (c *openConn) take(b []byte) (whole bool, err error) {
	if c.left == 0 {
		c.head = append(c.head, b...)
		end := bytes.Index(c.head, []byte("\r\n\r\n"))
		if end < 0 {
			return false, nil
		}
		b = c.head[end+4:]
		if c.left, c.close, err = parseHead(c.head[:end+2]); err != nil {
			return false, err
		}
		c.head = c.head[:0]
	}
	c.left -= len(b)
	if c.left < 0 {
		return false, errors.New("more came than the answer's length")
	}
	return c.left == 0, nil
}

// parseHead reads what matters of an answer's head: that it is 200, its length, and whether the connection ends.
func parseHead(head []byte) (length int, ends bool, err error) {
	length = -1
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
		case bytes.EqualFold(name, []byte("connection")):
			ends = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200")) || length < 0 || err != nil {
		return 0, false, errors.New("not an answer with 200 and a length")
	}
	return length, ends, nil
}
