package rfctest

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// side is a way of speaking HTTP, on either side of the proxy.
type side string

const (
	plain1  side = "http1"
	secure1 side = "https1"
	plain2  side = "h2c"
	secure2 side = "http2"
	secure3 side = "http3" // of clients only
)

func sides() []side  { return []side{plain1, secure1, plain2, secure2} }
func fronts() []side { return append(sides(), secure3) }

func (s side) isSecure() bool { return s == secure1 || s == secure2 || s == secure3 }
func (s side) isHTTP2() bool  { return s == plain2 || s == secure2 }

func (s side) scheme() string {
	if s.isSecure() {
		return "https"
	}
	return "http"
}

// service is what stands behind the proxy. It notes what it gets and answers as it is told.
type service struct {
	listener net.Listener
	running  sync.WaitGroup
	flood    func(flood) // what it does with requests for /flood; nil: answers

	mu     sync.Mutex
	conns  []net.Conn
	turn   int // how often expect was called; each turn's client has an address of its own
	log    []received
	answer message
}

// client returns the address that this turn's client has.
func (s *service) client() netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return addressOf(s.turn)
}

func addressOf(turn int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(1 + turn>>16), byte(turn >> 8), byte(turn)})
}

// record notes a request, unless it says that it is a former turn's, and returns the answer. What a client takes back
// may be on its way to the service for longer than the client waits.
func (s *service) record(r received) message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if client := r.values("x-real-ip"); client == "" || client == addressOf(s.turn).String() {
		s.log = append(s.log, r)
	}
	return s.answer
}

// expect makes m the answer, and forgets what was seen.
func (s *service) expect(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	if s.log, s.answer = nil, m; m.line == "" && m.raw == "" {
		s.answer.line = "200"
	}
}

func (s *service) seen() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.log...)
}

// serve starts a service that speaks as its side says.
func serve(t testing.TB, as side, cert tls.Certificate) *service {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if as.isSecure() {
		protocols := map[side][]string{secure1: {"http/1.1"}, secure2: {"h2"}}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protocols[as]})
	}
	s := &service{listener: l}
	s.running.Go(func() { s.run(as) })
	t.Cleanup(s.close)
	return s
}

func (s *service) run(as side) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.running.Go(func() {
			defer conn.Close()
			if as.isHTTP2() {
				s.serve2(conn)
			} else {
				s.serve1(conn)
			}
		})
	}
}

func (s *service) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// lab is a proxy with a service of each side behind it, and for each of them an entry point in plain text and one with
// TLS.
type lab struct {
	*proxy.Proxy
	hosts    *upstream.Hosts
	services map[side]*service
}

func entryPointName(secure bool, to side) string {
	if secure {
		return "secure-" + string(to)
	}
	return "plain-" + string(to)
}

func newLab(t testing.TB, change ...func(*proxy.EntryPoint)) *lab {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	cert := s.TLS.Certificates[0]
	s.Close()
	log := slog.New(slog.DiscardHandler)
	o := proxy.Options{
		Hosts:       upstream.NewHosts(upstream.Options{Log: log}),
		Middlewares: middleware.NewSet(middleware.Options{Log: log}), Log: log,
	}
	l := &lab{hosts: o.Hosts, services: make(map[side]*service)}
	snapshot := new(model.Snapshot)
	for _, to := range sides() {
		l.services[to] = serve(t, to, cert)
		l.add(snapshot, to)
		for _, secure := range []bool{false, true} {
			e := proxy.EntryPoint{
				Name: entryPointName(secure, to), Address: "127.0.0.1:0", HeaderTimeout: 5 * time.Second,
				DrainGrace: 5 * time.Second, Headers: 100, Via: proxy.Via{Name: "fairlead", Answers: true},
			}
			if secure {
				e.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
				e.HTTP3 = &proxy.HTTP3{}
			}
			for _, f := range change {
				f(&e)
			}
			o.EntryPoints = append(o.EntryPoints, e)
		}
	}
	snapshot.Sort()
	l.run(t, o, snapshot)
	return l
}

// add adds the service of a side, and the route to it, to a snapshot.
func (l *lab) add(to *model.Snapshot, as side) {
	protocols := map[side]model.Protocol{
		plain1: model.HTTP, secure1: model.HTTPS, plain2: model.H2C, secure2: model.HTTPS,
	}
	name := model.Name{Name: string(as)}
	s := &model.Service{
		Name: name, Source: "file/test", Protocol: protocols[as],
		Endpoints: []model.Endpoint{{Addr: l.services[as].listener.Addr().String(), Weight: 1}},
	}
	if as.isSecure() {
		t := &model.Transport{Name: name, Source: "file/test", TLS: model.TransportTLS{Insecure: true}}
		s.Transport = t.Ref()
		to.Transports = append(to.Transports, t)
	}
	to.Services = append(to.Services, s)
	to.Routes = append(to.Routes, &model.Route{
		Name: name, Source: "file/test", Match: model.Leaf(model.PathPrefix, "/"), Priority: 1,
		EntryPoints: []string{entryPointName(false, as), entryPointName(true, as)},
		Backends:    []model.Backend{{Service: s.Ref(), Weight: 1}},
	})
}

func (l *lab) run(t testing.TB, o proxy.Options, s *model.Snapshot) {
	t.Helper()
	p, err := proxy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l.Proxy = p
	p.Apply(s, true)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// dial connects to the entry point for a service, as a front.
func (l *lab) dial(t testing.TB, front, to side) net.Conn {
	t.Helper()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: l.services[to].client().AsSlice()}}
	conn, err := from.DialContext(t.Context(), "tcp", l.Addr(entryPointName(front.isSecure(), to)).String())
	if err != nil {
		t.Fatal(err)
	}
	if front.isSecure() {
		protocols := map[side][]string{secure1: {"http/1.1"}, secure2: {"h2"}}
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols[front]})
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// send sends one request on a connection of its own and returns the answer.
func (l *lab) send(t *testing.T, front, to side, m message) (received, error) {
	t.Helper()
	if front == secure3 {
		return client3(t, l.services[to].client(), l.Addr(entryPointName(true, to)), m)
	}
	conn := l.dial(t, front, to)
	defer func() { _ = conn.Close() }()
	if front.isHTTP2() {
		return client2(conn, m, front.scheme())
	}
	return client1(conn, m)
}
