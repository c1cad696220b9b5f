package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

const (
	sendBuffer = 64 << 10
	// lastWriteWait is how long the last bytes of a body may take after the whole answer was read.
	lastWriteWait = 200 * time.Millisecond
)

// errAnswered stops a sender whose request was answered for good.
var errAnswered = errors.New("the request was answered before its body was sent")

// sender sends the body of a request in a goroutine of its own, while RoundTrip waits for the answer: it may come
// first, and a service may want to read and write in turns.
type sender struct {
	body    io.ReadCloser
	length  int64 // lengthChunked: until the body ends
	trailer http.Header
	to      writer
	buffers *buffers
	abort   func() // cuts the connection
	trace   *httptrace.ClientTrace

	finishing atomic.Bool // the last write has begun
	refused   atomic.Bool // nobody will read the rest
	once      sync.Once   // closes body
	done      chan struct{}
	err       error // valid after done

	mu     sync.Mutex
	broken error // what reading the body ended with
}

func newSender(o *message, c *serviceConn) *sender {
	s := &sender{
		body: o.body, length: o.length, trailer: o.trailer(), buffers: &o.t.buffers, abort: c.abort, trace: o.trace,
		done: make(chan struct{}),
	}
	s.to.reset(c.nc, s.buffers)
	return s
}

// run sends the body and closes it.
func (s *sender) run() {
	buffer := s.buffers.take(sendBuffer)
	if s.length == lengthChunked {
		s.err = s.sendChunks(buffer.b)
	} else {
		s.err = s.sendLength(buffer.b)
	}
	s.closeBody()
	wroteRequest(s.trace, s.err)
	close(s.done)
	s.to.release()
	s.buffers.give(buffer)
}

func (s *sender) closeBody() { s.once.Do(func() { _ = s.body.Close() }) }

// sendLength sends exactly length bytes. What the body has beyond them is not read.
func (s *sender) sendLength(buffer []byte) error {
	for left := s.length; left > 0; {
		n, err := s.body.Read(buffer[:min(left, int64(len(buffer)))])
		left -= int64(n)
		if err != nil && left > 0 {
			return s.fail(&BodyError{s.length - left, unexpected(err)})
		}
		if s.refused.Load() {
			return errAnswered
		}
		if n == 0 {
			continue
		}
		s.finishing.Store(left == 0)
		if _, err := s.to.dst.Write(buffer[:n]); err != nil {
			return err
		}
	}
	return nil
}

// sendChunks sends each piece as it comes as one chunk, and the trailer.
func (s *sender) sendChunks(buffer []byte) error {
	for total := int64(0); ; {
		n, err := s.body.Read(buffer)
		total += int64(n)
		if s.refused.Load() {
			return errAnswered
		}
		if n > 0 {
			_, _ = s.to.writeChunk(buffer[:n])
		}
		if err == io.EOF {
			if err := checkTrailer(s.trailer); err != nil {
				return s.fail(err)
			}
			s.finishing.Store(true)
			_ = s.to.writeLastChunk(s.trailer)
		} else if err != nil {
			return s.fail(&BodyError{total, err})
		}
		if failed := s.to.flush(); failed != nil || err == io.EOF {
			return failed
		}
	}
}

// checkTrailer is for fields that came while the body was sent.
func checkTrailer(trailer http.Header) error {
	for name, values := range trailer {
		if !isTokenString(name) || !MayTrail(http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("%q cannot be in a trailer", name)
		}
		for _, v := range values {
			if !isFieldValue(v) {
				return fmt.Errorf("a control character in the value of %s", name)
			}
		}
	}
	return nil
}

// fail is for a request that cannot be sent to its end: RoundTrip is to stop waiting for the answer.
func (s *sender) fail(err error) error {
	s.mu.Lock()
	s.broken = err
	s.mu.Unlock()
	s.abort()
	return err
}

// bodyError returns what reading the body ended with, nil where that was its end.
func (s *sender) bodyError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// ended tells the sender that nobody waits for it any more, and reports whether everything was sent. whole: the
// answer was read to its end, so the last write may be about to return. If not all was sent the connection is of no
// more use.
func (s *sender) ended(whole bool) bool {
	select {
	case <-s.done:
		return s.err == nil
	default:
	}
	if whole && s.finishing.Load() {
		limit := time.NewTimer(lastWriteWait)
		defer limit.Stop()
		select {
		case <-s.done:
			return s.err == nil
		case <-limit.C:
		}
	}
	s.refused.Store(true)
	s.abort()
	go s.closeBody() // it may wait for the read that it is to end
	return false
}
