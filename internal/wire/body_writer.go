package wire

import (
	"io"
	"net"
	"net/http"
	"strconv"
)

// writer gathers pieces in a buffer, which it has only between the first of them and the flush. A piece that would make
// more than 16 KiB goes out together with what is buffered, in one system call where the connection is plain TCP, and
// is not copied: up to there, copying costs less than writev.
type writer struct {
	dst    io.Writer
	pool   *buffers
	buf    *buffer // nil: nothing is buffered
	n      int
	err    error   // the first one; nothing is written after it
	joined bool    // dst writes several pieces at once
	socket *socket // dst, where it is plain TCP; nil elsewhere

	pieces net.Buffers // of a joined write, and
	three  [3][]byte   // where they lie
}

func (w *writer) reset(dst io.Writer, pool *buffers) {
	w.release()
	*w = writer{dst: dst, pool: pool}
	if tcp, ok := dst.(*net.TCPConn); ok {
		w.joined, w.socket = true, newSocket(tcp)
	}
}

// release drops what is buffered and gives the buffer back.
func (w *writer) release() {
	if w.buf != nil {
		w.pool.give(w.buf)
		w.buf, w.n = nil, 0
	}
}

// available returns the free part of the buffer. What is put there is added with w.n += len.
func (w *writer) available() []byte {
	if w.buf == nil {
		w.buf = w.pool.take(bufferSize)
	}
	return w.buf.b[w.n:]
}

// Write buffers p or writes it with what is buffered.
func (w *writer) Write(p []byte) (int, error) { return w.write(p, nil) }

// WriteString is Write. A string that does not fit is copied piece by piece.
func (w *writer) WriteString(s string) (int, error) {
	total := len(s)
	for w.err == nil {
		n := copy(w.available(), s)
		w.n += n
		if s = s[n:]; s == "" {
			return total, nil
		}
		_ = w.flush()
	}
	return total - len(s), w.err
}

// write is Write for p and a short tail, which is not counted.
func (w *writer) write(p, tail []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(p)+len(tail) <= len(w.available()) {
		w.n += copy(w.buf.b[w.n:], p)
		w.n += copy(w.buf.b[w.n:], tail)
		return len(p), nil
	}
	if total := w.n + len(p) + len(tail); total <= 4*bufferSize { // one TLS record, and one system call
		w.grow(total)
		return w.write(p, tail)
	}
	if w.joined {
		return w.join(p, tail)
	}
	total := len(p)
	if w.n > 0 { // full records and packets
		n := copy(w.buf.b[w.n:], p)
		w.n += n
		p = p[n:]
		if err := w.flush(); err != nil {
			return n, err
		}
	}
	if len(p) >= bufferSize {
		n, err := w.dst.Write(p)
		p = p[n:]
		if err != nil {
			w.err = err
			return total - len(p), err
		}
	}
	w.n += copy(w.available(), p)
	_, err := w.write(tail, nil)
	return total, err
}

func (w *writer) grow(size int) {
	larger := w.pool.take(size)
	copy(larger.b, w.buf.b[:w.n])
	w.pool.give(w.buf)
	w.buf = larger
}

// join writes what is buffered, p and the tail in one go.
func (w *writer) join(p, tail []byte) (int, error) {
	w.three = [3][]byte{w.buf.b[:w.n], p, tail}
	w.pieces = w.three[:]
	buffered := int64(w.n)
	n, err := w.pieces.WriteTo(w.dst)
	w.three, w.pieces = [3][]byte{}, nil
	w.release()
	if err != nil {
		w.err = err
	}
	return int(min(max(0, n-buffered), int64(len(p)))), err
}

// flush writes what is buffered.
func (w *writer) flush() error {
	switch {
	case w.n == 0 || w.err != nil:
	case w.socket != nil:
		_, w.err = w.socket.Write(w.buf.b[:w.n])
	default:
		_, w.err = w.dst.Write(w.buf.b[:w.n])
	}
	w.release()
	return w.err
}

// writeChunk writes p as one chunk. An empty p would be the last one: it writes nothing.
func (w *writer) writeChunk(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, w.err
	}
	if err := w.writeNumber(int64(len(p)), 16); err != nil {
		return 0, err
	}
	_, _ = w.WriteString("\r\n")
	return w.write(p, crlf)
}

// writeNumber writes digits.
func (w *writer) writeNumber(n int64, base int) error {
	const most = 20
	if len(w.available()) < most {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.n += len(strconv.AppendInt(w.available()[:0], n, base))
	return w.err
}

// writeLastChunk writes the end of a chunked body, with its trailer, in the order of the names.
func (w *writer) writeLastChunk(trailer http.Header) error {
	_, _ = w.WriteString("0\r\n")
	if len(trailer) > 0 {
		_ = trailer.Write(w) // the writer keeps the error
	}
	_, err := w.WriteString("\r\n")
	return err
}

var crlf = []byte("\r\n")
