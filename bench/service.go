//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// service is what all proxies lead to: one thread that answers GET requests as cheaply as Go can, so that it is never
// what is measured. It answers at every loopback address, each of which stands for one endpoint:
//
//	/bytes/N   N bytes
//	/text/N    N bytes of words, which can be made smaller
//	/cached/N  N bytes that may be kept for an hour, beginning with how many of them there were
//	/endpoint  the address that was asked
//	/head      the head of the request, as it came
type service struct {
	poll    *poller
	listen  int
	conns   []*serviceConn // by file descriptor
	answers map[string][]byte
	cached  int // answers that may be kept
}

type serviceConn struct {
	fd      int
	in      [4 << 10]byte
	n       int
	out     []byte // what is still to be written
	blocked bool
}

// serve listens on a free port, says on out which, and answers for ever.
func serve(out io.Writer) error {
	poll, err := newPoller()
	if err != nil {
		return err
	}
	s := &service{poll: poll, answers: make(map[string][]byte)}
	port, err := s.open()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, port)
	for {
		ready, err := poll.wait(-1)
		if err != nil {
			return err
		}
		for _, event := range ready {
			if fd := int(event.Fd); fd == s.listen {
				s.accept()
			} else {
				s.serve(s.conns[fd])
			}
		}
	}
}

// open listens on all loopback addresses, and on no other.
func (s *service) open() (port int, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("making a socket: %w", err)
	}
	s.listen = fd
	if err := unix.BindToDevice(fd, "lo"); err != nil {
		return 0, fmt.Errorf("keeping to the loopback: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return 0, fmt.Errorf("taking a port: %w", err)
	}
	if err := unix.Listen(fd, 4096); err != nil {
		return 0, fmt.Errorf("listening: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("asking for the port: %w", err)
	}
	return name.(*unix.SockaddrInet4).Port, s.poll.watch(unix.EPOLL_CTL_ADD, fd, false)
}

func (s *service) accept() {
	for {
		fd, _, err := unix.Accept4(s.listen, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // all accepted, or no more files: the proxy sees it
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		for fd >= len(s.conns) {
			s.conns = append(s.conns, nil)
		}
		s.conns[fd] = &serviceConn{fd: fd}
		if s.poll.watch(unix.EPOLL_CTL_ADD, fd, false) != nil {
			s.close(s.conns[fd])
		}
	}
}

func (s *service) close(c *serviceConn) {
	_ = unix.Close(c.fd)
	s.conns[c.fd] = nil
}

// serve goes on with a connection that is ready.
func (s *service) serve(c *serviceConn) {
	if c.blocked {
		s.write(c)
		return
	}
	n, err := unix.Read(c.fd, c.in[c.n:])
	if again(err) {
		return
	}
	if err != nil || n == 0 {
		s.close(c)
		return
	}
	c.n += n
	head := c.in[:c.n]
	if !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if c.n == len(c.in) {
			s.close(c)
		}
		return
	}
	c.n = 0
	c.out = s.answer(c, head)
	s.write(c)
}

// write writes what the connection takes.
func (s *service) write(c *serviceConn) {
	n, err := unix.Write(c.fd, c.out)
	if err != nil && !again(err) {
		s.close(c)
		return
	}
	c.out = c.out[max(n, 0):]
	if blocked := len(c.out) > 0; blocked != c.blocked {
		c.blocked = blocked
		_ = s.poll.watch(unix.EPOLL_CTL_MOD, c.fd, blocked)
	}
}

// answer returns the whole answer to a request.
func (s *service) answer(c *serviceConn, head []byte) []byte {
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	_, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, _ := bytes.Cut(rest, []byte(" "))
	if known, found := s.answers[string(path)]; found {
		return known
	}
	switch string(path) {
	case "/endpoint":
		return response("200 OK", []byte(localAddr(c.fd)))
	case "/head":
		return response("200 OK", head)
	}
	const most = 16 << 20
	kind, size, _ := bytes.Cut(bytes.TrimPrefix(path, []byte("/")), []byte("/"))
	n, err := strconv.Atoi(string(size))
	if err != nil || n < 0 || n > most {
		return response("404 Not Found", nil)
	}
	switch string(kind) {
	case "bytes":
		s.answers[string(path)] = response("200 OK", bytes.Repeat([]byte("x"), n))
	case "text":
		s.answers[string(path)] = response("200 OK", words(n))
	case "cached":
		s.cached++
		body := bytes.Repeat([]byte("x"), n)
		copy(body, strconv.Itoa(s.cached))
		return response("200 OK", body, "Cache-Control: max-age=3600", `ETag: "1"`)
	default:
		return response("404 Not Found", nil)
	}
	return s.answers[string(path)]
}

func response(status string, body []byte, fields ...string) []byte {
	const head = "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
	b := fmt.Appendf(nil, head, status, len(body))
	for _, field := range fields {
		b = append(append(b, field...), "\r\n"...)
	}
	return append(append(b, "\r\n"...), body...)
}

// words returns text that is as good to make smaller as a page is: gzip leaves about a third of it.
func words(n int) []byte {
	random := rand.New(rand.NewPCG(1, 1)) // the same for all
	var vocabulary []string
	for range 1000 {
		word := make([]byte, 3+random.IntN(8))
		for i := range word {
			word[i] = byte('a' + random.IntN(26))
		}
		vocabulary = append(vocabulary, string(word))
	}
	var text []byte
	for len(text) < n {
		rare := random.Float64()
		text = append(append(text, vocabulary[int(rare*rare*1000)]...), ' ')
	}
	return text[:n]
}

func localAddr(fd int) string {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return err.Error()
	}
	return netip.AddrFrom4(name.(*unix.SockaddrInet4).Addr).String()
}
