package stream

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/wrapped"
)

// idleness ends a pump when nothing has come from either side for too long. The bytes are not slowed down for it: of
// what the kernel moves, the kernel knows when it came last.
type idleness struct {
	limit time.Duration
	sides [2]*side

	mu    sync.Mutex
	timer *time.Timer
	over  bool // nothing is to be closed any more
	ended bool // the sides were closed
}

// limitIdleness begins to look after both sides; 0: no limit.
func limitIdleness(a, b *side, limit time.Duration) *idleness {
	i := &idleness{limit: limit, sides: [2]*side{a, b}}
	if limit == 0 {
		return i
	}
	a.measure()
	b.measure()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.timer = time.AfterFunc(limit, i.check)
	return i
}

// check closes both sides, or comes back when it may be time.
func (i *idleness) check() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.over {
		return
	}
	if left := i.limit - min(i.sides[0].quiet(), i.sides[1].quiet()); left > 0 {
		i.timer.Reset(left)
		return
	}
	i.ended = true
	for _, s := range i.sides {
		_ = s.Close()
	}
}

// stop ends it, and reports whether the sides were closed.
func (i *idleness) stop() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
	if i.timer != nil {
		i.timer.Stop()
	}
	return i.ended
}

// measure makes quiet known.
func (s *side) measure() {
	c := s.Conn
	for wrapped.Below(c) != nil {
		c = wrapped.Below(c)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		if _, known := sinceReceived(tcp); known {
			s.quiet = func() time.Duration { d, _ := sinceReceived(tcp); return d }
			return
		}
	}
	noted := &noting{Reader: s.Conn, begun: time.Now()}
	s.from, s.quiet = noted, noted.quiet
}

// noting notes when something was read last.
type noting struct {
	io.Reader
	begun time.Time
	last  atomic.Int64 // a time.Duration since then
}

func (n *noting) Read(b []byte) (int, error) {
	got, err := n.Reader.Read(b)
	if got > 0 {
		n.last.Store(int64(time.Since(n.begun)))
	}
	return got, err
}

func (n *noting) quiet() time.Duration { return time.Since(n.begun) - time.Duration(n.last.Load()) }
