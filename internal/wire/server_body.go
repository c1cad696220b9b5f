package wire

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxDrain is how much of a body that the handler left is read, so that the connection can be used again.
const maxDrain = 256 << 10

// requestBody is the Body of a request. It may be read while the answer is written elsewhere. It is no io.WriterTo:
// what it would write lies in the buffer that writing an answer may need, to read the rest of the body first.
type requestBody struct {
	exchange *exchange

	mu     sync.Mutex
	reader bodyReader
	closed bool
	inform bool // the client waits for 100 (Continue): it is sent when the body is first read
}

func (b *requestBody) start(l limits) {
	e := b.exchange
	b.closed = false
	b.inform = e.expectsContinue()
	b.reader.reset(&e.conn.in, e.head.length, l)
	if b.reader.ended() {
		e.context.quiet.Store(true)
	}
}

// Read reads the body, and first asks the client for it if it waits for that.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if err := b.sendContinue(); err != nil {
		return 0, err
	}
	n, err := b.reader.Read(p)
	b.noteEnd()
	return n, err
}

// Close ends reading. What is left is read and dropped before the next request.
func (b *requestBody) Close() error {
	b.close()
	return nil
}

func (b *requestBody) close() {
	if !b.mu.TryLock() { // somebody is still reading: it would take the bytes of what follows
		b.exchange.conn.interrupt()
		b.mu.Lock()
	}
	b.closed = true
	b.mu.Unlock()
}

// interrupt ends a reading of the connection that is under way. Nothing can be read from it any more.
func (c *conn) interrupt() { _ = c.reading.override(time.Unix(1, 0)) }

func (b *requestBody) sendContinue() error {
	if !b.inform {
		return nil
	}
	b.inform = false
	return b.exchange.response.writeContinue()
}

// noteEnd tells the request what came with the end of its body.
func (b *requestBody) noteEnd() {
	if !b.reader.ended() || b.exchange.context.quiet.Load() {
		return
	}
	r := b.exchange.request
	for key, values := range b.reader.trailer {
		if r.Trailer == nil {
			r.Trailer = make(http.Header)
		}
		r.Trailer[key] = values
	}
	b.exchange.context.quiet.Store(true)
}

// finished reports whether the body was read to its end.
func (b *requestBody) finished() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reader.ended()
}

var errTooMuch = errors.New("more than is worth reading")

// drain reads what is left of the body, if that is not too much. Without an error the connection can be used again.
func (b *requestBody) drain() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader.state == bodyFixed && b.reader.left > maxDrain {
		return errTooMuch
	}
	for total := 0; total <= maxDrain; {
		piece, err := b.reader.next()
		if err == io.EOF {
			b.noteEnd()
			return nil
		}
		if err != nil {
			return err
		}
		b.reader.consume(len(piece))
		total += len(piece)
	}
	return errTooMuch
}
