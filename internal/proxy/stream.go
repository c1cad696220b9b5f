package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/internal/telemetry"
)

// streamAction is what is done with a rule's streams.
type streamAction struct {
	rule       *route.Rule
	gates      []middleware.Gate
	choice     forwarder // of a backend
	transports map[reached]*streamTransport
	broken     bool // what may have guarded the route is not there
}

// streaming is one stream: a connection, or a UDP session.
type streaming struct {
	*telemetry.Exchange
	lane   model.Lane
	hello  stream.Hello
	host   string          // that TLS asked for, in the form that routes have
	client netip.AddrPort  // as far as a balancer in front or a follower is trusted
	local  netip.AddrPort  // what it connected to
	idle   time.Duration   // for how long nothing may pass; 0: no limit, or somebody else looks after it
	ended  <-chan struct{} // closed when the key that carries the stream is revoked; nil where there is none
	log    *slog.Logger
}

func (p *Proxy) newStream(e *EntryPoint, lane model.Lane, client, local net.Addr) *streaming {
	return &streaming{
		Exchange: &telemetry.Exchange{
			Start: time.Now(), Lane: string(lane), Scheme: string(lane), Proto: strings.ToUpper(string(lane)),
			EntryPoint: e.Name, ClientAddr: client.String(),
		},
		lane: lane, client: addrPort(client), local: addrPort(local), log: p.log,
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	ap, _ := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// began notes how the stream begins.
func (s *streaming) began(h stream.Hello) {
	s.hello, s.host = h, strings.TrimSuffix(strings.ToLower(h.ServerName), ".")
	s.Host = h.ServerName
	if h.TLS {
		s.Scheme = "tls"
	}
}

// question is what routes are asked.
func (s *streaming) question(e *EntryPoint) *route.Request {
	return &route.Request{
		Lane: s.lane, EntryPoint: e.Name, Default: e.Default, TLS: s.hello.TLS, Host: s.host, ALPN: s.hello.ALPN,
		ClientIP: s.client.Addr(),
	}
}

// finishStream tells the observers that a stream is over.
func (p *Proxy) finishStream(s *streaming) {
	s.Duration = time.Since(s.Start)
	for _, o := range p.options.Observers {
		o.Served(s.Exchange)
	}
}

// streamsOn says which routes of the lane of TCP there are on an entry point.
type streamsOn struct{ plain, tls bool }

// findStreams says it of every entry point that has some, given the rules of such routes.
func findStreams(rules []*route.Rule, entryPoints []EntryPoint) map[string]streamsOn {
	found := make(map[string]streamsOn)
	for _, rule := range rules {
		for _, name := range entryPointsOf(rule.Route, entryPoints) {
			on := found[name]
			on.tls = on.tls || rule.Route.TLS
			on.plain = on.plain || !rule.Route.TLS
			found[name] = on
		}
	}
	return found
}

// entryPointsOf are those that a route is served on: those that it names, else the default ones.
func entryPointsOf(r *model.Route, all []EntryPoint) (names []string) {
	if len(r.EntryPoints) > 0 {
		return r.EntryPoints
	}
	for i := range all {
		if all[i].Default && !all[i].UDP {
			names = append(names, all[i].Name)
		}
	}
	return names
}

// looks reports whether stream routes may take connections of an entry point.
func (p *Proxy) looks(e *EntryPoint) bool {
	g := p.generation.Load()
	return g != nil && g.streams[e.Name] != (streamsOn{})
}

// take serves a connection that a stream route takes. It returns one that none does, which is then HTTP's: nil when it
// is nobody's.
func (p *Proxy) take(e *EntryPoint, c net.Conn) (http net.Conn) {
	if !p.tunnels.add(c) {
		_ = c.Close()
		return nil
	}
	defer p.tunnels.remove(c)
	s := p.newStream(e, model.LaneTCP, c.RemoteAddr(), c.LocalAddr())
	s.idle = e.StreamIdle
	g := p.generation.Load()
	rule, conn, ours := p.match(g, e, s, c)
	if !ours {
		return conn
	}
	p.count(e.Name, "tcp", 1)
	defer p.count(e.Name, "tcp", -1)
	defer p.finishStream(s)
	defer func() { _ = c.Close() }()
	if rule != nil {
		p.serveStream(g, e, s, conn, rule)
	}
	return nil
}

func (p *Proxy) count(entryPoint, protocol string, change int) {
	if p.options.Connections != nil {
		p.options.Connections(entryPoint, protocol, change)
	}
}

// match looks at how a connection begins, if that makes a difference, and finds its route. It is ours where there is a
// rule, and where HTTP could make nothing of it.
func (p *Proxy) match(g *generation, e *EntryPoint, s *streaming, c net.Conn) (*route.Rule, net.Conn, bool) {
	on := g.streams[e.Name]
	if !on.tls && e.TLS == nil { // then those speak first who want to, also the service
		rule, ok := g.table.Match(s.question(e))
		return rule, c, ok
	}
	hello, conn, err := stream.Sniff(c, on.tls, e.HeaderTimeout)
	s.began(hello)
	if err != nil {
		s.Reason = reasonBadRequest
		s.log.Debug("a connection is not understood", "entryPoint", e.Name, "client", s.ClientAddr, "error", err)
		return nil, nil, true
	}
	rule, ok := g.table.Match(s.question(e))
	if ok && hello.TLS && !hello.Postgres && e.TLS != nil && takesAll(rule.Route) {
		ok = !g.table.Names(model.LaneHTTP, s.host) // as in Traefik: who names the host goes before who takes all
	}
	switch {
	case ok:
		return rule, conn, true
	case hello.Postgres, hello.TLS && e.TLS == nil:
		s.Reason = reasonNoRoute
		return nil, nil, true
	}
	return nil, conn, false
}

// takesAll reports whether the route is for every connection: HostSNI(`*`).
func takesAll(r *model.Route) bool {
	return r.Match.Op == model.Is && r.Match.Test == model.HostSNI && r.Match.Value == "*"
}

// serveStream leads a connection to its service, until both have ended.
func (p *Proxy) serveStream(g *generation, e *EntryPoint, s *streaming, client net.Conn, rule *route.Rule) {
	a := g.actions[rule.Slot]
	s.Route = a.route
	release := a.stream.admit(s)
	defer release()
	if s.Reason != "" {
		return
	}
	if s.hello.TLS && !rule.Route.Passthrough {
		config := g.streamTerms(e, s, rule)
		if config == nil {
			return
		}
		var ok bool
		if client, ok = p.endTLS(s, client, config); !ok {
			return
		}
	}
	if service, ok := p.openStream(a.stream, s); ok {
		p.pump(s, client, service)
	}
}

// pump carries bytes both ways until both sides have ended, or the key is revoked.
func (*Proxy) pump(s *streaming, client net.Conn, service *openedStream) {
	defer s.closeWhenRevoked(client)()
	p := stream.Pump(client, service.conn, stream.Limits{Idle: s.idle, Termination: service.termination})
	s.BytesIn, s.BytesOut = p.FromClient, p.FromService
	if p.Idle {
		s.Reason = reasonIdle
	}
	service.done(nil)
}

// pumpDatagrams is pump for datagrams; idle is for how long nothing may pass until they count as ended.
func (p *Proxy) pumpDatagrams(s *streaming, client net.Conn, service *openedStream, idle time.Duration) {
	defer s.closeWhenRevoked(client)()
	var err error
	s.BytesIn, s.BytesOut, err = stream.PumpDatagrams(client, service.conn, idle, service.answered)
	if err != nil {
		s.Reason = reasonUpstreamError
	}
	service.done(err)
}

// closeWhenRevoked closes the client's connection when the key that carries it is revoked. What it returns ends that.
func (s *streaming) closeWhenRevoked(client net.Conn) (stop func()) {
	if s.ended == nil {
		return func() {}
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-s.ended:
			_ = client.Close()
		case <-over:
		}
	}()
	return func() { close(over) }
}

const handshakeTimeout = 10 * time.Second

// endTLS makes the handshake with the client.
func (p *Proxy) endTLS(s *streaming, client net.Conn, config *tls.Config) (net.Conn, bool) {
	secure := tls.Server(client, config)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		s.Reason = reasonBadRequest
		s.log.Debug("no handshake with the client", "route", s.Route, "client", s.ClientAddr, "error", err)
		return nil, false
	}
	return secure, true
}

