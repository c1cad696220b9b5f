package h2

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/wire"
)

// block is HEADERS and the CONTINUATIONs that follow. It belongs to the goroutine that reads.
type block struct {
	open   bool
	id     uint32
	end    bool    // of the stream's body
	stream *stream // whose request, or whose trailer it is; nil: it is read for the table's sake
	fault  error   // what is wrong with it, to be told when it is complete

	trailer http.Header // nil: it is a request
	size    int         // as RFC 9113 §6.5.2 counts
	fields  int
	bytes   int // of the frames
}

func (c *conn) onHeaders(f *http2.HeadersFrame) error {
	if f.StreamID%2 == 0 {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	c.block = block{open: true, id: f.StreamID, end: f.StreamEnded()}
	if err := c.openBlock(f); err != nil {
		return err
	}
	return c.addFragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

// openBlock finds out what the fields are for.
func (c *conn) openBlock(f *http2.HeadersFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &c.block
	fault := func(code http2.ErrCode) error { return http2.StreamError{StreamID: b.id, Code: code} }
	if s := c.streams[b.id]; s != nil {
		b.trailer = make(http.Header)
		switch {
		case s.remoteEnded:
			b.fault = fault(http2.ErrCodeStreamClosed)
		case !b.end: // RFC 9113 §8.1: a trailer ends its request
			b.fault = fault(http2.ErrCodeProtocol)
		default:
			b.stream = s
		}
		return nil
	}
	if b.id <= c.lastID {
		if c.wasReset(b.id) {
			return c.credit.charge(costControl)
		}
		return http2.ConnectionError(http2.ErrCodeStreamClosed)
	}
	c.lastID = b.id
	switch {
	case c.ignores(b.id):
		return nil
	case len(c.streams) >= c.server.maxStreams(), c.running >= c.server.maxStreams():
		b.fault = fault(http2.ErrCodeRefusedStream)
	case f.HasPriority() && f.Priority.StreamDep == b.id:
		b.fault = fault(http2.ErrCodeProtocol)
	default:
		b.stream = c.server.takeStream(c, b.id)
		b.stream.head.reset()
	}
	return nil
}

func (c *conn) onContinuation(f *http2.ContinuationFrame) error {
	if len(f.HeaderBlockFragment()) == 0 && !f.HeadersEnded() {
		if err := c.charge(costEmpty); err != nil {
			return err
		}
	}
	return c.addFragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

// addFragment decodes a part of the fields. A client that goes on far beyond the limit is not listened to any more:
// even decoding costs (CVE-2024-27316).
func (c *conn) addFragment(p []byte, last bool) error {
	b := &c.block
	if b.bytes += len(p) + frameHeader; b.bytes > c.server.headerBytes()+maxFrame {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	if _, err := c.decoder.Write(p); err != nil {
		return undecodable(err)
	}
	if !last {
		return nil
	}
	if err := c.decoder.Close(); err != nil {
		return undecodable(err)
	}
	c.decoder.SetEmitEnabled(true)
	defer func() { b.open, b.stream = false, nil }()
	switch {
	case b.fault != nil:
		return b.fault
	case b.stream == nil:
		return nil
	case b.trailer != nil:
		return c.endTrailer()
	}
	return c.beginStream()
}

func undecodable(err error) error {
	if errors.Is(err, hpack.ErrStringLength) {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	return http2.ConnectionError(http2.ErrCodeCompression)
}

// emit takes a field from the decoder.
func (c *conn) emit(f hpack.HeaderField) {
	b := &c.block
	s := b.stream
	if s == nil {
		return
	}
	b.size += int(f.Size())
	b.fields++
	if b.size > c.server.headerBytes() || b.fields > c.server.fields() {
		s.head.large = true
		c.decoder.SetEmitEnabled(false)
		return
	}
	switch {
	case b.trailer != nil:
		b.emitTrailer(f)
	case f.IsPseudo():
		s.head.pseudo(f)
	default:
		s.head.field(f)
	}
}

func (b *block) emitTrailer(f hpack.HeaderField) {
	key := keyOf(f.Name)
	if f.IsPseudo() || !isLowerToken(f.Name) || !isValue(f.Value) || !wire.MayTrail(key) {
		b.fault = http2.StreamError{StreamID: b.id, Code: http2.ErrCodeProtocol}
		return
	}
	b.trailer[key] = append(b.trailer[key], f.Value)
}

// endTrailer ends a request with its trailer.
func (c *conn) endTrailer() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &c.block
	s := b.stream
	switch {
	case s.closed: // meanwhile
		return nil
	case s.head.large, s.head.length >= 0 && s.body.total != s.head.length:
		return http2.StreamError{StreamID: b.id, Code: http2.ErrCodeProtocol}
	}
	s.body.trailer = b.trailer
	c.bodyEnds(s)
	return nil
}

// beginStream has a request served.
func (c *conn) beginStream() error {
	b, s := &c.block, c.block.stream
	if !s.head.large {
		s.head.check(b.end)
	}
	if !b.end {
		s.body = newBody(s)
	}
	if s.plain = s.head.malformed == "" && s.isPlain(); !s.plain && s.head.malformed == "" {
		s.fill()
	}
	if s.head.malformed != "" && !s.head.large {
		c.server.debug("request malformed", "client", c.remote, "reason", s.head.malformed,
			"section", "RFC 9113 §"+s.head.section)
		s.body = nil
		c.server.giveStream(s)
		return http2.StreamError{StreamID: b.id, Code: http2.ErrCodeProtocol}
	}
	now := time.Now()
	s.response.start()
	s.tell(now)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	c.streams[s.id] = s
	c.running++
	s.remoteEnded = b.end
	if limit := c.server.ReadTimeout; limit > 0 && !b.end {
		s.readBy = now.Add(limit)
		c.deadlines.due(s.readBy)
	}
	if limit := c.server.WriteTimeout; limit > 0 {
		s.writeBy = now.Add(limit)
		c.deadlines.due(s.writeBy)
	}
	c.mu.Unlock()
	c.server.workers.run(s)
	return nil
}
