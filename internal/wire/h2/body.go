package h2

import (
	"io"
	"net/http"

	"golang.org/x/net/http2"
)

// body is the Body of a request. It is made for one request and not used again, since transports may read it for a
// moment longer than they should. It is guarded by conn.mu.
type body struct {
	conn   *conn
	stream *stream // nil: the handler has returned

	chunks []*chunk
	total  int64 // bytes that came
	owed   int   // bytes that were read, and not credited to the stream yet
	err    error // after the chunks; io.EOF is the end
	inform bool  // the client waits for 100 (Continue): it is sent when the body is first read
	closed bool
	wake   chan struct{}

	trailer http.Header // that came after it
}

func newBody(s *stream) *body {
	return &body{conn: s.conn, stream: s, wake: make(chan struct{}, 1)}
}

// Read reads what has come, or waits for it.
func (b *body) Read(p []byte) (int, error) {
	b.conn.mu.Lock()
	defer b.conn.mu.Unlock()
	for {
		switch {
		case b.closed:
			return 0, http.ErrBodyReadAfterClose
		case len(b.chunks) > 0:
			return b.take(p), nil
		case b.err != nil:
			b.noteTrailer()
			return 0, b.err
		case len(p) == 0:
			return 0, nil
		}
		if b.inform {
			b.inform = false
			b.stream.response.writeContinue()
		}
		b.conn.mu.Unlock()
		<-b.wake
		b.conn.mu.Lock()
	}
}

// noteTrailer tells the request what came after its body.
func (b *body) noteTrailer() {
	if b.err != io.EOF || b.stream == nil {
		return
	}
	r := b.stream.request
	for key, values := range b.trailer {
		if r.Trailer == nil {
			r.Trailer = make(http.Header)
		}
		r.Trailer[key] = values
	}
	b.trailer = nil
}

// take reads from the first chunk.
func (b *body) take(p []byte) int {
	k := b.chunks[0]
	n := copy(p, k.b[k.r:k.w])
	if k.r += n; k.r == k.w {
		b.conn.server.giveChunk(k)
		b.chunks = b.chunks[1:]
	}
	b.owed += n
	b.pay()
	return n
}

// pay lets the client send as much more as was read.
func (b *body) pay() {
	s := b.stream
	if s == nil || s.closed || s.remoteEnded || b.owed < int(s.intake.size)/4 {
		return
	}
	n := int64(b.owed) + b.conn.widen(&s.intake, b.owed)
	b.conn.appendWindowUpdate(s.id, uint32(n))
	b.conn.kick()
	s.inbound += n
	b.owed = 0
}

// Close ends reading. What still comes is dropped.
func (b *body) Close() error {
	b.conn.mu.Lock()
	defer b.conn.mu.Unlock()
	b.close()
	return nil
}

func (b *body) close() {
	b.closed = true
	b.drop()
	b.awake()
}

// leave parts the body from its stream.
func (b *body) leave() {
	b.close()
	b.stream = nil
}

func (b *body) drop() {
	for _, k := range b.chunks {
		b.conn.server.giveChunk(k)
	}
	b.chunks = nil
}

func (b *body) awake() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// failBody ends reading with an error, if the body has not come whole.
func (s *stream) failBody(err error) {
	if b := s.body; b != nil && b.err == nil {
		b.drop()
		b.err = err
		b.awake()
	}
}

// addBody takes in what a DATA frame has. The connection is locked.
func (c *conn) addBody(s *stream, f *http2.DataFrame) error {
	b, data := s.body, f.Data()
	if s.inbound -= int64(f.Length); s.inbound < 0 {
		return http2.StreamError{StreamID: s.id, Code: http2.ErrCodeFlowControl}
	}
	b.total += int64(len(data))
	if want := s.head.length; want >= 0 && (b.total > want || f.StreamEnded() && b.total < want) { // RFC 9113 §8.1.1
		return http2.StreamError{StreamID: s.id, Code: http2.ErrCodeProtocol}
	}
	b.owed += int(f.Length) - len(data)
	if !b.closed && b.err == nil {
		b.add(data)
	}
	if f.StreamEnded() {
		c.bodyEnds(s)
	}
	if len(data) > 0 {
		c.credit.useful()
		b.awake()
	}
	return nil
}

func (b *body) add(data []byte) {
	for len(data) > 0 {
		if n := len(b.chunks); n == 0 || b.chunks[n-1].w == chunkSize {
			b.chunks = append(b.chunks, b.conn.server.takeChunk())
		}
		k := b.chunks[len(b.chunks)-1]
		n := copy(k.b[k.w:], data)
		k.w += n
		data = data[n:]
	}
}

// bodyEnds notes that a request has come whole.
func (c *conn) bodyEnds(s *stream) {
	s.remoteEnded = true
	if b := s.body; b != nil && b.err == nil {
		b.err = io.EOF
		b.awake()
	}
}
