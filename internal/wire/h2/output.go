package h2

import (
	"encoding/binary"
	"runtime"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fairlead/fairlead/internal/wrapped"
)

const (
	frameHeader = 9
	// outputLimit is how much may lie in the output before handlers wait.
	outputLimit = 64 << 10
)

// output is what is to be sent: whole frames.
type output struct {
	b        []byte
	of       *[]byte // what b lies in; nil: nothing
	flushing bool
}

// Write lets the encoder of fields write into it.
func (o *output) Write(p []byte) (int, error) {
	o.b = append(o.b, p...)
	return len(p), nil
}

// appendFrame begins a frame whose payload of n bytes the caller appends. The connection is locked, here and below.
func (c *conn) appendFrame(t http2.FrameType, flags http2.Flags, stream uint32, n int) {
	if c.out.of == nil {
		c.out.take(c.server)
	}
	c.out.b = append(c.out.b, byte(n>>16), byte(n>>8), byte(n), byte(t), byte(flags),
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

func (o *output) take(s *Server) {
	of, ok := s.outputs.Get().(*[]byte)
	if !ok {
		b := make([]byte, 0, chunkSize)
		of = &b
	}
	o.of, o.b = of, (*of)[:0]
}

// giveOutput takes memory back after it was written, unless it has grown beyond the usual.
func (s *Server) giveOutput(of *[]byte, b []byte) {
	if cap(b) <= 2*outputLimit {
		*of = b[:0]
		s.outputs.Put(of)
	}
}

func (c *conn) appendUint32(v uint32) { c.out.b = binary.BigEndian.AppendUint32(c.out.b, v) }

func (c *conn) appendSettings(settings ...http2.Setting) {
	c.appendFrame(http2.FrameSettings, 0, 0, 6*len(settings))
	for _, s := range settings {
		c.out.b = binary.BigEndian.AppendUint16(c.out.b, uint16(s.ID))
		c.appendUint32(s.Val)
	}
}

func (c *conn) appendWindowUpdate(stream, n uint32) {
	c.appendFrame(http2.FrameWindowUpdate, 0, stream, 4)
	c.appendUint32(n)
}

func (c *conn) appendPing(ack bool, data [8]byte) {
	var flags http2.Flags
	if ack {
		flags = http2.FlagPingAck
	}
	c.appendFrame(http2.FramePing, flags, 0, len(data))
	c.out.b = append(c.out.b, data[:]...)
}

func (c *conn) appendReset(stream uint32, code http2.ErrCode) {
	c.appendFrame(http2.FrameRSTStream, 0, stream, 4)
	c.appendUint32(uint32(code))
}

func (c *conn) appendGoAway(last uint32, code http2.ErrCode) {
	c.appendFrame(http2.FrameGoAway, 0, 0, 8)
	c.appendUint32(last)
	c.appendUint32(uint32(code))
}

func (c *conn) appendData(s *stream, p []byte, end bool) {
	var flags http2.Flags
	if end {
		flags = http2.FlagDataEndStream
	}
	c.appendFrame(http2.FrameData, flags, s.id, len(p))
	c.out.b = append(c.out.b, p...)
	s.window -= int64(len(p))
	c.window -= int64(len(p))
	c.credit.sent(len(p))
}

// appendFields appends HEADERS, and CONTINUATION where they do not fit. status is 0 for a trailer.
func (c *conn) appendFields(s *stream, status int, fields []field, end bool) {
	var flags http2.Flags
	if end {
		flags = http2.FlagHeadersEndStream
	}
	c.appendFrame(http2.FrameHeaders, flags|http2.FlagHeadersEndHeaders, s.id, 0)
	start := len(c.out.b)
	if status > 0 {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: ":status", Value: statusText(status)})
	}
	for i := range fields {
		f := &fields[i]
		_ = c.encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value, Sensitive: f.sensitive})
	}
	n := len(c.out.b) - start
	if n <= maxFrame {
		putLength(c.out.b[start-frameHeader:], n)
		return
	}
	block := append([]byte(nil), c.out.b[start:]...)
	putLength(c.out.b[start-frameHeader:], maxFrame)
	c.out.b[start-frameHeader+4] = byte(flags)
	c.out.b = c.out.b[:start+maxFrame]
	for block = block[maxFrame:]; len(block) > 0; {
		part := block[:min(len(block), maxFrame)]
		block = block[len(part):]
		var last http2.Flags
		if len(block) == 0 {
			last = http2.FlagContinuationEndHeaders
		}
		c.appendFrame(http2.FrameContinuation, last, s.id, len(part))
		c.out.b = append(c.out.b, part...)
	}
}

func putLength(header []byte, n int) {
	header[0], header[1], header[2] = byte(n>>16), byte(n>>8), byte(n)
}

// kick has the output sent soon.
func (c *conn) kick() {
	if !c.out.flushing && c.err == nil {
		c.out.flushing = true
		go c.flush()
	}
}

// flush writes until there is nothing left that may be sent.
func (c *conn) flush() {
	runtime.Gosched() // those who are about to answer, too, get into the same write
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil {
		c.serveQueue()
		b, of := c.out.b, c.out.of
		if len(b) == 0 {
			if c.ending {
				c.mu.Unlock()
				c.hangUp()
				c.mu.Lock()
			}
			break
		}
		c.out.b, c.out.of = nil, nil
		c.write(b)
		c.server.giveOutput(of, b)
		c.wakeWaiting()
	}
	c.out.flushing = false
	c.leave()
}

// write writes without the lock.
func (c *conn) write(b []byte) {
	now := time.Now()
	c.deadlines.writing = now
	if limit := c.server.StallTimeout; limit > 0 {
		c.deadlines.due(now.Add(limit))
	}
	c.mu.Unlock()
	_, err := c.net.Write(b)
	c.mu.Lock()
	c.deadlines.writing = time.Time{}
	if err != nil {
		c.cutLocked(err)
	}
}

// hangUp ends our side after the last frame. The client ends its own, or is not waited for long.
func (c *conn) hangUp() {
	_ = wrapped.CloseWrite(c.net)
	_ = c.net.SetReadDeadline(time.Now().Add(lingerTime))
}
