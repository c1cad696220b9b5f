package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/wire"
)

// A request's body this small is kept, so that the request can be sent again, where no retry middleware says otherwise.
const replayable = 64 << 10

// replay gives each attempt the request's body. A body can be given again while nothing of it has been read, or when it
// is small enough to be kept.
type replay struct {
	body io.ReadCloser
	size int64  // of body; -1: unknown
	kept []byte // the whole of body; nil: not kept

	// wake ends a Read of body that waits for the client, and with it the use of body. An engine for which it fails does
	// not wait either.
	wake func() error

	mu    sync.Mutex
	rests sync.Cond // no Read of body is under way; of mu
	given *once     // to the attempt under way
	begun bool      // a part of body has been read
	err   error     // what reading body ended with, unless that was its end
}

var (
	errBodyRead    = errors.New("reading the request's body")
	errAttemptOver = errors.New("the attempt that the body was for is over")
)

// newReplay keeps the body of a request if it has at most so many bytes. Larger ones, those of unknown length, and
// those that the service is to be asked about first (Expect) stream, once.
func newReplay(w http.ResponseWriter, body io.ReadCloser, length, most int64, expects bool) (*replay, error) {
	p := &replay{body: body, size: length, wake: func() error {
		return http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	}}
	p.rests.L = &p.mu
	if length < 0 || length > most || expects {
		return p, nil
	}
	p.kept = make([]byte, length)
	if _, err := io.ReadFull(body, p.kept); err != nil {
		return nil, errors.Join(errBodyRead, err)
	}
	return p, nil
}

// next gives the body to another attempt.
func (p *replay) next(out *wire.Outgoing) {
	switch {
	case p == nil:
	case p.kept != nil:
		out.Whole = p.kept
	default:
		p.given = &once{of: p, left: p.size}
		out.Body, out.Length = p.given, p.size
	}
}

// streams reports whether the body goes to the service as it comes from the client.
func (p *replay) streams() bool { return p.kept == nil }

// again reports whether the body can be given once more. If so, it takes it away from the attempt before, which may
// still hold it: an http.RoundTripper may close a body after it has returned.
func (p *replay) again() bool {
	if p == nil || p.kept != nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun {
		return false
	}
	if p.given != nil { // nil: no attempt was made yet
		p.given.over = true
	}
	return true
}

// done ends the use of the client's body and of its engine, which are used again once the handler has returned. Who
// sends the body may be about to read or to close it even then.
func (p *replay) done() {
	if p == nil || p.given == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given.over = true
	for p.given.reading && p.wake() == nil {
		p.rests.Wait()
	}
}

// broken returns why the client's body could not be read: then the client is to blame for what became of the attempt.
func (p *replay) broken() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return nil
	}
	return errors.Join(errBodyRead, p.err)
}

// once is a body that streams from the client. Closing it leaves the client's body open for another attempt, if nothing
// of it has been read; the engine closes that when the exchange ends.
type once struct {
	of      *replay
	left    int64 // -1: unknown
	over    bool  // under of.mu, as is reading
	reading bool
}

// Read tells the end with the last byte. Who asked the client's body once more to see the end might ask after the
// answer was begun, when the engine has closed it, and take that for a failure.
func (o *once) Read(b []byte) (int, error) {
	o.of.mu.Lock()
	if o.over {
		o.of.mu.Unlock()
		return 0, errAttemptOver
	}
	o.of.begun, o.reading = true, true
	o.of.mu.Unlock()
	n, err := o.of.body.Read(b)
	if o.left -= int64(n); o.left == 0 && err == nil {
		err = io.EOF
	}
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	o.reading = false
	o.of.rests.Broadcast()
	if err != nil && err != io.EOF && !o.over {
		o.of.err = err
	}
	return n, err
}

// Close says that no more is wanted, also while Read waits: the service has answered, or the attempt has failed. Who
// closes waits for Read to return, which it might not do before the client sends something, or ever.
func (o *once) Close() error {
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	o.over = true
	if o.reading {
		_ = o.of.wake()
	}
	return nil
}

// idempotent reports whether sending a request twice has the effect of sending it once (RFC 9110 §9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
