package wire

import (
	"sync/atomic"
	"time"
)

// deadline is a connection's deadline for reading or for writing. Setting one costs more than parsing a request, so it
// is set only when what is armed is off by more than a second, or an eighth of the timeout.
type deadline struct {
	set   func(time.Time) error
	want  time.Time // zero: none
	slack time.Duration
	armed time.Time // as it was set last; zero: none

	// foreign: a handler set one of its own, which stays until its request ends.
	foreign atomic.Bool
}

// after wants the deadline at a time after now. No time: no deadline.
func (d *deadline) after(now time.Time, timeout time.Duration) {
	if timeout <= 0 {
		d.want = time.Time{}
		return
	}
	d.want = now.Add(timeout)
	d.slack = min(time.Second, timeout/8)
}

// about is after, give or take half of it.
func (d *deadline) about(now time.Time, timeout time.Duration) {
	d.want, d.slack = now.Add(timeout), timeout/2
}

func (d *deadline) arm() {
	if d.foreign.Load() || d.want == d.armed {
		return
	}
	if !d.want.IsZero() && !d.armed.IsZero() && d.want.Sub(d.armed).Abs() <= d.slack {
		return
	}
	d.armed = d.want
	_ = d.set(d.want) // fails on a closed connection, where reading fails, too
}

// off takes the deadline away.
func (d *deadline) off() {
	d.own()
	d.want = time.Time{}
	d.arm()
}

// override sets a handler's deadline. It may be called while the connection is read or written elsewhere.
func (d *deadline) override(t time.Time) error {
	d.foreign.Store(true)
	return d.set(t)
}

// own ends a handler's deadline.
func (d *deadline) own() {
	if d.foreign.Swap(false) {
		d.armed = time.Unix(1, 0) // far from whatever is wanted
	}
}
