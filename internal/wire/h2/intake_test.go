package h2

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// upload sends on a stream what it may at once, once in a round trip, and returns how much that was in each.
func (c *client) upload(stream uint32, trips int) (sent []int) {
	window := initialWindow
	for range trips {
		left := window
		for left > 0 {
			n := min(left, maxFrame)
			c.data(stream, false, strings.Repeat("x", n))
			left -= n
		}
		sent = append(sent, window)
		synctest.Wait()
		window = 0
		c.mu.Lock()
		for _, e := range c.events {
			if e.stream == stream && strings.HasPrefix(e.text, "WINDOW_UPDATE") {
				window += e.credit
			}
		}
		c.events = nil
		c.mu.Unlock()
		time.Sleep(trip)
	}
	return sent
}

const trip = 100 * time.Millisecond

// far returns a client that is a round trip away.
func far(t *testing.T, s *Server) *client {
	c := dialPipe(t, s)
	time.Sleep(trip)
	c.send(c.framer.WriteSettingsAck)
	c.send(func() error { return c.framer.WriteWindowUpdate(0, 1<<20) })
	return c
}

// TestWindowsGrow: an upload over a long way becomes as fast as the service reads, up to a limit for the connection.
func TestWindowsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handler(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		defer end(t, s)
		c := far(t, s)
		c.headers(1, false, post("/")...)
		sent := c.upload(1, 12)
		if last := sent[len(sent)-1]; last < widest/2 || last > widest+initialWindow {
			t.Errorf("sent in each round trip: %d", sent)
		}
		c.headers(3, false, post("/")...) // there is nothing left for others
		if sent := c.upload(3, 4); sent[3] > initialWindow {
			t.Errorf("beside the first, sent in each round trip: %d", sent)
		}
		c.data(1, true, "")
		c.answer(1)
		if sent := c.upload(3, 8); sent[7] < initialWindow*4 {
			t.Errorf("after the first, sent in each round trip: %d", sent)
		}
	})
}

// TestWindowsDoNotGrow: what a service does not read, or reads slowly, is not sent.
func TestWindowsDoNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handler(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/unread" {
				<-r.Context().Done()
				return
			}
			for block := make([]byte, initialWindow/4); ; time.Sleep(trip) {
				if _, err := io.ReadFull(r.Body, block); err != nil {
					return
				}
			}
		})
		defer end(t, s)
		c := far(t, s)
		c.headers(1, false, post("/unread")...)
		if sent := c.upload(1, 3); sent[0] != initialWindow || sent[1]+sent[2] != 0 {
			t.Errorf("unread, sent in each round trip: %d", sent)
		}
		c.headers(3, false, post("/slow")...)
		for trip, n := range c.upload(3, 20) {
			if n > initialWindow {
				t.Errorf("read slowly, sent in round trip %d: %d", trip, n)
			}
		}
		for _, conn := range s.stop() {
			if conn.mu.Lock(); conn.widened != 0 {
				t.Errorf("widened by %d", conn.widened)
			}
			conn.mu.Unlock()
		}
	})
}
