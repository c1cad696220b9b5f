package h2

import (
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"golang.org/x/net/http2"

	"github.com/fairlead/fairlead/internal/wire"
)

var (
	errReset = errors.New("the client reset the stream")
	errDone  = errors.New("the handler has returned")
)

// stream is a request and its answer: what a connection takes when a request comes, and what its worker gives back.
type stream struct {
	conn *conn
	id   uint32

	// The request. The reading goroutine makes it, then it is the worker's.
	head     head
	request  *http.Request
	blank    *http.Request // with the context, and nothing else
	context  *requestContext
	header   http.Header
	url      url.URL
	response response
	body     *body         // nil: none
	raw      wire.Exchange // what others see of it
	plain    bool          // no http.Request was made yet

	// Guarded by conn.mu.
	closed      bool  // nothing is sent or received on it any more
	remoteEnded bool  // the client has sent everything
	failed      error // why nothing more can be sent
	inbound     int64 // what the client may still send
	intake      intake
	window      int64 // what it takes
	pending     []byte
	pendingEnd  bool // pending is the last of the body, and no trailer follows
	queued      bool
	next        *stream       // in the queue
	wake        chan struct{} // for who writes
	readBy      time.Time     // zero: no deadline
	writeBy     time.Time
	stalled     time.Time // since when the client has taken nothing of pending; zero: there is none
}

func newStream() *stream {
	s := &stream{request: new(http.Request), header: make(http.Header), wake: make(chan struct{}, 1)}
	s.renewContext()
	s.response.stream = s
	s.response.header = make(http.Header)
	return s
}

func (s *stream) renewContext() {
	s.context = new(requestContext)
	s.blank = new(http.Request).WithContext(s.context)
}

func (s *Server) takeStream(c *conn, id uint32) *stream {
	st, ok := s.streams.Get().(*stream)
	if !ok {
		st = newStream()
	}
	st.conn, st.id, st.inbound, st.window = c, id, initialWindow, c.initial
	st.intake = intake{size: initialWindow}
	st.context.conn = c
	return st
}

// giveStream takes back what a handler had.
func (s *Server) giveStream(st *stream) {
	st.response.release()
	if s.Poison {
		st.poison()
		return
	}
	if !st.context.reuse() {
		st.renewContext()
	}
	if st.request.MultipartForm != nil {
		_ = st.request.MultipartForm.RemoveAll()
	}
	*st.request, st.raw = http.Request{}, wire.Exchange{}
	clear(st.header)
	clear(st.response.header)
	st.head.reset()
	st.body, st.closed, st.remoteEnded, st.failed = nil, false, false, nil
	st.pending, st.pendingEnd = nil, false
	st.readBy, st.writeBy, st.stalled = time.Time{}, time.Time{}, time.Time{}
	s.streams.Put(st)
}

// poison makes every use of what was kept visible: values are wrong, and what can fail fails.
func (s *stream) poison() {
	const spoilt = "kept after the handler returned"
	clear(s.header)
	s.header["Poison"] = []string{spoilt}
	clear(s.response.header)
	s.response.header["Poison"] = []string{spoilt}
	for i := range s.head.values {
		s.head.values[i] = spoilt
	}
	s.url, s.raw = url.URL{Path: spoilt}, wire.Exchange{Method: "POISON"}
	*s.request = http.Request{Method: "POISON", URL: &s.url, Header: s.header, RequestURI: spoilt}
	s.response.gone = true
}

// serve answers the request.
func (s *stream) serve() {
	handler := s.conn.server.Handler
	if s.head.large {
		handler = http.HandlerFunc(refuseLarge)
	}
	s.finish(s.call(handler))
}

// refuseLarge answers requests with more or larger fields than allowed.
func refuseLarge(w http.ResponseWriter, _ *http.Request) {
	const status = http.StatusRequestHeaderFieldsTooLarge
	http.Error(w, http.StatusText(status)+": too many fields, or too large", status)
}

