package sim

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"time"
)

// conn is one request and its answer: an http.ResponseWriter at one end, a body at the other, and packets between them
// that arrive in order, each at its time. The cable's lock guards it.
type conn struct {
	cable *cable
	rng   *rand.Rand
	net   *network

	header   http.Header
	status   int
	queue    []packet
	last     time.Time // when the last packet of the queue arrives
	size     int       // bytes in the queue
	broken   error     // both ends see it, the reader after what is still to arrive
	closed   bool      // by the reader
	gone     bool      // the writer has been told of it
	cancel   context.CancelFunc
	deadline time.Time
}

// packet is what one write said. The head and the end travel like the rest.
type packet struct {
	at   time.Time
	data []byte
	head http.Header // nil: not the head
	end  bool
}

func (k *conn) open(cancel context.CancelFunc, n *network) {
	k.cable.mu.Lock()
	defer k.cable.mu.Unlock()
	k.cancel, k.net = cancel, n
	if k.broken != nil {
		cancel()
	}
}

// latency is how long the next packet takes. No two packets in the world arrive at the same moment, so that what
// happens next does not depend on the scheduler.
func (k *conn) latency() time.Duration {
	d := k.cable.delay
	return d + time.Duration(k.rng.Int64N(int64(d)))
}

// schedule says when a packet arrives: after those before it.
func (k *conn) schedule(p *packet) {
	p.at = time.Now().Add(k.latency())
	if !p.at.After(k.last) {
		p.at = k.last.Add(1)
	}
	k.last = p.at
}

// resume sets what was held up on its way again.
func (k *conn) resume() {
	k.last = time.Time{}
	for i := range k.queue {
		k.schedule(&k.queue[i])
	}
}

// send queues a packet.
func (k *conn) send(p packet) {
	k.schedule(&p)
	k.size += len(p.data)
	k.queue = append(k.queue, p)
	k.cable.tell()
}

// breakOff ends the connection. Of what is under way, only the first part arrives.
func (k *conn) breakOff(part float64) {
	if k.broken != nil {
		return
	}
	k.broken = errReset
	if k.cancel != nil {
		k.cancel()
	}
	keep := int(part * float64(k.size))
	for i, p := range k.queue {
		if keep -= len(p.data); keep < 0 {
			k.queue[i].data = p.data[:len(p.data)+keep]
			k.queue = k.queue[:i+1]
			break
		}
	}
	if part < 1 {
		k.queue = slices.DeleteFunc(k.queue, func(p packet) bool { return p.end })
	}
}

// settle tells the writer that the reader has gone, if the news can travel.
func (k *conn) settle() {
	if !k.closed || k.gone || k.cable.mode == stalled {
		return
	}
	k.gone = true
	k.queue = nil
	delete(k.cable.conns, k)
	if k.broken == nil {
		k.broken = errClosed
	}
	if k.cancel != nil {
		k.cancel()
	}
}

// The writer's end.

func (k *conn) Header() http.Header { return k.header }

func (k *conn) WriteHeader(status int) {
	k.cable.mu.Lock()
	defer k.cable.mu.Unlock()
	if k.status == 0 {
		k.status = status
		k.send(packet{head: k.header.Clone()})
	}
}

func (k *conn) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	data := bytes.Clone(p)
	if k.net.wire != nil {
		data = k.net.wire(data)
	}
	k.net.tap(data)
	c := k.cable
	c.mu.Lock()
	defer c.mu.Unlock()
	for k.size > window && k.broken == nil {
		if !k.deadline.IsZero() && !time.Now().Before(k.deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		_ = c.wait(context.Background(), k.deadline)
	}
	if k.broken != nil {
		return 0, k.broken
	}
	if c.snip > 0 && len(data) > 100 {
		k.send(packet{data: data[:int(c.snip*float64(len(data)))]})
		c.snip = 0
		k.breakOff(1)
		return 0, k.broken
	}
	k.send(packet{data: data})
	return len(p), nil
}

func (k *conn) Flush() {}

func (k *conn) SetReadDeadline(time.Time) error { return nil }

func (k *conn) SetWriteDeadline(t time.Time) error {
	k.cable.set(func() { k.deadline = t })
	return nil
}

// finish says that the handler has returned.
func (k *conn) finish() {
	k.WriteHeader(http.StatusOK)
	k.cable.mu.Lock()
	defer k.cable.mu.Unlock()
	k.cancel()
	if k.broken == nil {
		k.send(packet{end: true})
	}
}

// The reader's end.

// next waits for the first packet; it stays in the queue.
func (k *conn) next(ctx context.Context) error {
	c := k.cable
	for {
		var until time.Time
		switch {
		case k.closed:
			return errClosed
		case c.mode == stalled && !k.net.leaky:
		case len(k.queue) == 0 && k.broken != nil:
			return k.broken
		case len(k.queue) > 0 && !time.Now().Before(k.queue[0].at):
			return nil
		case len(k.queue) > 0:
			until = k.queue[0].at
		}
		if err := c.wait(ctx, until); err != nil {
			return err
		}
	}
}

// answer waits for the head.
func (k *conn) answer(r *http.Request) (*http.Response, error) {
	c := k.cable
	c.mu.Lock()
	err := k.next(r.Context())
	if err != nil {
		c.mu.Unlock()
		k.close()
		return nil, err
	}
	head := k.queue[0].head
	k.queue = k.queue[1:]
	c.mu.Unlock()
	stop := context.AfterFunc(r.Context(), k.close)
	return &http.Response{
		StatusCode: k.status, Header: head, Body: &body{k, stop}, Request: r, Proto: "HTTP/2.0", ProtoMajor: 2,
	}, nil
}

type body struct {
	*conn
	stop func() bool
}

func (b *body) Read(p []byte) (int, error) {
	k, c := b.conn, b.cable
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := k.next(context.Background()); err != nil {
		return 0, err
	}
	first := &k.queue[0]
	if first.end {
		return 0, io.EOF
	}
	n := copy(p, first.data)
	first.data = first.data[n:]
	k.size -= n
	if len(first.data) == 0 {
		k.queue = k.queue[1:]
	}
	c.tell()
	return n, nil
}

func (b *body) Close() error {
	b.stop()
	b.close()
	return nil
}

func (k *conn) close() {
	k.cable.set(func() {
		k.closed = true
		k.settle()
	})
}
