package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/fairlead/fairlead/internal/wire"
)

// HTTP3 makes an entry point serve HTTP/3, too: on the same address and port, over UDP.
type HTTP3 struct {
	// AdvertisedPort is the port that clients are told to come to; 0: the entry point's own. They differ where something
	// in front of the entry point translates ports.
	AdvertisedPort int
	// ZeroRTT lets clients that were here before send safe requests with their first packet. Whoever records such a
	// packet can send it again, so these requests are marked (Early-Data, RFC 8470), and all others are refused.
	ZeroRTT bool
}

const (
	// unprovenHandshakes is how many handshakes may be under way before new clients must first prove that they receive
	// what is sent to the address that they give (Retry, RFC 9000 §8.1.2). It costs them a round trip, and bounds
	// what can be done in others' names.
	unprovenHandshakes = 32
	// deadAfter is the least time after which a connection is closed that nothing at all comes from. Clients that wait
	// for a slow answer say so now and then (RFC 9114 §5.1).
	deadAfter = 30 * time.Second
	// farewell is how long a connection that has no request any more is kept in a drain: what was sent last may have to
	// be sent again, and requests that were on their way when the drain began are turned away in order.
	farewell = time.Second

	// What a connection and a stream may have sent without it having been read.
	connectionWindow = 4 << 20
	streamWindow     = 1 << 20
)

// http3Engine serves HTTP/3 on one entry point. QUIC and HTTP/3 are quic-go's; this is what the entry point adds:
// limits on connections, timeouts, and an end.
type http3Engine struct {
	handler    http.Handler
	idle       time.Duration // without a request on a connection; 0: no limit
	read       time.Duration // until a request is complete; 0: no limit
	write      time.Duration // until an answer is complete; 0: no limit
	stall      time.Duration // for a client to take some of an answer; 0: no limit
	requests   int           // under way on one connection, at the most
	limits     *connectionLimits
	unproven   int64
	handshakes atomic.Int64 // under way
	count      func(int)    // is told of each connection that opens (1) or closes (-1)

	packets   net.PacketConn
	transport *quic.Transport
	listener  http3.QUICListener
	server    http3.Server
	accepting context.Context
	stop      context.CancelFunc
	end       func() error // closes what is below the server, once
	serving   atomic.Bool
	served    chan struct{} // closed when serve has returned

	mu       sync.Mutex
	conns    map[*http3Conn]struct{}
	draining bool
}

// newHTTP3Engine listens on packets.
func newHTTP3Engine(
	o EntryPoint, packets net.PacketConn, handler http.Handler, limits *connectionLimits, count func(int),
	log *slog.Logger,
) (*http3Engine, error) {
	streams := cmp.Or(o.MaxConcurrentStreams, 250)
	e := &http3Engine{
		handler: handler, read: o.ReadTimeout, write: o.WriteTimeout, stall: o.StallTimeout,
		idle:     cmp.Or(o.IdleTimeout, o.ReadTimeout),
		requests: 2 * streams, limits: limits, unproven: unprovenHandshakes, count: count,
		packets: packets, served: make(chan struct{}), conns: make(map[*http3Conn]struct{}),
	}
	if o.ConnectionsPerClient > 0 { // or others could use up a client's connections in its name
		e.unproven = min(e.unproven, int64(o.ConnectionsPerClient/2))
	}
	e.accepting, e.stop = context.WithCancel(context.Background())
	e.server = http3.Server{Handler: e, MaxHeaderBytes: o.HeaderBytes, Logger: log}
	e.transport = &quic.Transport{
		Conn: packets, ConnContext: e.admit,
		VerifySourceAddress: func(net.Addr) bool { return e.handshakes.Load() >= e.unproven },
	}
	e.end = sync.OnceValue(func() error { return errors.Join(e.transport.Close(), e.packets.Close()) })
	settings, identity := quicSettings(o, streams), http3.ConfigureTLSConfig(o.TLS)
	var err error
	if settings.Allow0RTT {
		e.listener, err = e.transport.ListenEarly(identity, settings)
	} else {
		e.listener, err = e.transport.Listen(identity, settings)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening HTTP/3 on entry point %s: %w", o.Name, err), e.end())
	}
	return e, nil
}

func quicSettings(o EntryPoint, streams int) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:       o.HeaderTimeout,
		MaxIdleTimeout:             max(cmp.Or(o.IdleTimeout, o.ReadTimeout, 3*time.Minute), deadAfter),
		MaxIncomingStreams:         int64(streams),
		MaxIncomingUniStreams:      8, // three are used (RFC 9114 §6.2); the others are for extensions that we drop
		MaxStreamReceiveWindow:     streamWindow,
		MaxConnectionReceiveWindow: connectionWindow,
		Allow0RTT:                  o.HTTP3.ZeroRTT,
	}
}

