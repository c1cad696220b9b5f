package wire

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/wrapped"
)

const (
	// drainBytes and drainWait bound what is read of a body that the caller does not want, to keep its connection.
	drainBytes = 64 << 10
	drainWait  = 50 * time.Millisecond
	spliceFrom = 64 << 10 // shorter rests are not worth the pipe
	copyBuffer = 64 << 10
)

// answerBody reads the body of an answer from its connection. When the body has been read to its end, the connection is
// back in its pool before the caller knows. Close may be called while Read waits.
type answerBody struct {
	answer *Answer
	own    reader // of a body that came with the head: it needs no connection any more
	read   bodyReader

	mu      sync.Mutex
	c       *serviceConn // nil: given back
	reading bool
	closed  bool
	err     error // what Read returns from now on
}

// lengthBody is the body of an answer with Content-Length.
type lengthBody struct{ answerBody }

// detach takes the whole body, which is in the connection's buffer, and gives the connection back.
func (b *answerBody) detach() {
	c := b.c
	b.own, c.read.buf, c.read.r, c.read.w = c.read, nil, 0, 0
	b.read.in, b.c = &b.own, nil
	c.end(true)
}

// arrived reports whether all of a body with a length is in the connection's buffer, and the request went out.
func (b *answerBody) arrived() bool {
	return b.read.state == bodyFixed && int64(len(b.c.read.buffered())) == b.read.left &&
		(b.c.sender == nil || b.c.sender.finishing.Load())
}

// settle reads a body with a length into the connection's buffer, and gives the connection back.
func (b *answerBody) settle() error {
	if b.c == nil {
		return nil
	}
	for int64(len(b.c.read.buffered())) < b.read.left {
		if err := b.c.read.fill(); err != nil {
			return b.leave(unexpected(err))
		}
	}
	if int64(len(b.c.read.buffered())) == b.read.left { // otherwise something came that nobody asked for
		b.detach()
	}
	return nil
}

// enter is called before reading.
func (b *answerBody) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return http.ErrBodyReadAfterClose
	}
	b.reading = b.err == nil
	return b.err
}

// leave is called after reading. err is what reading ended with.
func (b *answerBody) leave(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if err == nil && b.read.ended() {
		err = io.EOF
	}
	switch {
	case err == io.EOF:
		b.answer.takeTrailer(b.read.trailer)
	case b.closed:
		err = http.ErrBodyReadAfterClose
	case err != nil && b.c != nil:
		err = b.c.explain(err)
	}
	if err != nil {
		b.err = err
		b.finish(err == io.EOF && !b.closed)
	}
	return err
}

// finish gives back what the body holds. whole: it was read to its end. mu is held.
func (b *answerBody) finish(whole bool) {
	b.own.release()
	if c := b.c; c != nil {
		b.c = nil
		c.end(whole)
	}
	b.read.in = nil
}

// Read returns io.EOF together with the last bytes of a body that has a length.
func (b *answerBody) Read(p []byte) (int, error) {
	if err := b.enter(); err != nil {
		return 0, err
	}
	n, err := b.read.Read(p)
	if b.read.state == bodyFixed {
		b.read.in.rest() // the rest is read past the buffer
	}
	return n, b.leave(err)
}

// Waits reports whether nothing of the body has come yet, so that reading it would wait for the service.
func (b *answerBody) Waits() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.c != nil && b.err == nil && len(b.read.in.buffered()) == 0
}

// Close keeps the connection if what is left of the body is short and there already, or about to be.
func (b *answerBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	switch {
	case b.reading: // whoever reads gives back
		if b.c != nil {
			b.c.abort()
		}
	case b.err == nil:
		b.finish(b.c != nil && b.drain())
	}
	return nil
}

// Settled reports whether all of the body is there, so that reading it waits for nobody.
func (b *lengthBody) Settled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.c == nil
}

// end closes the body, and reports whether nobody uses it any more.
func (b *answerBody) end() bool {
	b.mu.Lock()
	reading := b.reading
	b.mu.Unlock()
	return b.Close() == nil && !reading
}

