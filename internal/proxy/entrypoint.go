package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/fairlead/fairlead/internal/model"
)

// EntryPoint is an address that requests are accepted on. Zero durations and numbers mean no limit, unless said
// otherwise.
type EntryPoint struct {
	Name    string
	Address string // host:port; port 0 picks a free one
	// UDP accepts datagrams, not connections.
	UDP bool
	// SessionTimeout is for how long nothing may pass either way until a UDP session ends; 0: 3 s.
	SessionTimeout time.Duration
	// StreamIdle is for how long nothing may pass either way until a stream of TCP is cut.
	StreamIdle time.Duration
	// Default serves the routes that name no entry point.
	Default bool
	// TLS makes it speak TLS. Nil: plain text.
	TLS *tls.Config
	// Certified reports whether there is a certificate for a name, the default ones aside. Nil: there is for all.
	Certified func(name string) bool
	// HTTP3 makes it speak HTTP/3, too; it needs TLS. Nil: it does not.
	HTTP3 *HTTP3

	HeaderTimeout time.Duration // until a request's head is complete
	ReadTimeout   time.Duration // until a request is complete
	WriteTimeout  time.Duration // until its answer is complete
	IdleTimeout   time.Duration // between requests on a connection

	HeaderBytes          int // a request's head; 0: 1 MiB
	Headers              int // fields of a request
	Connections          int
	ConnectionsPerClient int // of one address, or one /64 of IPv6; those of ProxyProtocol and Trusted are not clients
	MaxConcurrentStreams int // of one HTTP/2 or HTTP/3 connection; 0: 250
	// StallTimeout is how long a client may take nothing of an answer.
	StallTimeout time.Duration

	// ProxyProtocol are the load balancers that begin each connection with a PROXY protocol header, v1 or v2. Connections
	// of others that do so are refused.
	ProxyProtocol []netip.Prefix
	// Trusted are the proxies in front whose forwarding fields are believed; TrustAll believes everybody's.
	Trusted  []netip.Prefix
	TrustAll bool
	// Forwarded sends Forwarded (RFC 7239) to services, and believes it, too, where those in front are trusted.
	Forwarded bool
	Via       Via
	// Observability says what is told of the requests whose routes do not say it.
	Observability model.Observability

	// AcceptGrace is how long connections are still accepted after the stop was asked for, so that load balancers notice.
	AcceptGrace time.Duration
	// DrainGrace bounds the wait for requests under way.
	DrainGrace time.Duration
}

// listener is an entry point that is open.
type listener struct {
	options EntryPoint
	net     net.Listener
	engine  engine
	tunnels *tunnels
	log     *slog.Logger
}

// open listens on the entry point's address. What is accepted goes through divided before TLS.
func open(
	o EntryPoint, handler http.Handler, tunnels *tunnels, divided func(net.Listener) net.Listener, connections counter,
	log *slog.Logger,
) (*listener, error) {
	l, packets, err := listenBoth(o)
	if err != nil {
		return nil, fmt.Errorf("opening entry point %s: %w", o.Name, err)
	}
	if o.HeaderBytes == 0 {
		o.HeaderBytes = http.DefaultMaxHeaderBytes
	}
	log = log.With("entryPoint", o.Name)
	limits := newConnectionLimits(&o, o.Connections, log)
	l = limitConnections(l, limits)
	if len(o.ProxyProtocol) > 0 {
		l = acceptProxyProtocol(l, trust{ranges: o.ProxyProtocol}, o.HeaderTimeout)
	}
	l = divided(l)
	if o.TLS != nil {
		l = tls.NewListener(shakingListener{l}, o.TLS)
	}
	if packets == nil {
		return &listener{o, l, newEngine(o, handler, connections, log), tunnels, log}, nil
	}
	udp, err := newHTTP3Engine(o, packets, handler, limits, connections("http3"), log)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	tcp := newEngine(o, advertiseHTTP3(handler, o, packets.LocalAddr()), connections, log)
	return &listener{o, l, &withHTTP3{tcp, udp}, tunnels, log}, nil
}

// run serves until ctx is done, then drains: requests under way may finish, within the grace.
func (l *listener) run(ctx context.Context) error {
	l.log.Info("entry point open", "address", l.net.Addr().String(), "tls", l.options.TLS != nil,
		"http3", l.options.HTTP3 != nil)
	served := make(chan error, 1)
	go func() { served <- l.engine.Serve(l.net) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving entry point %s: %w", l.options.Name, err)
	case <-ctx.Done():
	}
	if l.options.AcceptGrace > 0 {
		time.Sleep(l.options.AcceptGrace)
	}
	grace, cancel := context.WithTimeout(context.Background(), l.options.DrainGrace)
	defer cancel()
	err := l.engine.Shutdown(grace)
	l.tunnels.drain(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		l.log.Warn("requests were still under way when the grace ended", "grace", l.options.DrainGrace)
		err = l.engine.Close()
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// acceptProxyProtocol reads the PROXY protocol header (v1, v2) that trusted load balancers begin a connection with, so
// that the connection's remote address is the client's.
func acceptProxyProtocol(l net.Listener, trusted trust, timeout time.Duration) net.Listener {
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: timeout,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if trusted.includes(parseAddr(o.Upstream.String())) {
				return proxyproto.USE, nil
			}
			return proxyproto.REJECT, nil
		},
	}
}