// serve accepts connections until Shutdown or Close, and returns http.ErrServerClosed then.
func (e *http3Engine) serve() error {
	e.serving.Store(true)
	defer close(e.served)
	return e.server.ServeListener(e)
}

// Accept is part of http3.QUICListener.
func (e *http3Engine) Accept(context.Context) (*quic.Conn, error) {
	for {
		conn, err := e.listener.Accept(e.accepting)
		switch {
		case e.accepting.Err() != nil:
			return nil, quic.ErrServerClosed
		case err != nil:
			return nil, err
		case http3ConnOf(conn.Context()).open(conn):
			return conn, nil
		}
	}
}

// Addr is part of http3.QUICListener.
func (e *http3Engine) Addr() net.Addr { return e.listener.Addr() }

// Shutdown lets requests under way finish, and waits for them until ctx is done.
func (e *http3Engine) Shutdown(ctx context.Context) error {
	e.refuseConnections()
	e.mu.Lock()
	e.draining = true
	for c := range e.conns {
		c.rest(farewell)
	}
	e.mu.Unlock()
	err := e.server.Shutdown(ctx) // tells the clients, too
	if errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errors.Join(err, e.end())
}

// Close cuts all connections.
func (e *http3Engine) Close() error {
	e.refuseConnections()
	return errors.Join(e.server.Close(), e.end())
}

// refuseConnections ends accepting, before the server is told to end: it takes no connection that it does not expect.
// New clients are told (admit), and so are those whose handshake was under way.
func (e *http3Engine) refuseConnections() {
	e.stop()
	if e.serving.Load() {
		<-e.served
	}
	go func() {
		for {
			conn, err := e.listener.Accept(context.Background())
			if err != nil { // it is closed
				return
			}
			_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "shutting down")
		}
	}()
}

// withHTTP3 serves an entry point over TCP and UDP.
type withHTTP3 struct {
	tcp engine
	udp *http3Engine
}

func (w *withHTTP3) Serve(l net.Listener) error {
	ended := make(chan error, 2)
	go func() { ended <- w.tcp.Serve(l) }()
	go func() { ended <- w.udp.serve() }()
	err := <-ended
	if !errors.Is(err, http.ErrServerClosed) { // one lost is both lost
		_ = w.Close()
		return errors.Join(err, ignoreClosed(<-ended))
	}
	return <-ended
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (w *withHTTP3) Shutdown(ctx context.Context) error {
	var both sync.WaitGroup
	var tcp, udp error
	both.Go(func() { tcp = w.tcp.Shutdown(ctx) })
	both.Go(func() { udp = w.udp.Shutdown(ctx) })
	both.Wait()
	return errors.Join(tcp, udp)
}

func (w *withHTTP3) Close() error { return errors.Join(w.tcp.Close(), w.udp.Close()) }

// listenBoth opens an address for TCP, and for UDP where HTTP/3 is wanted.
func listenBoth(o EntryPoint) (net.Listener, net.PacketConn, error) {
	config := net.ListenConfig{Control: stallControl(o.StallTimeout)}
	config.SetMultipathTCP(false) // it has no such limit
	for attempt := 1; ; attempt++ {
		l, err := config.Listen(context.Background(), "tcp", o.Address)
		if err != nil || o.HTTP3 == nil {
			return l, nil, err
		}
		at := l.Addr().(*net.TCPAddr)
		packets, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone})
		if err == nil {
			return l, packets, nil
		}
		_ = l.Close()
		if _, port, _ := net.SplitHostPort(o.Address); port != "0" || attempt == 10 {
			return nil, nil, err
		} // else the port that the system chose is only free for TCP
	}
}

// advertiseHTTP3 tells the clients that came over TCP that they may come over UDP (Alt-Svc, RFC 7838). They believe it
// for a day.
func advertiseHTTP3(next http.Handler, o EntryPoint, addr net.Addr) http.Handler {
	port := cmp.Or(o.HTTP3.AdvertisedPort, addr.(*net.UDPAddr).Port)
	a := advertiser{next, []string{fmt.Sprintf(`h3=":%d"; ma=86400`, port)}}
	if raw, ok := next.(wire.RawHandler); ok {
		return &rawAdvertiser{a, raw}
	}
	return &a
}

type advertiser struct {
	next  http.Handler
	value []string
}

func (a *advertiser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Alt-Svc"] = a.value
	a.next.ServeHTTP(w, r)
}

// rawAdvertiser is advertiser at the raw depth, too.
type rawAdvertiser struct {
	advertiser
	raw wire.RawHandler
}

// ServeRaw is part of wire.RawHandler.
func (a *rawAdvertiser) ServeRaw(x *wire.Exchange) bool {
	x.Header()["Alt-Svc"] = a.value
	return a.raw.ServeRaw(x)
}
