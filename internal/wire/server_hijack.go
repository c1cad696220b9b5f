package wire

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
)

// Hijack hands over the connection, with what was read from it and not used. What the handler wrote before is sent.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.check()
	if w.done || w.hijacked {
		return nil, nil, errUnhijackable
	}
	c := w.exchange.conn
	w.mu.Lock()
	w.answered = true
	w.mu.Unlock()
	if w.status != 0 {
		if err := w.FlushError(); err != nil {
			return nil, nil, err
		}
	}
	w.exchange.body.close()
	c.watched.Store(nil)
	w.hijacked = true
	w.release()
	rest := bytes.Clone(c.in.buffered())
	c.in.release()
	c.reading.off()
	c.writing.off()
	c.server.remove(c)
	br := bufio.NewReader(io.MultiReader(bytes.NewReader(rest), c.net))
	if len(rest) > 0 {
		_, _ = br.Peek(min(len(rest), br.Size())) // so that Buffered tells
	}
	return c.net, bufio.NewReadWriter(br, bufio.NewWriter(c.net)), nil
}

// ReadFrom sends all of src as body: a file or another plain TCP connection without passing through our memory, where
// the client is plain TCP and the length was declared.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	if n, err, done := w.sendFile(src); done {
		return n, err
	}
	b := w.exchange.conn.server.buffers.take(4 * bufferSize)
	defer w.exchange.conn.server.buffers.give(b)
	var total int64
	for {
		n, err := src.Read(b.b)
		if n > 0 {
			m, err := w.Write(b.b[:n])
			total += int64(m)
			if err != nil {
				return total, err
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// sendFile is ReadFrom where the kernel can do it. Not done: nothing was sent.
func (w *response) sendFile(src io.Reader) (n int64, err error, done bool) { //nolint:revive // done goes first in mind
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		return 0, nil, false
	}
	switch limited.R.(type) {
	case *os.File, *net.TCPConn:
	default:
		return 0, nil, false
	}
	tcp, ok := w.exchange.conn.out.dst.(*net.TCPConn)
	if !ok || w.hijacked || limited.N <= maxHeld || w.exchange.head.method == http.MethodHead {
		return 0, nil, false
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.length < w.written+limited.N || !bodyAllowed(w.status) {
		return 0, nil, false
	}
	if err := w.FlushError(); err != nil {
		return 0, err, true
	}
	n, err = tcp.ReadFrom(limited)
	w.written += n
	if err != nil {
		w.exchange.context.end()
	}
	return n, err, true
}
