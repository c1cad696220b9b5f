package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
)

// shaken is what a connection remembers of its handshake: the options that it was made with; nil: the entry point's
// own.
type shaken struct {
	options atomic.Pointer[model.TLSOptions]
}

// shakenKey is where the contexts of handshakes and requests hold it.
type shakenKey struct{}

// shakenWith returns what the connection of a request was made with; nil also where there was no handshake here.
func shakenWith(ctx context.Context) *model.TLSOptions {
	if s, ok := ctx.Value(shakenKey{}).(*shaken); ok {
		return s.options.Load()
	}
	return nil
}

// shakingConn is a connection below TLS.
type shakingConn struct {
	net.Conn
	shaken shaken
}

// Unwrap lets the engines reach the connection below.
func (c *shakingConn) Unwrap() net.Conn { return c.Conn }

// Value is what the contexts of the connection's requests know besides their own.
func (c *shakingConn) Value(key any) any {
	if key == (shakenKey{}) {
		return &c.shaken
	}
	return nil
}

// shakingListener makes the connections below TLS.
type shakingListener struct{ net.Listener }

// Accept is part of net.Listener.
func (l shakingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &shakingConn{Conn: c}, nil
}

var errNoSuchName = errors.New("no certificate is for the name that the client asks for, and its options want one")

// negotiated returns the TLS side of an entry point that makes each connection on the newest generation's terms.
func (p *Proxy) negotiated(e *EntryPoint) *tls.Config {
	config := e.TLS.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		g := p.generation.Load()
		if g == nil {
			return nil, nil // what follows is answered 503
		}
		at := g.terms.points[e.Name]
		o := at.of(hostname(hello.ServerName))
		if o == nil {
			return nil, nil
		}
		if o.StrictNames && !e.certifies(hello.ServerName) {
			return nil, errNoSuchName
		}
		var s *shaken
		if c, ok := hello.Conn.(*shakingConn); ok {
			s = &c.shaken
		} else {
			s, _ = hello.Context().Value(shakenKey{}).(*shaken) // of QUIC
		}
		if config := at.configs[o]; config != nil && s != nil {
			s.options.Store(o)
			return config, nil
		}
		return nil, nil // they are broken: see refusal
	}
	return config
}

func (e *EntryPoint) certifies(name string) bool { return e.Certified == nil || e.Certified(name) }

// refusal returns why a request may not be served on the terms that its connection was made on; 0: it may. Of a request
// that did not come over TLS to a clients' entry point, point is "".
func (g *generation) refusal(ctx context.Context, point, host string, rule *route.Rule) (status int, reason string) {
	if at := g.terms.at(point); at != nil && !at.plain() {
		switch need := at.of(host); {
		case need != nil && at.configs[need] == nil:
			return http.StatusServiceUnavailable, reasonBadTLSOptions
		case !need.AdmitsAs(shakenWith(ctx)):
			return http.StatusMisdirectedRequest, reasonMisdirected
		}
	}
	if rule == nil || rule.Route.TLSOptions == (model.Ref{}) {
		return 0, ""
	}
	switch o := g.terms.named[rule]; {
	case o == nil || o.Broken:
		return http.StatusServiceUnavailable, reasonBadTLSOptions
	case o.Guards() && !o.AdmitsAs(shakenWith(ctx)):
		return http.StatusMisdirectedRequest, reasonMisdirected
	}
	return 0, ""
}

// plain reports whether all hosts have the entry point's own terms.
func (t *pointTerms) plain() bool {
	return t.standard == nil && len(t.exact) == 0 && len(t.wildcard) == 0
}

// streamTerms returns the TLS side of an entry point for the streams of a rule, which names its own terms: it was found
// by the name that the client asks for. Nil: it cannot be ended here.
func (g *generation) streamTerms(e *EntryPoint, s *streaming, rule *route.Rule) *tls.Config {
	at := g.terms.points[e.Name]
	if at == nil {
		s.Reason = reasonNoCertificate
		return nil
	}
	o, named := g.terms.named[rule]
	if !named {
		o = at.standard
	}
	config := e.TLS
	switch {
	case o == nil && !named:
	case o == nil || at.configs[o] == nil:
		s.Reason = reasonBadTLSOptions
		return nil
	case o.StrictNames && !e.certifies(s.hello.ServerName):
		s.Reason = reasonNoCertificate
		return nil
	default:
		config = at.configs[o]
	}
	if o != nil && len(o.Protocols) > 0 {
		return config
	}
	// HTTP's protocols are not what is spoken here. A client that offers only one means it; others are not answered, as by
	// a server that knows nothing of ALPN.
	config = config.Clone()
	if config.NextProtos = nil; len(s.hello.ALPN) == 1 {
		config.NextProtos = s.hello.ALPN
	}
	return config
}
