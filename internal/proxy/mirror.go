package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const (
	// maxCopies bounds the copies under way. More are left out: those for whom they are made slow nobody else down.
	maxCopies = 256
	// copyTimeout is how long a copy may take, its answer included.
	copyTimeout = time.Minute
)

// copies are the requests under way that nobody waits for. They end when the proxy does.
type copies struct {
	exchanges *exchanges
	room      chan struct{}
	ctx       context.Context
	cancel    context.CancelFunc
	underWay  sync.WaitGroup
}

func newCopies(e *exchanges) *copies {
	c := &copies{exchanges: e, room: make(chan struct{}, maxCopies)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// end ends those under way.
func (c *copies) end() {
	c.cancel()
	c.underWay.Wait()
}

// mirror sends requests to a service, and copies of some to others, whose answers nobody sees. A copy is sent when the
// request has been answered, so that it does not delay the answer.
type mirror struct {
	main    *forwarder
	others  []mirrored
	spec    model.Mirrored
	copies  *copies
	counter atomic.Uint64
}

// mirrored is one of those that get copies.
type mirrored struct {
	forwarder *forwarder
	percent   uint64
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := exchangeOf(r)
	due := m.due()
	if len(due) == 0 || x.upgrade != "" {
		m.main.ServeHTTP(w, r)
		return
	}
	again := m.copyOf(r)
	seen := &bodyCopy{ReadCloser: r.Body, limit: m.spec.MaxBodyBytes, left: r.ContentLength}
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 && !m.spec.NoBody {
		own := *r
		own.Body = seen
		r = &own
	} else {
		seen.whole = true
	}
	m.main.ServeHTTP(w, r)
	body, whole := seen.end()
	if !whole || x.ctx.Err() != nil {
		return // nobody knows what the whole request would have been
	}
	if len(body) > 0 {
		again.Body, again.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	m.send(x, again, body, due)
}

// due returns those that get a copy of this request: evenly, so that of a hundred each gets as many as it should.
func (m *mirror) due() (due []*forwarder) {
	n := m.counter.Add(1)
	for i := range m.others {
		if p := m.others[i].percent; n*p/100 != (n-1)*p/100 {
			due = append(due, m.others[i].forwarder)
		}
	}
	return due
}

// copyOf returns the request without its body, as it is before those behind change it.
func (m *mirror) copyOf(r *http.Request) *http.Request {
	again := new(http.Request)
	*again = *r
	u := *r.URL
	again.URL, again.Header = &u, r.Header.Clone() // the engine uses its own again
	again.Body, again.ContentLength, again.TransferEncoding, again.Trailer = http.NoBody, 0, nil, nil
	if m.spec.NoBody || r.ContentLength == 0 {
		delete(again.Header, "Content-Length")
	}
	delete(again.Header, "Expect")
	return again
}

// send sends copies, as long as there is room.
func (m *mirror) send(x *exchange, r *http.Request, body []byte, due []*forwarder) {
	for _, to := range due {
		select {
		case m.copies.room <- struct{}{}:
		default:
			x.log.Debug("a copy of a request is left out: too many are under way", "route", x.Route)
			return
		}
		own := new(http.Request)
		*own = *r
		own.Header = r.Header.Clone()
		if len(body) > 0 {
			own.Body = io.NopCloser(bytes.NewReader(body))
		}
		c := m.copies.begin(x, own)
		m.copies.underWay.Go(func() {
			defer func() { <-m.copies.room }()
			c.serve(to)
		})
	}
}

// copying is one copy on its way.
type copying struct {
	copies *copies
	x      *exchange
	r      *http.Request
	cancel context.CancelFunc
}

// begin gives a copy an exchange of its own.
func (c *copies) begin(of *exchange, r *http.Request) *copying {
	ctx, cancel := context.WithTimeout(c.ctx, copyTimeout)
	x, own := c.exchanges.beside(of, &nowhere{make(http.Header)}, r.WithContext(ctx))
	return &copying{c, x, own, cancel}
}

func (c *copying) serve(to *forwarder) {
	defer c.cancel()
	defer c.copies.exchanges.give(c.x)
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // it is that value that is thrown
			panic(p)
		}
	}()
	to.ServeHTTP(c.x, c.r)
}

// nowhere is where the answers to copies go.
type nowhere struct{ header http.Header }

// Header is part of http.ResponseWriter.
func (n *nowhere) Header() http.Header { return n.header }

// WriteHeader is part of http.ResponseWriter.
func (*nowhere) WriteHeader(int) {}

func (*nowhere) Write(b []byte) (int, error) { return len(b), nil }

// FlushError is for http.ResponseController.
func (*nowhere) FlushError() error { return nil }

// bodyCopy keeps what is read of a body, up to a limit.
type bodyCopy struct {
	io.ReadCloser
	limit, left int64 // left: of the body; below 0: unknown

	mu    sync.Mutex // an attempt that is over may still read
	kept  []byte
	whole bool // it was read to its end
	over  bool // there was too much, or it is too late
}

func (r *bodyCopy) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left -= int64(n)
	r.whole = r.whole || err == io.EOF || r.left == 0
	if r.over = r.over || int64(len(r.kept)+n) > r.limit; r.over {
		r.kept = nil
		return n, err
	}
	r.kept = append(r.kept, b[:n]...)
	return n, err
}

// end returns the body, if it was read to its end and is not too large.
func (r *bodyCopy) end() (body []byte, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || !r.whole {
		return nil, false
	}
	r.over = true
	return r.kept, true
}