// drain reads what is left of the body, if that is little, and reports whether it is at its end.
func (b *answerBody) drain() bool {
	c := b.c
	if b.read.state == bodyUntilClose || b.read.left > drainBytes || !c.keep || c.ctx.Err() != nil ||
		c.sender != nil && !c.sender.finishing.Load() {
		return false
	}
	if b.read.ended() {
		return true
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(drainWait))
	for drained := 0; drained <= drainBytes; {
		piece, err := b.read.next()
		if err != nil {
			return err == io.EOF && c.nc.SetReadDeadline(time.Time{}) == nil
		}
		drained += len(piece)
		b.read.consume(len(piece))
	}
	return false
}

// WriteTo writes what is left of the body to w. Where both ends are plain TCP, the kernel moves it.
func (b *lengthBody) WriteTo(w io.Writer) (int64, error) {
	if err := b.enter(); err != nil {
		if err == io.EOF {
			err = nil
		}
		return 0, err
	}
	n, err := b.writeTo(w)
	if err = b.leave(err); err == io.EOF {
		err = nil
	}
	return n, err
}

func (b *lengthBody) writeTo(w io.Writer) (int64, error) {
	var total int64
	in := b.read.in
	if len(in.buffered()) > 0 {
		piece, err := b.read.next()
		if err != nil {
			return 0, err
		}
		n, err := w.Write(piece)
		b.read.consume(n)
		if total = int64(n); err != nil {
			return total, err
		}
	}
	if b.read.left < spliceFrom {
		n, err := b.read.WriteTo(w)
		return total + n, err
	}
	in.release()
	if to, ok := w.(io.ReaderFrom); ok && b.c.tcp != nil && in.err == nil {
		n, err := to.ReadFrom(&io.LimitedReader{R: b.c.tcp, N: b.read.left})
		b.read.consumed(int(n))
		if err == nil && b.read.left > 0 {
			err = io.ErrUnexpectedEOF
		}
		return total + n, err
	}
	in.buf = in.pool.take(copyBuffer)
	n, err := b.read.WriteTo(w)
	return total + n, err
}

// takeTrailer adds what came after the last chunk.
func (a *Answer) takeTrailer(fields http.Header) {
	if len(fields) == 0 {
		return
	}
	if a.response.Trailer == nil {
		a.response.Trailer = make(http.Header, len(fields))
	}
	for name, values := range fields {
		a.response.Trailer[name] = values
	}
}

// upgraded is a connection that left HTTP. What came behind the head is read first. Reading, writing and closing may
// happen at the same time.
type upgraded struct {
	c    *serviceConn
	once sync.Once
	mu   sync.Mutex // of what is buffered, which Close gives back
}

func (u *upgraded) Read(p []byte) (int, error) {
	if n := u.early(p); n > 0 || len(p) == 0 {
		return n, nil
	}
	return u.c.nc.Read(p)
}

// early takes from what came behind the head.
func (u *upgraded) early(p []byte) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := copy(p, u.c.read.buffered())
	u.c.read.discard(n)
	u.c.read.rest()
	return n
}

func (u *upgraded) Write(p []byte) (int, error) { return u.c.nc.Write(p) }

// WriteTo lets the kernel move the bytes from one TCP connection to another.
func (u *upgraded) WriteTo(w io.Writer) (int64, error) {
	var total int64
	var p [512]byte
	for {
		n := u.early(p[:])
		if n == 0 {
			break
		}
		n, err := w.Write(p[:n])
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
	n, err := io.Copy(w, u.c.nc)
	return total + n, err
}

// SetReadDeadline bounds the wait for what the service sends.
func (u *upgraded) SetReadDeadline(by time.Time) error { return u.c.nc.SetReadDeadline(by) }

// CloseWrite tells the service that nothing more comes.
func (u *upgraded) CloseWrite() error {
	if err := wrapped.CloseWrite(u.c.nc); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return u.Close()
}

// Close closes the connection.
func (u *upgraded) Close() error {
	u.once.Do(func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		_ = u.c.nc.Close()
		u.c.discard()
	})
	return nil
}
