package upstream

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	beatInterval = 100 * time.Millisecond
	// tooLate is by how much this process may be late within a second until timeouts say nothing about hosts any more.
	tooLate = 150 * time.Millisecond
)

// pulse measures how late this process is. While there are checks, it wants to be woken every 100 ms: what it is woken
// late, the process did not run, for want of a processor. A timeout then says nothing about who was asked. All probes
// time out together, and without this rule an edge that is starved for a second would lose every cluster.
type pulse struct {
	mu   sync.Mutex
	due  int64    // the next beat; 0: none
	last [32]beat // more than there are in a second
	next int      // in last
	told int64    // when it was logged last
}

// beat is one that has been: when, and how late.
type beat struct{ at, late int64 }

// beat notes that the process was woken, and returns when it is to be woken next.
func (h *Hosts) beat() time.Duration {
	h.mu.Lock()
	interval := beatInterval
	if h.checks == 0 {
		interval = time.Second
	}
	h.mu.Unlock()
	now, p := h.now(), &h.pulse
	if p.mu.Lock(); p.due > 0 {
		p.note(now, now-p.due)
	}
	p.due = now + int64(interval)
	p.mu.Unlock()
	return interval
}

func (p *pulse) note(now, late int64) {
	p.last[p.next%len(p.last)] = beat{now, max(0, late)}
	p.next++
}

// isLate reports whether timeouts say nothing now.
func (p *pulse) isLate(now int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var late int64
	if p.due > 0 {
		late = max(0, now-p.due)
	}
	for _, b := range p.last {
		if b.at > now-int64(time.Second) {
			late += b.late
		}
	}
	return late >= int64(tooLate)
}

// isOurs reports whether an error is a timeout that says more about this process than about who was asked, and logs so
// once a minute.
func (h *Hosts) isOurs(err error, now int64) bool {
	var timeout net.Error
	timedOut := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
	if !timedOut || !h.pulse.isLate(now) {
		return false
	}
	h.pulse.mu.Lock()
	defer h.pulse.mu.Unlock()
	if now-h.pulse.told > int64(time.Minute) {
		h.pulse.told = now
		h.log.Warn("this process does not get the processor in time; health checks that time out are not counted")
	}
	return true
}
