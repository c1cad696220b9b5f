package h2

// queue holds the streams whose handlers wait until their data is sent and whose windows allow it: each gets a frame in
// its turn.
type queue struct{ first, last *stream }

func (q *queue) push(s *stream) {
	s.queued, s.next = true, nil
	if q.last == nil {
		q.first = s
	} else {
		q.last.next = s
	}
	q.last = s
}

func (q *queue) pop() *stream {
	s := q.first
	q.first = s.next
	if q.first == nil {
		q.last = nil
	}
	s.queued, s.next = false, nil
	return s
}

// remove takes out a stream that gave up.
func (q *queue) remove(s *stream) {
	if !s.queued {
		return
	}
	var before *stream
	for at := q.first; at != s; at = at.next {
		before = at
	}
	if before == nil {
		q.first = s.next
	} else {
		before.next = s.next
	}
	if q.last == s {
		q.last = before
	}
	s.queued, s.next = false, nil
}

// ready queues a stream if it has something to send and may. The connection is locked, here and below.
func (c *conn) ready(s *stream) {
	if s.queued || len(s.pending) == 0 || s.window <= 0 {
		return
	}
	c.queue.push(s)
	if c.window > 0 {
		c.kick()
	}
}

// serveQueue moves data into the output, as far as that and the windows have room: a frame for each stream in its turn.
func (c *conn) serveQueue() {
	for c.queue.first != nil && c.window > 0 && len(c.out.b) < outputLimit {
		s := c.queue.pop()
		n := int(min(int64(len(s.pending)), s.window, c.window, maxFrame))
		if n <= 0 {
			continue
		}
		c.appendData(s, s.pending[:n], s.pendingEnd && n == len(s.pending))
		s.pending = s.pending[n:]
		if len(s.pending) == 0 {
			s.awake()
			continue
		}
		s.progressed(c.server.StallTimeout)
		if s.window > 0 {
			c.queue.push(s)
		}
	}
}

// wakeWaiting has those who waited for room in the output look again.
func (c *conn) wakeWaiting() {
	for _, s := range c.waiting {
		s.awake()
	}
	clear(c.waiting)
	c.waiting = c.waiting[:0]
}
