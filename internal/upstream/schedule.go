package upstream

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Prober asks a host a question. It returns nil when the answer is good.
type Prober interface {
	// Probe is given the check with every default filled in; Scheme is a model.Protocol. For a gateway, only Interval
	// and Timeout are set: the question is whether the cluster's link entry point answers. ctx ends with the timeout.
	Probe(ctx context.Context, host ID, check model.HealthCheck) error
}

// queue holds the checks that wait for their time, the next one first. Guarded by Hosts.mu.
type queue []*check

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].next < q[j].next }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for container/heap.
func (q *queue) Push(x any) {
	c := x.(*check)
	c.index = len(*q)
	*q = append(*q, c)
}

// Pop is for container/heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	c.index = -1
	return c
}

// enqueue puts a check in its place. The caller holds h.mu.
func (h *Hosts) enqueue(c *check) {
	if c.index < 0 {
		heap.Push(&h.queue, c)
	} else {
		heap.Fix(&h.queue, c.index)
	}
	if c.index == 0 {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

// dequeue takes a check out. The caller holds h.mu.
func (h *Hosts) dequeue(c *check) {
	if c.index >= 0 {
		heap.Remove(&h.queue, c.index)
	}
}

// hasten makes the next probe of a check come as soon as the last one is LinkConfirm ago.
func (h *Hosts) hasten(c *check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	soon := max(h.now(), c.started+int64(h.tuning.LinkConfirm))
	if c.refs.Load() > 0 && !c.busy && soon < c.next {
		c.next = soon
		h.enqueue(c)
	}
}

// Run runs the active checks and forgets unused hosts, until ctx is done and the last probe has ended. It returns nil.
func (h *Hosts) Run(ctx context.Context) error {
	var probes sync.WaitGroup
	defer probes.Wait()
	timer, pulse := time.NewTimer(0), time.NewTimer(h.beat())
	defer timer.Stop()
	defer pulse.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pulse.C:
			pulse.Reset(h.beat())
			continue
		case <-timer.C:
		case <-h.wake:
		}
		timer.Reset(h.launch(ctx, &probes))
	}
}

// launch starts every probe that is due, and returns how long there is nothing to do.
func (h *Hosts) launch(ctx context.Context, probes *sync.WaitGroup) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if now >= h.sweepAt {
		h.sweep(now)
		h.sweepAt = now + int64(h.tuning.Forget)/5
	}
	for len(h.queue) > 0 && h.queue[0].next <= now {
		c := h.queue[0]
		if wait := h.wait(c, now); wait > 0 {
			c.next = now + wait
			heap.Fix(&h.queue, 0)
			continue
		}
		heap.Pop(&h.queue)
		c.busy, c.started = true, now
		if !c.link {
			h.running++
		}
		probes.Go(func() { h.probe(ctx, c, now) })
	}
	next := h.sweepAt
	if len(h.queue) > 0 {
		next = min(next, h.queue[0].next)
	}
	return time.Duration(next - now)
}

// wait says for how long a check that is due can wait: a gateway's while traffic proves the data path, others while too
// many run. The caller holds h.mu.
func (h *Hosts) wait(c *check, now int64) int64 {
	if !c.link {
		if h.running >= h.tuning.Probes {
			return int64(10 * time.Millisecond)
		}
		return 0
	}
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	if c.health != Healthy || c.streak < 0 || c.host.fails > 0 {
		return 0
	}
	return c.host.answered.Load() + int64(c.spec.Interval) - now
}

// probe runs one check and plans the next.
func (h *Hosts) probe(ctx context.Context, c *check, started int64) {
	limited, cancel := context.WithTimeout(ctx, c.spec.Timeout)
	defer cancel()
	err := h.prober.Probe(limited, c.host.id, c.spec)
	now := h.now()
	if h.isOurs(err, now) {
		err = nil // and nothing is reported
	} else if ctx.Err() == nil {
		c.report(started, now, err)
	}
	pause := jitter(c.spec.Interval)
	switch {
	case c.link && err != nil:
		pause = h.afterFailure(c)
	case err != nil:
		pause = jitter(c.spec.Unhealthy)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c.busy = false
	if !c.link {
		h.running--
	}
	if c.refs.Load() > 0 {
		c.next = started + pause
		h.enqueue(c)
	}
}

// afterFailure returns the pause after a gateway's probe failed: short while the failure is not confirmed.
func (h *Hosts) afterFailure(c *check) int64 {
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	if c.health == Unhealthy {
		return jitter(c.spec.Interval)
	}
	return int64(h.tuning.LinkConfirm)
}
