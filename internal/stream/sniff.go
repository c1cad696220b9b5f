package stream

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// Hello is what a connection begins with. The zero Hello is anything but TLS.
type Hello struct {
	TLS        bool
	ServerName string   // that the client asks for (RFC 6066 §3), as it was sent; "" where it names none
	ALPN       []string // that the client offers (RFC 7301)
	// Postgres says that TLS was asked for as PostgreSQL's clients do, and that they were told to begin.
	Postgres bool
}

// The requests with which a PostgreSQL client may begin, each of 8 bytes: its length, and a code.
const (
	postgresLength = 8
	requestTLS     = 80877103
	requestGSS     = 80877104
)

// recordHandshake is the first byte of a TLS connection (RFC 8446 §5.1).
const recordHandshake = 22

// maxHello bounds what is read of a connection before it is known what it is.
const maxHello = 64 << 10

var (
	errTooLong    = errors.New("the connection's beginning is too long")
	errImpatient  = errors.New("the client sent more before it was told to begin TLS")
	errNoTLS      = errors.New("the client asked for TLS, and then did not begin it")
	errEnoughRead = errors.New("the client's hello is read")
)

// Sniff looks at how a connection begins, within the limit of time (0: none), and returns a connection that can be read
// from the beginning. A client that says nothing in that time waits for the other side: its Hello is the zero one.
//
// Postgres answers the requests for TLS of PostgreSQL's clients, and goes on with the TLS that follows. The connection
// is then the one below the request: what leads to a service must make the request there (RequestTLS).
func Sniff(c net.Conn, postgres bool, limit time.Duration) (Hello, *Conn, error) {
	if limit > 0 {
		if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return Hello{}, nil, fmt.Errorf("bounding the beginning of a connection: %w", err)
		}
	}
	s := &sniffer{conn: c}
	hello, err := s.sniff(postgres)
	if len(s.read) == 0 && !hello.Postgres && errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil // the client waits
	}
	if err == nil {
		err = c.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return hello, nil, fmt.Errorf("reading the beginning of a connection: %w", err)
	}
	return hello, &Conn{Conn: c, early: s.read}, nil
}

// sniffer reads from a connection and remembers what it has read.
type sniffer struct {
	conn net.Conn
	read []byte
}

// more reads until n bytes are known, or more.
func (s *sniffer) more(n int) error {
	for len(s.read) < n {
		if err := s.fill(); err != nil {
			return err
		}
	}
	return nil
}

func (s *sniffer) fill() error {
	if len(s.read) >= maxHello {
		return errTooLong
	}
	var buffer [4 << 10]byte
	n, err := s.conn.Read(buffer[:])
	s.read = append(s.read, buffer[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

func (s *sniffer) sniff(postgres bool) (Hello, error) {
	if err := s.more(1); err != nil {
		return Hello{}, err
	}
	switch {
	case s.read[0] == recordHandshake:
		return s.hello()
	case postgres && s.read[0] == 0:
		return s.postgres()
	}
	return Hello{}, nil
}

// postgres answers a client's requests for encryption: GSSAPI is declined, TLS is agreed to.
func (s *sniffer) postgres() (Hello, error) {
	for range 2 {
		if err := s.more(postgresLength); err != nil {
			return Hello{}, err
		}
		if binary.BigEndian.Uint32(s.read) != postgresLength {
			return Hello{}, nil // the start of a session without encryption, or another protocol
		}
		answer := byte('N')
		switch binary.BigEndian.Uint32(s.read[4:]) {
		case requestTLS:
			answer = 'S'
		case requestGSS:
		default:
			return Hello{}, nil
		}
		if len(s.read) > postgresLength {
			return Hello{}, errImpatient // or somebody in between, who wants this taken for the client's (CVE-2021-23222)
		}
		if _, err := s.conn.Write([]byte{answer}); err != nil {
			return Hello{}, err
		}
		s.read = s.read[:0]
		if answer == 'S' {
			return s.tlsOfPostgres()
		}
	}
	return Hello{}, errNoTLS
}

func (s *sniffer) tlsOfPostgres() (Hello, error) {
	h := Hello{Postgres: true}
	if err := s.more(1); err != nil {
		return h, err
	}
	if s.read[0] != recordHandshake {
		return h, errNoTLS
	}
	h, err := s.hello()
	h.Postgres = true
	return h, err
}

// hello lets crypto/tls read the client's hello, and stops it before it answers.
func (s *sniffer) hello() (Hello, error) {
	var h Hello
	err := tls.Server(&listening{sniffer: s}, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			h = Hello{TLS: true, ServerName: info.ServerName, ALPN: info.SupportedProtos}
			return nil, errEnoughRead
		},
	}).Handshake()
	if h.TLS {
		return h, nil
	}
	return h, fmt.Errorf("reading the client's hello: %w", err)
}

// listening is a sniffer's connection as crypto/tls sees it: it is read from the beginning, and never written to.
type listening struct {
	*sniffer
	at int
}

// Read is part of net.Conn.
func (l *listening) Read(b []byte) (int, error) {
	if err := l.more(l.at + 1); err != nil {
		return 0, err
	}
	n := copy(b, l.sniffer.read[l.at:])
	l.at += n
	return n, nil
}

// Write is part of net.Conn.
func (*listening) Write(b []byte) (int, error) { return len(b), nil }

// Close is part of net.Conn.
func (*listening) Close() error { return nil }

// LocalAddr is part of net.Conn.
func (l *listening) LocalAddr() net.Addr { return l.conn.LocalAddr() }

// RemoteAddr is part of net.Conn.
func (l *listening) RemoteAddr() net.Addr { return l.conn.RemoteAddr() }

// SetDeadline is part of net.Conn.
func (*listening) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is part of net.Conn.
func (*listening) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is part of net.Conn.
func (*listening) SetWriteDeadline(time.Time) error { return nil }

// RequestTLS asks a PostgreSQL server for TLS. The client's hello may follow.
func RequestTLS(server io.ReadWriter) error {
	request := binary.BigEndian.AppendUint32(nil, postgresLength)
	request = binary.BigEndian.AppendUint32(request, requestTLS)
	if _, err := server.Write(request); err != nil {
		return fmt.Errorf("asking the server for TLS: %w", err)
	}
	var answer [1]byte
	if _, err := io.ReadFull(server, answer[:]); err != nil {
		return fmt.Errorf("asking the server for TLS: %w", err)
	}
	if !bytes.Equal(answer[:], []byte("S")) {
		return fmt.Errorf("the server answers %q where it was asked for TLS; switch TLS on there", answer[:])
	}
	return nil
}
