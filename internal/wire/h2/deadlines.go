package h2

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// drainTime is how long a client has to hear that it should open no more streams.
const drainTime = time.Second

var (
	errIdle    = errors.New("nothing was asked for in time")
	errPartial = errors.New("a frame, or a block of fields, was not completed in time")
	errStalled = errors.New("the client takes nothing")
)

// deadlines are all those of a connection and its streams. One timer looks after them: it is set to the earliest, and
// what has changed meanwhile is found out when it fires. So the usual request sets none.
type deadlines struct {
	timer *time.Timer
	armed time.Time // zero: not

	partial   atomic.Int64 // by when what is being read must be complete, in Unix nanoseconds; 0: nothing is
	idleSince time.Time    // since when there are no streams
	writing   time.Time    // since when a write has been under way; zero: none is
	drainBy   time.Time    // when the client has heard that it should open no more streams; zero: it was not told
}

// start sets the deadline for the client's preface.
func (d *deadlines) start(c *conn) {
	now := time.Now()
	d.idleSince = now
	d.timer = time.AfterFunc(time.Hour, c.check)
	d.armed = now.Add(time.Hour)
	if limit := c.server.headerTimeout(); limit > 0 {
		d.partial.Store(now.Add(limit).UnixNano())
		d.due(now.Add(limit))
	}
	if limit := c.server.idleTimeout(); limit > 0 {
		d.due(now.Add(limit))
	}
}

// due has the connection checked at a time, or before.
func (d *deadlines) due(at time.Time) {
	if d.timer == nil || !d.armed.IsZero() && !at.Before(d.armed) {
		return
	}
	d.armed = at
	d.timer.Reset(max(0, time.Until(at)))
}

func (d *deadlines) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

// check does what is due, and sets the timer to what comes next.
func (c *conn) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.over {
		return
	}
	now, d := time.Now(), &c.deadlines
	d.armed = time.Time{}
	next := now.Add(time.Hour)
	// passed reports whether a limit has passed; if not, it is looked at again.
	passed := func(at time.Time) bool {
		if at.After(now) {
			if at.Before(next) {
				next = at
			}
			return false
		}
		return true
	}
	c.checkConnection(passed)
	for _, s := range c.streams {
		c.checkStream(s, passed)
	}
	if c.err == nil {
		d.due(next)
	}
}

func (c *conn) checkConnection(passed func(time.Time) bool) {
	d, s := &c.deadlines, c.server
	if partial := d.partial.Load(); partial != 0 && passed(time.Unix(0, partial)) {
		c.cutLocked(errPartial)
		return
	}
	if !d.writing.IsZero() && s.StallTimeout > 0 && passed(d.writing.Add(s.StallTimeout)) {
		c.cutLocked(errStalled)
		return
	}
	if !d.drainBy.IsZero() && passed(d.drainBy) {
		c.drainFinally()
	}
	if len(c.streams) == 0 && c.running == 0 && c.drained == drainNot && s.idleTimeout() > 0 &&
		passed(d.idleSince.Add(s.idleTimeout())) {
		s.debug("connection ends", "client", c.remote, "error", errIdle)
		c.drainLocked()
		passed(d.drainBy)
	}
}

func (c *conn) checkStream(s *stream, passed func(time.Time) bool) {
	if !s.readBy.IsZero() && !s.remoteEnded && passed(s.readBy) {
		s.failBody(os.ErrDeadlineExceeded)
		s.readBy = time.Time{}
	}
	if !s.writeBy.IsZero() && passed(s.writeBy) {
		c.stop(s, http2.ErrCodeInternal, os.ErrDeadlineExceeded)
		return
	}
	if limit := c.server.StallTimeout; limit > 0 && !s.stalled.IsZero() && passed(s.stalled.Add(limit)) {
		c.stop(s, http2.ErrCodeCancel, errStalled)
	}
}
