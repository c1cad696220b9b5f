package h2

import (
	"sync"
	"time"
)

// workerLife is how long a worker waits for work before it goes.
const workerLife = 10 * time.Second

// workers are goroutines that run handlers, one stream after the other: their stacks have grown already.
type workers struct {
	mu     sync.Mutex
	idle   []*worker // the one used last at the end
	sweep  *time.Timer
	armed  bool
	closed bool
}

type worker struct {
	work  chan *stream // closed: go
	since time.Time    // when it became idle
}

// run has a worker answer the stream's request. It does not wait.
func (p *workers) run(s *stream) {
	p.mu.Lock()
	last := len(p.idle) - 1
	if last < 0 {
		p.mu.Unlock()
		w := &worker{work: make(chan *stream, 1)}
		w.work <- s
		go w.loop(p)
		return
	}
	w := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	p.mu.Unlock()
	w.work <- s
}

func (w *worker) loop(p *workers) {
	for s := range w.work {
		returned := false
		func() {
			defer func() { // a handler may end its goroutine
				if !returned {
					s.finish(false)
				}
			}()
			s.serve()
			returned = true
		}()
		if !p.rest(w) {
			return
		}
	}
}

// rest adds a worker to those that wait for work. It reports false when it is to go.
func (p *workers) rest(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	w.since = time.Now()
	p.idle = append(p.idle, w)
	if !p.armed {
		p.arm(workerLife)
	}
	return true
}

func (p *workers) arm(after time.Duration) {
	p.armed = true
	if p.sweep == nil {
		p.sweep = time.AfterFunc(after, p.dismiss)
		return
	}
	p.sweep.Reset(after)
}

// dismiss lets go of the workers that nobody has needed for long: they are at the beginning.
func (p *workers) dismiss() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	n, now := 0, time.Now()
	for n < len(p.idle) && now.Sub(p.idle[n].since) >= workerLife {
		close(p.idle[n].work)
		n++
	}
	rest := copy(p.idle, p.idle[n:])
	clear(p.idle[rest:])
	p.idle = p.idle[:rest]
	if rest > 0 {
		p.arm(max(workerLife-now.Sub(p.idle[0].since), time.Second))
	}
}

// close lets go of all.
func (p *workers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.idle {
		close(w.work)
	}
	p.idle = nil
	if p.sweep != nil {
		p.sweep.Stop()
	}
}
