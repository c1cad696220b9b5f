package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/wire"
)

// Gateway is how requests get into a followed cluster, through its link entry point.
type Gateway struct {
	TLS *tls.Config
	// Key returns the API key for the cluster. It is asked for each request, so that a rotated key is used at once.
	Key func() (string, error)
}

// Link is the entry point of this cluster that followers use: for requests, and (Control) for following.
type Link struct {
	EntryPoint
	// Control serves what is not a forwarded request: /link/v1/….
	Control http.Handler
	// Authorize checks a follower's key for forwarding requests. The channel is closed when the key is revoked. The error
	// is ErrForbidden where the key is right, but not for this; any other says that it is wrong.
	Authorize func(key string) (ended <-chan struct{}, err error)
	// Transit serves routes whose services were themselves learned over links, too.
	Transit bool
}

// ErrForbidden is what Authorize returns for a valid key that may not send requests.
var ErrForbidden = errors.New("the key may not be used for this")

// followers returns the handler of the link entry point.
func (p *Proxy) followers(l *Link) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		service := in.Header.Get(serviceField)
		if service == "" {
			l.Control.ServeHTTP(w, in)
			return
		}
		x := p.exchanges.take(&l.EntryPoint, p.log)
		r := x.begin(w, in)
		defer p.finish(x)
		var err error
		switch x.ended, err = l.Authorize(r.Header.Get(keyField)); {
		case errors.Is(err, ErrForbidden):
			x.refuse(http.StatusForbidden, reasonForbidden)
			return
		case err != nil:
			x.refuse(http.StatusUnauthorized, reasonRefused)
			return
		}
		if isStream(in) {
			p.serveFollowerStream(x, r, l, service)
			return
		}
		p.serveFollower(x, r, l, service)
	})
}

// serveFollower leads a follower's request to the service that the follower means. The request is routed again, by this
// cluster's own order: a follower chooses a service, never which of its routes (and middlewares) applies.
func (p *Proxy) serveFollower(x *exchange, r *http.Request, l *Link, service string) {
	x.believed = r.Header[traceField] != nil
	if client, err := netip.ParseAddrPort(r.Header.Get(clientField)); err == nil {
		r.RemoteAddr = client.String()
	}
	x.client, x.ClientAddr = parseAddr(r.RemoteAddr), r.RemoteAddr
	removeLinkFields(r.Header)
	removeHopByHop(r.Header)
	if !admit(x, r) || isFinal(x, r) {
		return
	}
	setForwarded(r, x.client)
	g := p.generation.Load()
	if g == nil {
		x.refuse(http.StatusServiceUnavailable, reasonNoHealthyHost)
		return
	}
	rule, ok := g.table.MatchExported(&route.Request{
		TLS:    saysTLS(r.Header), // of the client; the link itself always is
		Method: r.Method, Host: hostname(r.Host), Path: r.URL.Path, Header: r.Header, RawQuery: r.URL.RawQuery,
		ClientIP: x.client,
	})
	if !ok && !g.whole {
		x.refuse(http.StatusServiceUnavailable, reasonNoHealthyHost)
		return
	}
	if !ok || rule.Route.ExportedAs().String() != service || !l.Transit && !runsHere(rule) {
		x.refuse(http.StatusMisdirectedRequest, reasonNotExported)
		return
	}
	if status, reason := g.refusal(x.ctx, "", "", rule); status != 0 {
		x.refuse(status, reason)
		return
	}
	g.serve(x, r, rule)
}

// runsHere reports whether a rule leads to anything but services of followed clusters. If those were served to
// followers, two instances that follow each other would hand requests to and fro.
func runsHere(rule *route.Rule) bool {
	return len(rule.Backends) == 0 || slices.ContainsFunc(rule.Backends, func(b route.Backend) bool {
		return !b.Services(func(s *model.Service, _ *model.Transport) bool { return s.Source.Kind() == model.LinkKind })
	})
}

// dialer holds the transports to gateways. They live as long as the proxy, so connections outlive generations.
type dialer struct{ gateways map[string]openGateway }

type openGateway struct {
	Gateway
	transport *wire.Transport
}

func openGateways(gateways map[string]Gateway, poison bool) map[string]openGateway {
	open := make(map[string]openGateway, len(gateways))
	for name, g := range gateways {
		open[name] = openGateway{g, newGatewayTransport(g.TLS, poison)}
	}
	return open
}

// gateway makes a delivery one to a cluster's gateway, for a service that the cluster exports, and returns what sends
// it.
func (d *dialer) gateway(cluster string, to *delivery) (transport, error) {
	g, ok := d.gateways[cluster]
	if !ok {
		return nil, fmt.Errorf("cluster %s is not followed", cluster)
	}
	key, err := g.Key()
	if err != nil {
		return nil, fmt.Errorf("reading the key for cluster %s: %w", cluster, err)
	}
	to.set = append(to.set, wire.Field{Key: keyField, Value: key}, wire.Field{Key: serviceField, Value: to.backend.name},
		wire.Field{Key: clientField, Value: to.x.ClientAddr})
	if x := to.x; x.Trace != nil || x.believed {
		to.set = append(to.set, wire.Field{Key: traceField, Value: "1"})
	}
	to.out.Set, to.out.Secure = to.set, true
	return g.transport, nil
}

// closeIdle closes the connections that no request uses.
func (d *dialer) closeIdle() {
	for _, g := range d.gateways {
		g.transport.CloseIdleConnections()
	}
}
