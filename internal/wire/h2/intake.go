package h2

import "time"

// widest is by how much the windows of a connection's streams may have grown, all together.
const widest = 4 << 20

// intake is the window of a stream towards us: how much of a body may be on its way, or lie here unread. It grows while
// it is what the client waits for: when the handler has read a window's worth in little more than a round trip, the
// client could have sent no more, and more would have been read. Where the handler is slow, the window stays as it is,
// and so does what is held.
type intake struct {
	size  int64
	read  int64     // of the body, since
	since time.Time // zero: the handler has read nothing yet
}

// widen notes that n bytes were read, and returns by how much the window grows. The connection is locked.
func (c *conn) widen(i *intake, n int) (more int64) {
	now := time.Now()
	if i.read += int64(n); i.since.IsZero() {
		i.read, i.since = 0, now
		return 0
	}
	if i.read < i.size {
		return 0
	}
	if c.roundTrip > 0 && now.Sub(i.since) <= 2*c.roundTrip {
		more = min(i.size, widest-c.widened)
		i.size += more
		c.widened += more
	}
	i.read, i.since = 0, now
	return more
}

// narrow gives back what a window had more than at first. What was held for it is not held any more.
func (c *conn) narrow(i *intake) {
	c.widened -= i.size - initialWindow
	i.size = initialWindow
}
