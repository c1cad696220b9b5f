package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// network is what lies between the edges and the instances of the clusters: one cable for each pair.
type network struct {
	seed  uint64
	tap   func(p []byte)        // sees all that is sent, but for the request's head
	wire  func(p []byte) []byte // sabotage of what an instance writes; nil: none
	leaky bool                  // sabotage: connections that exist do not stall

	mu     sync.Mutex
	sites  map[string]http.Handler // by address; none: nobody listens
	cables map[cableName]*cable
}

type cableName struct{ edge, addr string }

type mode string

// The modes of a cable.
const (
	open    mode = "open"
	cut     mode = "cut"     // connections break and none can be made
	stalled mode = "stalled" // nothing moves, and nobody is told
)

// cable joins an edge and an address. Its lock guards its connections, too.
type cable struct {
	name cableName
	seed uint64

	mu      sync.Mutex
	mode    mode
	delay   time.Duration     // of each packet, at least
	snip    float64           // of the next change that is sent, only this part arrives, and the connection breaks; 0: all
	made    map[string]uint64 // connections, by the life of the edge and the path
	conns   map[*conn]bool
	changed chan struct{} // closed and replaced when anything here changed
}

const (
	usualDelay = time.Millisecond
	// window is how many bytes may be under way before a writer has to wait.
	window = 4 << 10
)

var (
	errRefused = errors.New("connection refused")
	errReset   = errors.New("connection reset")
	errClosed  = errors.New("connection closed")
)

func newNetwork(seed uint64) *network {
	return &network{seed: seed, sites: map[string]http.Handler{}, cables: map[cableName]*cable{}}
}

func (n *network) cable(edge, addr string) *cable {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := cableName{edge, addr}
	if n.cables[name] == nil {
		n.cables[name] = &cable{
			name: name, seed: n.seed ^ digest([]byte(edge+" "+addr)), mode: open, delay: usualDelay,
			made: map[string]uint64{}, conns: map[*conn]bool{}, changed: make(chan struct{}),
		}
	}
	return n.cables[name]
}

func (n *network) site(addr string) http.Handler {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sites[addr]
}

// setSite says who listens at an address; nil: nobody, and whoever did is gone with all its connections.
func (n *network) setSite(addr string, h http.Handler) {
	n.mu.Lock()
	n.sites[addr] = h
	var cables []*cable
	for name, c := range n.cables {
		if name.addr == addr {
			cables = append(cables, c)
		}
	}
	n.mu.Unlock()
	for _, c := range cables {
		if h == nil {
			c.set(func() { c.breakAll(1) })
		}
	}
}

// set changes the cable and tells everybody.
func (c *cable) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	c.tell()
}

func (c *cable) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// to changes the mode. A cut lets only a part of what is under way arrive.
func (c *cable) to(m mode, part float64) {
	c.set(func() {
		c.mode = m
		switch m {
		case cut:
			c.breakAll(part)
		case open:
			for conn := range c.conns {
				conn.settle()
				conn.resume()
			}
		}
	})
}

func (c *cable) breakAll(part float64) {
	for conn := range c.conns {
		conn.breakOff(part)
	}
}

func (c *cable) is() mode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mode
}

// wait lets go of the lock until something changes, the time comes or ctx is done, which is the only error. The zero
// time never comes.
func (c *cable) wait(ctx context.Context, until time.Time) error {
	changed := c.changed
	c.mu.Unlock()
	defer c.mu.Lock()
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-due:
	}
	return nil
}

// connect makes a connection, which takes its time.
func (c *cable) connect(ctx context.Context, purpose string) (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made[purpose]++
	rng := rand.New(rand.NewPCG(c.seed^digest([]byte(purpose)), c.made[purpose]))
	k := &conn{cable: c, rng: rng, header: http.Header{}}
	for arrives := time.Now().Add(k.latency()); c.mode == stalled || time.Now().Before(arrives); {
		until := arrives
		if c.mode == stalled {
			until = time.Time{}
		}
		if err := c.wait(ctx, until); err != nil {
			return nil, err
		}
	}
	if c.mode == cut {
		return nil, errRefused
	}
	c.conns[k] = true
	return k, nil
}

// dialer is the network as one edge sees it: a RoundTripper that calls the handler of an address.
type dialer struct {
	net  *network
	edge string
	life uint64
}

func (d dialer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body) // of a bytes.Reader
		_ = r.Body.Close()
	}
	d.net.tap(body)
	k, err := d.net.cable(d.edge, r.URL.Host).connect(r.Context(), fmt.Sprint(d.life, r.URL.Path))
	if err != nil {
		return nil, err
	}
	site := d.net.site(r.URL.Host)
	if site == nil {
		k.close()
		return nil, errRefused
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	in := r.Clone(ctx)
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.RemoteAddr = d.edge
	if k.rng.IntN(8) > 0 { // most speak plainly, so that the tap can read
		in.Header.Del("Accept-Encoding")
	}
	k.open(cancel, d.net)
	go func() {
		site.ServeHTTP(k, in)
		k.finish()
	}()
	return k.answer(r)
}

// pause waits, but not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
