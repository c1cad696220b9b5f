package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// ErrBusy is returned for a request that finds too many others waiting for a connection to its host.
var ErrBusy = errors.New("too many requests wait for a connection to the host")

// poolKey tells connections apart that must not stand in for each other.
type poolKey struct {
	secure   bool
	host     string      // as in the request's URL, the port only where it is there
	identity *tls.Config // who we are, and whom we trust
}

const shardCount = 16

// pools hold the connections that no request uses. Those of a host lie together, the one used last on top: what is not
// needed stays at the bottom until it is too old.
type pools struct {
	idle        int           // most idle connections of a host
	open        int           // most connections of a host, those in use and those being dialled among them; 0: any number
	waiting     int           // most requests that wait for one of open
	idleTimeout time.Duration // how long a connection is kept

	seed   maphash.Seed
	shards [shardCount]shard
}

// shard holds some hosts, so that requests to others do not wait for its lock.
type shard struct {
	of    *pools
	mu    sync.Mutex
	hosts map[poolKey]*hostPool
	sweep *time.Timer // set while there are idle connections
	armed bool
}

// hostPool is the connections of one host. It is forgotten with its last connection.
type hostPool struct {
	key   poolKey
	in    *shard
	idle  []*serviceConn // oldest first
	open  int            // idle, in use, being dialled
	queue []*queued      // oldest first; only while idle is empty
}

// queued is a request that waits. It gets a connection, or (nil) leave to dial one.
type queued struct{ ready chan *serviceConn }

func newPools(o TransportOptions) *pools {
	p := &pools{
		idle: o.IdlePerHost, open: o.ConnsPerHost, waiting: o.QueuePerHost, idleTimeout: o.IdleTimeout,
		seed: maphash.MakeSeed(),
	}
	for i := range p.shards {
		p.shards[i].of, p.shards[i].hosts = p, make(map[poolKey]*hostPool)
	}
	return p
}

// acquire returns an idle connection to the host, or nil and leave to dial one; it waits where the host has as many as
// it may have. fresh asks for a connection that has not been used before, if possible. The caller owes the pool put or
// gone.
func (p *pools) acquire(ctx context.Context, key poolKey, fresh bool) (*serviceConn, *hostPool, error) {
	s := &p.shards[maphash.String(p.seed, key.host)%shardCount]
	s.mu.Lock()
	h := s.hosts[key]
	if h == nil {
		h = &hostPool{key: key, in: s}
		s.hosts[key] = h
	}
	last := len(h.idle) - 1
	switch {
	case last >= 0 && !fresh:
		c := h.idle[last]
		h.idle[last] = nil
		h.idle = h.idle[:last]
		s.mu.Unlock()
		return c, h, nil
	case p.open == 0 || h.open < p.open:
		h.open++
		s.mu.Unlock()
		return nil, h, nil
	case last >= 0: // the oldest makes room
		c := h.idle[0]
		h.idle = slices.Delete(h.idle, 0, 1)
		s.mu.Unlock()
		c.close()
		return nil, h, nil
	case len(h.queue) >= p.waiting:
		s.mu.Unlock()
		return nil, nil, ErrBusy
	}
	w := &queued{make(chan *serviceConn, 1)}
	h.queue = append(h.queue, w)
	s.mu.Unlock()
	return h.wait(ctx, w)
}

func (h *hostPool) wait(ctx context.Context, w *queued) (*serviceConn, *hostPool, error) {
	select {
	case c := <-w.ready:
		return c, h, nil
	case <-ctx.Done():
	}
	h.in.mu.Lock()
	i := slices.Index(h.queue, w)
	if i >= 0 {
		h.queue = slices.Delete(h.queue, i, i+1)
	}
	h.in.mu.Unlock()
	if i < 0 { // it came at the last moment
		if c := <-w.ready; c != nil {
			h.put(c)
		} else {
			h.gone()
		}
	}
	return nil, nil, context.Cause(ctx)
}

// put gives a connection back after an exchange that left it in order.
func (h *hostPool) put(c *serviceConn) {
	now := time.Now()
	s := h.in
	s.mu.Lock()
	if len(h.queue) > 0 {
		w := h.queue[0]
		h.queue = slices.Delete(h.queue, 0, 1)
		c.idleSince = now
		w.ready <- c
		s.mu.Unlock()
		return
	}
	if len(h.idle) >= s.of.idle {
		h.leave()
		s.mu.Unlock()
		c.close()
		return
	}
	c.idleSince = now
	h.idle = append(h.idle, c)
	if !s.armed {
		s.arm(s.of.idleTimeout)
	}
	s.mu.Unlock()
}

// gone tells that a connection is no more, or could not be made.
func (h *hostPool) gone() {
	h.in.mu.Lock()
	defer h.in.mu.Unlock()
	if len(h.queue) > 0 {
		w := h.queue[0]
		h.queue = slices.Delete(h.queue, 0, 1)
		w.ready <- nil
		return
	}
	h.leave()
}

// leave forgets one connection, and the host with its last. The shard is locked.
func (h *hostPool) leave() {
	h.open--
	if h.open == 0 {
		delete(h.in.hosts, h.key)
	}
}

// arm has the shard swept when the oldest of its idle connections is too old. The shard is locked.
func (s *shard) arm(after time.Duration) {
	s.armed = true
	if s.sweep == nil {
		s.sweep = time.AfterFunc(after, s.closeOld)
		return
	}
	s.sweep.Reset(after)
}

// closeOld closes the connections that nobody has wanted for too long.
func (s *shard) closeOld() {
	now := time.Now()
	var old []*serviceConn
	s.mu.Lock()
	s.armed = false
	next := s.of.idleTimeout
	remains := false
	for _, h := range s.hosts {
		n := 0
		for n < len(h.idle) && now.Sub(h.idle[n].idleSince) >= s.of.idleTimeout {
			n++
		}
		old = append(old, h.drop(n)...)
		if len(h.idle) > 0 {
			remains = true
			next = min(next, s.of.idleTimeout-now.Sub(h.idle[0].idleSince))
		}
	}
	if remains {
		s.arm(max(next, time.Second)) // not for each of many alone
	}
	s.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

// drop takes the n oldest idle connections out. The shard is locked.
func (h *hostPool) drop(n int) []*serviceConn {
	dropped := slices.Clone(h.idle[:n])
	h.idle = slices.Delete(h.idle, 0, n)
	for range dropped {
		h.leave()
	}
	return dropped
}

// closeIdle closes all that no request uses.
func (p *pools) closeIdle() {
	for i := range p.shards {
		s := &p.shards[i]
		var idle []*serviceConn
		s.mu.Lock()
		for _, h := range s.hosts {
			idle = append(idle, h.drop(len(h.idle))...)
		}
		if s.sweep != nil {
			s.sweep.Stop()
			s.armed = false
		}
		s.mu.Unlock()
		for _, c := range idle {
			c.close()
		}
	}
}
