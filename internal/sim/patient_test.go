package sim

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/provider"
)

// patient delays each run of a provider, beyond what provider.Run may have waited, to a moment that the seed decides:
// the jitter of provider.Run is the one thing in the world that no seed reaches.
type patient struct {
	next provider.Provider
	rng  *rand.Rand

	ended  time.Time // the last run; zero: none yet
	failed int       // runs in a row that published nothing
}

// What provider.Run waits, at most.
const (
	firstWait = 150 * time.Millisecond
	longWait  = 15 * time.Second
)

func (p *patient) Run(ctx context.Context, publish func(model.Snapshot)) error {
	if !p.ended.IsZero() {
		wait := longWait
		if p.failed < 7 {
			wait = min(longWait, firstWait<<p.failed)
		}
		pause(ctx, time.Until(p.ended.Add(wait+between(p.rng, time.Millisecond, 100*time.Millisecond))))
		p.failed++
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := p.next.Run(ctx, func(s model.Snapshot) {
		p.failed = 0
		publish(s)
	})
	p.ended = time.Now()
	return err
}

// between draws a duration.
func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(rng.Int64N(int64(high-low)))
}
