package middleware

import (
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// breakerConfig is what a circuitBreaker's definition says. It may change while the breaker's state is kept.
type breakerConfig struct {
	condition                 model.Condition
	check, fallback, recovery time.Duration
}

// breaker is the state of one circuit breaker:
//
//	closed ── condition holds ──▶ open ── after fallback ──▶ recovering ── after recovery ──▶ closed
//	                                ▲                            │
//	                                └────── condition holds ─────┘
type breaker struct {
	mu        sync.Mutex
	window    window
	checked   time.Time // when the condition was last looked at
	opened    time.Time // zero: closed
	seen      int       // since the recovery began
	admitted  int       // of these
	recovered time.Time // when the recovery began; zero: it has not
}

func newBreaker() *breaker { return &breaker{} }

// admit reports whether a request may pass: all when closed, none when open, and a growing part of them in between.
func (b *breaker) admit(c *breakerConfig) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	switch {
	case b.opened.IsZero():
		return true
	case now.Sub(b.opened) < c.fallback:
		return false
	case b.recovered.IsZero():
		b.recovered, b.seen, b.admitted = now, 0, 0
	}
	passed := now.Sub(b.recovered)
	if passed >= c.recovery {
		b.opened, b.recovered = time.Time{}, time.Time{}
		return true
	}
	b.seen++
	if float64(b.admitted) >= float64(b.seen)*float64(passed)/float64(c.recovery) {
		return false
	}
	b.admitted++
	return true
}

// done records an answer, and opens the breaker if the condition holds now.
func (b *breaker) done(c *breakerConfig, status int, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !b.opened.IsZero() && b.recovered.IsZero() {
		return // it was under way when the breaker opened, and says nothing of how the service does later
	}
	b.window.add(now, status, took)
	if now.Sub(b.checked) < c.check {
		return
	}
	b.checked = now
	if c.condition.Holds(b.window.measure) {
		b.opened, b.recovered = now, time.Time{}
		b.window = window{}
	}
}
