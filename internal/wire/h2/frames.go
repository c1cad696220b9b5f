package h2

import (
	"time"

	"golang.org/x/net/http2"
)

// handle does what a frame says. A StreamError ends its stream, any other error the connection.
func (c *conn) handle(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.DataFrame:
		return c.onData(f)
	case *http2.HeadersFrame:
		return c.onHeaders(f)
	case *http2.ContinuationFrame:
		return c.onContinuation(f)
	case *http2.WindowUpdateFrame:
		return c.onWindowUpdate(f)
	case *http2.RSTStreamFrame:
		return c.onReset(f)
	case *http2.SettingsFrame:
		return c.onSettings(f)
	case *http2.PingFrame:
		return c.onPing(f)
	case *http2.PriorityFrame:
		if f.StreamDep == f.StreamID {
			return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeProtocol}
		}
		return c.charge(costControl)
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case *http2.GoAwayFrame: // the client opens no more streams; it may want the rest of those it has
		return c.charge(costControl)
	default: // RFC 9113 §5.5: what is unknown is ignored
		return c.charge(costControl)
	}
}

// charge takes what a frame costs off the client's credit.
func (c *conn) charge(cost cost) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.credit.charge(cost)
}

func (c *conn) onPing(f *http2.PingFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.IsAck() {
		if f.Data == drainPing() {
			c.drainFinally()
		}
		return c.credit.charge(costControl)
	}
	if err := c.credit.charge(costControl); err != nil {
		return err
	}
	c.appendPing(true, f.Data)
	c.kick()
	return c.checkOutput()
}

func (c *conn) onSettings(f *http2.SettingsFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.credit.charge(costControl); err != nil {
		return err
	}
	if f.IsAck() {
		if c.roundTrip == 0 {
			c.roundTrip = time.Since(c.greeted)
		}
		return nil
	}
	if f.NumSettings() > maxSettings {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	if err := f.ForeachSetting(c.onSetting); err != nil { // each in its turn, repeated ones, too
		return err
	}
	c.appendFrame(http2.FrameSettings, http2.FlagSettingsAck, 0, 0)
	c.kick()
	return c.checkOutput()
}

// onSetting obeys one of the client's settings. Those that limit what we never do mean nothing: no frame of ours is
// larger than all must take, and nothing is pushed.
func (c *conn) onSetting(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		return err
	}
	switch s.ID {
	case http2.SettingHeaderTableSize:
		c.encoder.SetMaxDynamicTableSize(min(s.Val, tableSize))
	case http2.SettingInitialWindowSize:
		change := int64(s.Val) - c.initial
		c.initial = int64(s.Val)
		for _, s := range c.streams {
			if s.window += change; s.window > maxWindow {
				return http2.ConnectionError(http2.ErrCodeFlowControl)
			}
			c.ready(s)
		}
	}
	return nil
}

func (c *conn) onWindowUpdate(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.credit.window(f.Increment); err != nil {
		return err
	}
	if f.StreamID == 0 {
		if c.window += int64(f.Increment); c.window > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		if c.queue.first != nil {
			c.kick()
		}
		return nil
	}
	s, err := c.find(f.StreamID)
	if s == nil {
		return err
	}
	if s.window += int64(f.Increment); s.window > maxWindow {
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeFlowControl}
	}
	c.ready(s)
	return nil
}

// find returns a stream that is not closed. Frames for streams that nobody has opened end the connection (RFC 9113
// §5.1).
func (c *conn) find(id uint32) (*stream, error) {
	if id > c.lastID || id%2 == 0 {
		return nil, http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return c.streams[id], nil
}

func (c *conn) onReset(f *http2.RSTStreamFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.find(f.StreamID)
	switch {
	case err != nil:
		return err
	case s == nil:
		return c.credit.charge(costControl)
	}
	c.close(s)
	c.abort(s, errReset)
	return c.credit.charge(costReset)
}

// refuse ends a stream for what its client did (RFC 9113 §5.4.2). It costs the client as much as if it had done so
// itself: otherwise it could have any number of requests begun and ended.
func (c *conn) refuse(wrong http2.StreamError) error {
	c.server.debug("stream refused", "client", c.remote, "stream", wrong.StreamID, "error", wrong)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[wrong.StreamID]; s != nil {
		c.close(s)
		c.abort(s, wrong)
	}
	c.appendReset(wrong.StreamID, wrong.Code)
	c.kick()
	if err := c.checkOutput(); err != nil {
		return err
	}
	return c.credit.charge(costReset)
}

// wasReset reports whether a stream was ended here, so that what the client sent before it knew is no mistake.
func (c *conn) wasReset(id uint32) bool {
	for _, r := range c.reset {
		if r == id {
			return true
		}
	}
	return false
}

func (c *conn) onData(f *http2.DataFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.receive(int(f.Length)); err != nil {
		return err
	}
	s, err := c.find(f.StreamID)
	switch {
	case err != nil:
		return err
	case s == nil && (c.wasReset(f.StreamID) || c.ignores(f.StreamID)):
		return c.credit.charge(costControl)
	case s == nil || s.remoteEnded:
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeStreamClosed}
	}
	if len(f.Data()) == 0 && !f.StreamEnded() { // it means nothing (RFC 9113 §10.5)
		if err := c.credit.charge(costEmpty); err != nil {
			return err
		}
	}
	return c.addBody(s, f)
}

// receive accounts for what a DATA frame takes of the connection's window, and gives it back at once: what is held is
// bounded by the streams' windows. The connection is locked.
func (c *conn) receive(n int) error {
	if c.inbound -= int64(n); c.inbound < 0 {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	if c.unpaid += n; c.unpaid >= connWindow/4 {
		c.appendWindowUpdate(0, uint32(c.unpaid))
		c.inbound += int64(c.unpaid)
		c.unpaid = 0
		c.kick()
		return c.checkOutput()
	}
	return nil
}

// ignores reports whether a stream came too late to be served.
func (c *conn) ignores(id uint32) bool { return c.drained == drainFinal && id > c.final }

// checkOutput ends connections whose clients make us answer and do not read the answers.
func (c *conn) checkOutput() error {
	if len(c.out.b) > 2*outputLimit {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	return nil
}
