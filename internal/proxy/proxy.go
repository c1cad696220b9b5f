package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead/fairlead/internal/cert"
	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/telemetry"
	"github.com/fairlead/fairlead/internal/upstream"
)

// Options say what a Proxy is made of.
type Options struct {
	EntryPoints []EntryPoint
	// Link is the entry point on which followers send requests. Nil: none.
	Link *Link
	// Gateways are the followed clusters, by name.
	Gateways map[string]Gateway
	// Hosts is the live state of addresses. Whoever made it runs it.
	Hosts *upstream.Hosts
	// Middlewares makes the rules' middlewares.
	Middlewares *middleware.Set
	// Certificates get those that snapshots bring; entry points show them. Nil: nobody does.
	Certificates *cert.Keyring
	// Workload is who the instance is by SPIFFE. Nil: nobody.
	Workload  model.Workload
	Observers []Observer
	// Traces is what gives requests their places in traces. Nil: nothing is traced.
	Traces *telemetry.Traces
	// Connections is told of each connection that clients open (1) or close (-1), and what it speaks: "http1", "http2" or
	// "http3". Nil: nobody is told.
	Connections func(entryPoint, protocol string, change int)
	Log         *slog.Logger
	// Poison spoils what handlers had, once they have returned, and never uses it again. It is for tests.
	Poison bool
}

// Observer sees each exchange when it is over. It must not keep it.
type Observer interface {
	Served(x *telemetry.Exchange)
}

// Proxy serves requests from the newest generation.
type Proxy struct {
	options    Options
	generation atomic.Pointer[generation]
	exchanges  exchanges
	builder    *builder
	tunnels    *tunnels
	copies     *copies
	listeners  []*listener
	datagrams  []*datagramPoint
	log        *slog.Logger
}

// New opens the entry points; those without an address only exist in name, for explaining and checking. They serve from
// [Proxy.Run] on.
func New(o Options) (*Proxy, error) {
	p := &Proxy{options: o, exchanges: exchanges{poison: o.Poison, traces: o.Traces}, tunnels: newTunnels(), log: o.Log}
	p.copies = newCopies(&p.exchanges)
	p.builder = newBuilder(o, p.tunnels, p.copies)
	for i := range o.EntryPoints {
		e := &o.EntryPoints[i]
		if e.Address == "" {
			continue
		}
		if err := p.openClients(e); err != nil {
			p.Close()
			return nil, err
		}
	}
	if o.Link != nil {
		asTold := func(e *EntryPoint) *tls.Config { return e.TLS }
		if err := p.open(o.Link.EntryPoint, p.followers(o.Link), asTold); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

// openClients opens an entry point that clients reach.
func (p *Proxy) openClients(e *EntryPoint) error {
	if !e.UDP {
		return p.open(*e, p.clients(*e), p.negotiated)
	}
	d, err := p.openDatagrams(e)
	if err == nil {
		p.datagrams = append(p.datagrams, d)
	}
	return err
}

// open opens an entry point. What begins TLS for HTTP does so as secured says; streams have terms of their own.
func (p *Proxy) open(e EntryPoint, handler http.Handler, secured func(*EntryPoint) *tls.Config) error {
	divided := func(l net.Listener) net.Listener {
		return divide(l, func() bool { return p.looks(&e) }, func(c net.Conn) net.Conn { return p.take(&e, c) })
	}
	counter := func(protocol string) func(int) {
		return func(change int) { p.count(e.Name, protocol, change) }
	}
	http := e
	if e.TLS != nil {
		http.TLS = secured(&e)
	}
	l, err := open(http, handler, p.tunnels, divided, counter, p.log)
	if err == nil {
		p.listeners = append(p.listeners, l)
	}
	return err
}

// Close closes the entry points of a proxy that was never run.
func (p *Proxy) Close() {
	p.copies.end()
	for _, l := range p.listeners {
		_ = l.net.Close()
		_ = l.engine.Close()
	}
	for _, d := range p.datagrams {
		_ = d.conn.Close()
	}
}

// Addr returns the address that an entry point is open on; nil where there is none of that name.
func (p *Proxy) Addr(entryPoint string) net.Addr {
	i := slices.IndexFunc(p.listeners, func(l *listener) bool { return l.options.Name == entryPoint })
	if i >= 0 {
		return p.listeners[i].net.Addr()
	}
	for _, d := range p.datagrams {
		if d.options.Name == entryPoint {
			return d.conn.LocalAddr()
		}
	}
	return nil
}

// Run serves until ctx is done, then drains the entry points. Before the first Apply every answer is 503.
func (p *Proxy) Run(ctx context.Context) error {
	group, serving := errgroup.WithContext(ctx)
	for _, l := range p.listeners {
		// One for each entry point, until it is drained. One lost is all lost: better restarted than half there.
		group.Go(func() error { return l.run(serving) })
	}
	for _, d := range p.datagrams {
		group.Go(func() error { return d.run(serving) }) // likewise
	}
	defer p.builder.closeIdle()
	defer p.copies.end()
	return group.Wait()
}

// Kill cuts every connection at once, as the loss of the machine would. Run then returns an error.
func (p *Proxy) Kill() {
	for _, l := range p.listeners {
		_ = l.engine.Close()
	}
	for _, d := range p.datagrams {
		_ = d.conn.Close()
	}
	p.tunnels.cut()
}

// Apply makes a snapshot the one that new requests are served from. It is whole when every source has said what it has;
// before, a request that no route accepts is answered 503, not 404. Only one goroutine may call Apply.
func (p *Proxy) Apply(snapshot *model.Snapshot, whole bool) {
	if p.options.Certificates != nil {
		p.options.Certificates.Set(snapshot.Certificates)
	}
	p.generation.Store(p.builder.next(snapshot, whole))
}