// call runs the handler. It reports whether it returned, and did not panic.
func (s *stream) call(h http.Handler) (returned bool) {
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil && v != http.ErrAbortHandler && s.conn.server.Log != nil {
			s.conn.server.Log.Error("a handler panicked", "client", s.conn.remote, "panic", v,
				"stack", string(debug.Stack()))
		}
	}()
	if s.plain {
		if s.conn.raw.ServeRaw(&s.raw) {
			return true
		}
		s.fill()
	}
	h.ServeHTTP(&s.response, s.request)
	return true
}

// finish ends the answer, and gives back the stream. Nobody else knows it then: whoever looks streams up does so under
// the connection's lock.
func (s *stream) finish(returned bool) {
	c := s.conn
	var err error
	if returned {
		err = s.response.finish()
	}
	s.context.end()
	c.mu.Lock()
	switch {
	case s.closed:
	case !returned || err != nil:
		c.stop(s, http2.ErrCodeInternal, errDone)
	case s.remoteEnded:
		c.close(s)
	default: // the rest of the request is not wanted (RFC 9113 §8.1)
		c.stop(s, http2.ErrCodeNo, errDone)
	}
	if s.body != nil {
		s.body.leave()
	}
	c.narrow(&s.intake)
	c.queue.remove(s)
	if returned && err == nil {
		c.credit.answered()
	}
	c.running--
	if len(c.streams) == 0 {
		c.rest()
	}
	c.leave()
	c.mu.Unlock()
	c.server.giveStream(s)
}

// rest notes that the connection has nothing to do.
func (c *conn) rest() {
	c.deadlines.idleSince = time.Now()
	c.endIfDrained()
}

// close takes a stream out of the connection. The connection is locked, here and below.
func (c *conn) close(s *stream) {
	s.closed = true
	delete(c.streams, s.id)
	if len(c.streams) == 0 {
		c.rest()
	}
}

// stop ends a stream from our side.
func (c *conn) stop(s *stream, code http2.ErrCode, err error) {
	if s.closed {
		return
	}
	c.reset[c.resets%len(c.reset)] = s.id
	c.resets++
	c.close(s)
	c.abort(s, err)
	c.appendReset(s.id, code)
	c.kick()
}

// abort tells all who work on a stream that it is over.
func (c *conn) abort(s *stream, err error) {
	if s.failed == nil {
		s.failed = err
	}
	s.failBody(err)
	s.context.end()
	s.awake()
}

// awake has the stream's writer look again.
func (s *stream) awake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// wait lets others have the connection until the stream's writer is to look again.
func (c *conn) wait(s *stream) {
	c.mu.Unlock()
	<-s.wake
	c.mu.Lock()
}

// waitRoom waits until there is room in the output.
func (c *conn) waitRoom(s *stream) error {
	for s.failed == nil && len(c.out.b) >= outputLimit {
		c.waiting = append(c.waiting, s)
		c.kick()
		c.wait(s)
	}
	return s.failed
}

// send sends a part of a body, end: the last.
func (c *conn) send(s *stream, p []byte, end bool) error {
	if len(p) == 0 && !end {
		return s.failed
	}
	fits := c.queue.first == nil && int64(len(p)) <= min(s.window, c.window, maxFrame) || len(p) == 0
	if fits {
		if err := c.waitRoom(s); err != nil {
			return err
		}
		// While it waited, others may have taken what there was of the connection's window.
		if int64(len(p)) <= min(s.window, c.window) || len(p) == 0 {
			c.appendData(s, p, end)
			c.kick()
			return nil
		}
	}
	s.pending, s.pendingEnd = p, end
	s.progressed(c.server.StallTimeout)
	c.ready(s)
	for len(s.pending) > 0 && s.failed == nil {
		c.wait(s)
	}
	s.stalled = time.Time{}
	if s.failed != nil {
		c.queue.remove(s)
		s.pending = nil
	}
	return s.failed
}

// progressed notes that the client took something of what the stream has to send, or had no time to yet.
func (s *stream) progressed(limit time.Duration) {
	if limit > 0 {
		s.stalled = time.Now()
		s.conn.deadlines.due(s.stalled.Add(limit))
	}
}
