package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/wire"
)

// transport is what sends requests to services.
type transport interface {
	Send(*wire.Outgoing) (*wire.Answer, error)
	CloseIdleConnections()
}

// transports are the ways to endpoints: one for each protocol and definition that the newest generation uses, so that
// connections outlive generations, and those of different definitions are never mixed up.
type transports struct {
	poison   bool // see wire.TransportOptions
	workload model.Workload

	mu   sync.Mutex
	open []*sharedTransport
}

// sharedTransport is what all services use that are reached alike.
type sharedTransport struct {
	transport
	protocol model.Protocol
	spec     *model.Transport
	uses     int
}

// reached is a service and how its endpoints are reached; nil: as by default.
type reached struct {
	service *model.Service
	by      *model.Transport
}

// cannot says that it is not reached, and what becomes of those who want to.
func (r reached) cannot(err error, effect string) model.Problem {
	return model.Problem{
		Object: model.Object{Kind: model.KindService, Ref: r.service.Ref()},
		Field:  "loadBalancer.serversTransport", Code: model.InvalidField, Message: fmt.Sprintf("%v; %s", err, effect),
	}
}

// use returns the transport of a service, which one more pool uses.
func (t *transports) use(s reached) *sharedTransport {
	t.mu.Lock()
	defer t.mu.Unlock()
	protocol := cmp.Or(s.service.Protocol, model.HTTP)
	i := slices.IndexFunc(t.open, func(o *sharedTransport) bool {
		return o.protocol == protocol && (o.spec == s.by || reflect.DeepEqual(o.spec, s.by))
	})
	if i < 0 {
		i = len(t.open)
		t.open = append(t.open, &sharedTransport{t.make(protocol, s.by), protocol, s.by, 0})
	}
	t.open[i].uses++
	return t.open[i]
}

// release gives back a transport. Requests that are under way keep it, and their connections, until they are over.
func (t *transports) release(s *sharedTransport) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.uses--; s.uses == 0 && s.spec != nil { // the default will be wanted again
		t.open = slices.DeleteFunc(t.open, func(o *sharedTransport) bool { return o == s })
		s.CloseIdleConnections()
	}
}

// closeIdle closes the connections that no request uses.
func (t *transports) closeIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.open {
		s.CloseIdleConnections()
	}
}

// make returns what speaks protocol in the way that spec says; nil: the default.
func (t *transports) make(protocol model.Protocol, spec *model.Transport) transport {
	o := *cmp.Or(spec, new(model.Transport))
	o.DialTimeout = cmp.Or(o.DialTimeout, endpointDialTimeout)
	switch protocol {
	case model.H2C:
		return &standard{newHTTP2Transport(o, (*http.Protocols).SetUnencryptedHTTP2)}
	case model.HTTPS:
		identity, err := o.TLS.Config(t.workload)
		if err != nil {
			return lostTransport{err}
		}
		first := newHTTP1Transport(o, identity, t.poison)
		if o.HTTP1Only {
			return first
		}
		return newEitherTransport(o, identity, first)
	default:
		return newHTTP1Transport(o, nil, t.poison)
	}
}

// lostTransport is one that cannot be made.
type lostTransport struct{ err error }

func (t lostTransport) Send(*wire.Outgoing) (*wire.Answer, error) { return nil, t.err }
func (lostTransport) CloseIdleConnections()                       {}

// newGatewayTransport returns what reaches gateways; identity is who we are and whom we trust.
func newGatewayTransport(identity *tls.Config, poison bool) *wire.Transport {
	return newHTTP1Transport(model.Transport{DialTimeout: gatewayDialTimeout}, identity, poison)
}

func newHTTP1Transport(o model.Transport, identity *tls.Config, poison bool) *wire.Transport {
	return wire.NewTransport(wire.TransportOptions{
		TLS: identity, DialTimeout: o.DialTimeout, HandshakeTimeout: o.DialTimeout, DialContext: newDialer(o).DialContext,
		IdlePerHost: o.IdleConnsPerHost, IdleTimeout: o.IdleTimeout,
		ConnsPerHost: o.ConnsPerHost, QueuePerHost: o.QueuePerHost, Poison: poison,
	})
}

func newDialer(o model.Transport) *net.Dialer {
	return &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second}
}

// newHTTP2Transport returns net/http's.
func newHTTP2Transport(o model.Transport, speak func(*http.Protocols, bool)) *http.Transport {
	protocols := new(http.Protocols)
	speak(protocols, true)
	return &http.Transport{
		DialContext: newDialer(o).DialContext, Protocols: protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: o.PingAfter, PingTimeout: o.PingTimeout},
		DisableCompression:     true, // bodies pass as they are
		MaxIdleConnsPerHost:    cmp.Or(o.IdleConnsPerHost, 256),
		IdleConnTimeout:        cmp.Or(o.IdleTimeout, 90*time.Second),
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// eitherTransport speaks HTTP/2 over TLS to endpoints that take it, and HTTP/1.1 to all others. Which is which shows
// when the first connection is made; then it is remembered.
type eitherTransport struct {
	first  *wire.Transport
	second *standard
	dialer *net.Dialer
	tls    *tls.Config
	old    sync.Map // host and port of those that speak HTTP/1.1 only
}

// errOnlyHTTP1 is for an endpoint that does not take HTTP/2.
var errOnlyHTTP1 = errors.New("the endpoint speaks HTTP/1.1 only")

func newEitherTransport(o model.Transport, identity *tls.Config, first *wire.Transport) *eitherTransport {
	t := &eitherTransport{
		first: first, second: &standard{newHTTP2Transport(o, (*http.Protocols).SetHTTP2)},
		dialer: newDialer(o), tls: identity.Clone(),
	}
	t.tls.NextProtos = []string{"h2", "http/1.1"}
	t.second.DialTLSContext = t.dial
	return t
}

// Send is part of transport.
func (t *eitherTransport) Send(o *wire.Outgoing) (*wire.Answer, error) {
	_, old := t.old.Load(o.Address)
	if !old && !slices.ContainsFunc(o.Set, func(f wire.Field) bool { return f.Key == "Upgrade" }) {
		answer, err := t.second.Send(o)
		if !errors.Is(err, errOnlyHTTP1) {
			return answer, err
		}
		t.old.Store(o.Address, struct{}{}) // nothing was sent yet, and nothing of the body was read
	}
	answer, err := t.first.Send(o)
	if op, ok := errors.AsType[*net.OpError](err); old && ok && op.Op == "dial" {
		t.old.Delete(o.Address) // who comes back may speak something else
	}
	return answer, err
}

// CloseIdleConnections is part of transport.
func (t *eitherTransport) CloseIdleConnections() {
	t.first.CloseIdleConnections()
	t.second.CloseIdleConnections()
}

// dial opens a connection that speaks HTTP/2.
func (t *eitherTransport) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.dialer.Timeout)
	defer cancel()
	conn, err := t.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	identity := t.tls
	if identity.ServerName == "" {
		identity = identity.Clone()
		identity.ServerName, _, _ = net.SplitHostPort(address)
	}
	secure := tls.Client(conn, identity)
	if err = secure.HandshakeContext(ctx); err == nil && secure.ConnectionState().NegotiatedProtocol != "h2" {
		err = errOnlyHTTP1
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}
