package wire

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Clock says what time it is in the form of Date (RFC 9110 §6.6.1), which it makes once a second. The zero value is
// ready; it is safe for concurrent use.
type Clock struct{ last atomic.Pointer[date] }

// date is the value of Date for one second.
type date struct {
	second int64
	text   string
}

// Date returns the value of Date.
func (c *Clock) Date(now time.Time) string {
	d := c.last.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), now.UTC().Format(http.TimeFormat)}
		c.last.Store(d)
	}
	return d.text
}
