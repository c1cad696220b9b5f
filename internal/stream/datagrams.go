package stream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// MaxDatagram is the longest datagram that there can be, in bytes.
const MaxDatagram = 1<<16 - 1

// Datagrams carries datagrams over a connection: two bytes for the length, in network order, and as many bytes. Read
// takes one datagram, and Write sends one. One goroutine may read and others write.
type Datagrams struct {
	net.Conn
	in *bufio.Reader

	mu  sync.Mutex
	out []byte
}

// NewDatagrams carries datagrams over c.
func NewDatagrams(c net.Conn) *Datagrams {
	return &Datagrams{Conn: c, in: bufio.NewReaderSize(c, 16<<10)}
}

// Read takes the next datagram. Of one that is longer than b, the rest is lost, as with UDP.
func (d *Datagrams) Read(b []byte) (int, error) {
	var head [2]byte
	if _, err := io.ReadFull(d.in, head[:]); err != nil {
		return 0, err
	}
	length := int(binary.BigEndian.Uint16(head[:]))
	n, err := io.ReadFull(d.in, b[:min(length, len(b))])
	if err == nil && n < length {
		_, err = d.in.Discard(length - n)
	}
	if err == io.EOF { // between the length and the datagram
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Write sends a datagram.
func (d *Datagrams) Write(b []byte) (int, error) {
	if len(b) > MaxDatagram {
		return 0, fmt.Errorf("a datagram of %d bytes is longer than %d", len(b), MaxDatagram)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out = binary.BigEndian.AppendUint16(d.out[:0], uint16(len(b)))
	d.out = append(d.out, b...)
	if _, err := d.Conn.Write(d.out); err != nil { // in one write: half of one would spoil the rest
		return 0, err
	}
	return len(b), nil
}

// PumpDatagrams copies each datagram from client to service, and the other way round, until one of them cannot be read
// any more or nothing has passed for idle (0: for ever), then closes both. It calls heard when the first one comes from
// the service. It returns how many bytes came of each; the error is why the service could not be used.
func PumpDatagrams(client, service net.Conn, idle time.Duration, heard func()) (
	fromClient, fromService int64, err error,
) {
	end := func() { _, _ = client.Close(), service.Close() }
	passed := func() {}
	if idle > 0 {
		timer := time.AfterFunc(idle, end)
		defer timer.Stop()
		passed = func() { timer.Reset(idle) }
	}
	back := make(chan error, 1)
	go func() {
		defer end()
		var failed error
		fromService, failed = copyDatagrams(client, service, func() { passed(); heard() })
		back <- ofService(failed)
	}()
	fromClient, err = copyDatagrams(service, client, passed)
	end()
	if failed := <-back; failed != nil {
		return fromClient, fromService, failed
	}
	return fromClient, fromService, ofService(err)
}

// ofService returns the error if it says that the service is not there.
func ofService(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) { // an ICMP message said so, after a datagram was sent
		return err
	}
	return nil
}

func copyDatagrams(to, from net.Conn, passed func()) (n int64, err error) {
	buffer := make([]byte, MaxDatagram)
	for {
		length, err := from.Read(buffer)
		if err != nil {
			return n, err
		}
		n += int64(length)
		passed()
		if _, err := to.Write(buffer[:length]); err != nil && !errors.Is(err, syscall.EMSGSIZE) {
			return n, err
		}
	}
}
