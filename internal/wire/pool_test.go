package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// piped is a service behind net.Pipe, for virtual time. It answers each request when it may.
type piped struct {
	opened, closed atomic.Int32
	may            chan struct{} // nil: at once
}

func (p *piped) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.opened.Add(1)
	go func() {
		defer p.closed.Add(1)
		in := bufio.NewReader(theirs)
		for request(in) != nil {
			if p.may != nil {
				<-p.may
			}
			_, _ = io.WriteString(theirs, okay)
		}
	}()
	return ours, nil
}

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(piped)
		rt := NewTransport(TransportOptions{DialContext: s.dial, IdleTimeout: time.Minute})
		for range 3 {
			if o := send(rt, newRequest(t.Context(), t, "GET", "h.test", "")); o.Body != "ok" {
				t.Fatalf("%+v", o)
			}
			time.Sleep(50 * time.Second)
		}
		if s.opened.Load() != 1 || s.closed.Load() != 0 {
			t.Errorf("opened %d, closed %d", s.opened.Load(), s.closed.Load())
		}
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if s.closed.Load() != 1 {
			t.Error("still open")
		}
		wantEmpty(t, rt)
	})
}

// wantEmpty: a host is forgotten with its last connection.
func wantEmpty(t *testing.T, rt *Transport) {
	t.Helper()
	for i := range rt.pools.shards {
		s := &rt.pools.shards[i]
		s.mu.Lock()
		if len(s.hosts) > 0 {
			t.Errorf("%d hosts are remembered", len(s.hosts))
		}
		s.mu.Unlock()
	}
}

func TestIdleLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &piped{may: make(chan struct{})}
		rt := NewTransport(TransportOptions{DialContext: s.dial, IdlePerHost: 2})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { send(rt, newRequest(t.Context(), t, "GET", "h.test", "")) })
		}
		close(s.may)
		all.Wait()
		synctest.Wait()
		if open := s.opened.Load() - s.closed.Load(); open > 2 {
			t.Errorf("%d connections are kept", open)
		}
		rt.CloseIdleConnections()
		synctest.Wait()
		if s.opened.Load() != s.closed.Load() {
			t.Error("still open")
		}
		wantEmpty(t, rt)
	})
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &piped{may: make(chan struct{})}
		rt := NewTransport(TransportOptions{DialContext: s.dial, ConnsPerHost: 1, QueuePerHost: 2})
		outcomes := make(chan outcome, 3)
		start := func(ctx context.Context) {
			go func() { outcomes <- send(rt, newRequest(ctx, t, "GET", "h.test", "")) }()
			synctest.Wait()
		}
		start(t.Context()) // has the connection
		ctx, cancel := context.WithCancelCause(t.Context())
		start(ctx)         // waits
		start(t.Context()) // waits
		_, err := rt.RoundTrip(newRequest(t.Context(), t, "GET", "h.test", ""))
		if !errors.Is(err, ErrBusy) {
			t.Errorf("the queue takes one more: %v", err)
		}
		cancel(errStopped)
		if o := <-outcomes; !o.Refused {
			t.Errorf("%+v", o)
		}
		close(s.may)
		for range 2 {
			if o := <-outcomes; o.Body != "ok" {
				t.Errorf("%+v", o)
			}
		}
		if s.opened.Load() != 1 {
			t.Errorf("%d connections", s.opened.Load())
		}
		rt.CloseIdleConnections()
		wantEmpty(t, rt)
	})
}

// TestQueueAfterFailure: the place of a connection that could not be made goes to the next in the queue.
func TestQueueAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(piped)
		fail := make(chan error)
		rt := NewTransport(TransportOptions{ConnsPerHost: 1, QueuePerHost: 1,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if err := <-fail; err != nil {
					return nil, err
				}
				return s.dial(ctx, network, address)
			}})
		outcomes := make(chan outcome, 2)
		for range 2 {
			go func() { outcomes <- send(rt, newRequest(t.Context(), t, "GET", "h.test", "")) }()
			synctest.Wait()
		}
		fail <- io.ErrUnexpectedEOF
		if o := <-outcomes; !o.Refused {
			t.Errorf("%+v", o)
		}
		fail <- nil
		if o := <-outcomes; o.Body != "ok" {
			t.Errorf("%+v", o)
		}
		rt.CloseIdleConnections()
		wantEmpty(t, rt)
	})
}

// TestManyAtOnce has a lot of requests share a few connections, and give all of them back.
func TestManyAtOnce(t *testing.T) {
	address, connections := answering(t, okay, false)
	rt := newTestTransport(t, TransportOptions{ConnsPerHost: 4, QueuePerHost: 100})
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%4 == 0 {
					go cancel()
				}
				o := send(rt, newRequest(ctx, t, http.MethodGet, address, ""))
				if i%4 > 0 && o.Body != "ok" {
					t.Errorf("%+v", o)
				}
				cancel()
			}
		})
	}
	all.Wait()
	rt.CloseIdleConnections()
	wantEmpty(t, rt)
	if connections() == 0 {
		t.Error("no connections")
	}
}