// admit lets the middlewares decide. What it returns is called when the stream is over.
func (a *streamAction) admit(s *streaming) (release func()) {
	var held []func()
	release = func() {
		for _, f := range held {
			f()
		}
	}
	if a.broken {
		s.Reason = reasonBadMiddleware
		return release
	}
	for _, gate := range a.gates {
		free, refused := gate(s.client.Addr())
		if refused != "" {
			s.Reason = refused
			return release
		}
		if free != nil {
			held = append(held, free)
		}
	}
	return release
}

// streamAction makes what serves a rule of TCP or UDP.
func (b *builder) streamAction(rule *route.Rule, a *action) {
	s := &streamAction{rule: rule, broken: rule.Broken, transports: make(map[reached]*streamTransport)}
	a.stream = s
	for _, m := range rule.Middlewares {
		gate, err := b.middlewares.Gate(m)
		if err != nil {
			a.problems = append(a.problems, broken(m, err))
			s.broken = true // without it, the route might be open to all
			continue
		}
		s.gates = append(s.gates, gate)
	}
	c := &composer{b, rule, a}
	s.choice = *c.forwarder(rule.Backends, way{})
	for _, used := range a.pools {
		t, err := newStreamTransport(used, b.transports.workload)
		if err != nil {
			a.problems = append(a.problems, used.cannot(err, "connections to the service are refused"))
			continue
		}
		s.transports[used] = t
	}
	a.backends = s.choice.backends
	a.problems = append(a.problems, b.checkCertificates(rule)...)
}

// checkCertificates reports a route that ends TLS where no entry point has a certificate for it.
func (b *builder) checkCertificates(rule *route.Rule) []model.Problem {
	r := rule.Route
	if !r.TLS || r.Passthrough || r.Lane != model.LaneTCP || r.Export.Offered { // a follower may have one
		return nil
	}
	names := entryPointsOf(r, b.entryPoints)
	for i := range b.entryPoints {
		e := &b.entryPoints[i]
		for _, name := range names {
			if e.Name == name && e.TLS != nil {
				return nil
			}
		}
	}
	return []model.Problem{{
		Object: model.Object{Kind: model.KindRoute, Ref: r.Ref()}, Field: "tls", Code: model.InvalidField,
		Message: fmt.Sprintf("none of the entry points %v has a certificate to end TLS with; give one tls.certificates, "+
			"or pass TLS through; its connections are refused", names),
	}}
}
