package middleware

import (
	"hash/maphash"
	"sync"
	"time"
)

// maxClients is how many clients one rateLimit remembers (some 7 MB). When more come, those that were away longest are
// forgotten and start anew: nobody can fill the memory, and a client that is over its limit is not among them.
const maxClients = 1 << 16

const (
	shardBits = 6
	shards    = 1 << shardBits
)

// pace is how fast one client may go.
type pace struct {
	interval time.Duration // between two requests, on average
	ahead    time.Duration // what a burst may be ahead of that
	patience time.Duration // what a request may be made to wait
}

// clients are the clients of one rateLimit. Of each, one time is kept: when it will have used up what it was given so
// far (the "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371; equal to a token bucket). So
// another average or burst applies to those who are already known.
type clients struct {
	start  time.Time // times are kept as the monotonic time since
	seed   maphash.Seed
	shards [shards]struct {
		sync.Mutex
		due *lru[uint64, time.Duration]
	}
}

func newClients() *clients {
	c := &clients{start: time.Now(), seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].due = newLRU[uint64, time.Duration](maxClients / shards)
	}
	return c
}

// take counts a request of the client. When it is admitted, it must wait first (usually zero); else the client may come
// back after wait.
func (c *clients) take(client uint64, p pace) (wait time.Duration, ok bool) {
	now := time.Since(c.start)
	s := &c.shards[client>>(64-shardBits)]
	s.Lock()
	defer s.Unlock()
	due := s.due.at(client)
	// Not in the past: who stayed away saves nothing up. Not further ahead than this pace allows: it may have been
	// slower.
	*due = min(max(*due, now), now+p.ahead+p.patience)
	wait = max(0, *due+p.interval-p.ahead-now)
	if wait > p.patience {
		return wait, false
	}
	*due += p.interval
	return wait, true
}
