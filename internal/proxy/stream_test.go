package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/telemetry"
)

// streamWorld makes snapshots with stream routes in them.
type streamWorld struct{ model.Snapshot }

// add adds a route to a service of its own name; change may alter both.
func (w *streamWorld) add(
	lane model.Lane, name, sni string, change func(*model.Route, *model.Service), addrs ...string,
) {
	svc := &model.Service{Name: model.Name{Name: name}, Source: "file/test", Lane: lane}
	for _, a := range addrs {
		svc.Endpoints = append(svc.Endpoints, model.Endpoint{Addr: a, Weight: 1})
	}
	r := &model.Route{
		Name: model.Name{Name: name}, Source: "file/test", Lane: lane,
		Backends: []model.Backend{{Service: svc.Ref(), Weight: 1}},
	}
	if lane == model.LaneTCP {
		r.Match, r.Priority, r.TLS = model.Leaf(model.HostSNI, sni), len(sni), sni != "*"
	}
	if change != nil {
		change(r, svc)
	}
	w.Routes, w.Services = append(w.Routes, r), append(w.Services, svc)
}

func (w *streamWorld) snapshot() *model.Snapshot {
	w.Sort()
	return &w.Snapshot
}

// reach makes the last service speak TLS with its endpoints, as spec says.
func (w *streamWorld) reach(spec model.TransportTLS) {
	s := w.Services[len(w.Services)-1]
	t := &model.Transport{Name: s.Name, Source: "file/other", Lane: s.Lane, TLS: spec}
	s.Protocol, s.Transport = model.TLS, t.Ref()
	w.Transports = append(w.Transports, t)
}

func passthrough(r *model.Route, _ *model.Service) { r.Passthrough = true }

// accept serves each connection until the test ends, and returns the address.
func accept(t *testing.T, l net.Listener, serve func(net.Conn)) string {
	t.Helper()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

func listenTCP(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return accept(t, l, serve)
}

// echo answers what it is sent, after a greeting.
func echo(greeting string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.WriteString(c, greeting); err == nil {
			_, _ = io.Copy(c, c)
		}
	}
}

// certificate returns one that httptest's clients would trust.
func certificate() tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
}

func listenTLS(t *testing.T, greeting string) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate()}})
	if err != nil {
		t.Fatal(err)
	}
	return accept(t, l, echo(greeting))
}

// dial connects to the entry point "web", and cleans up.
func (b *bench) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", b.Addr("web").String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// talk sends "ping", ends its side, and returns all that comes until the other side has ended.
func talk(t *testing.T, c net.Conn) string {
	t.Helper()
	defer c.Close()
	if _, err := io.WriteString(c, "ping"); err != nil {
		return err.Error()
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			t.Error(err)
		}
	}
	got, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return string(got)
}

func asking(c net.Conn, name string, protocols ...string) *tls.Conn {
	return tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: protocols})
}

// observed keeps what the proxy tells of streams.
type observed struct{ streams chan telemetry.Exchange }

func (o observed) Served(x *telemetry.Exchange) {
	if x.Lane != "" {
		o.streams <- *x
	}
}

func observe() (observed, func(*Options)) {
	o := observed{make(chan telemetry.Exchange, 100)}
	return o, func(options *Options) { options.Observers = append(options.Observers, o) }
}

func TestStreamPlain(t *testing.T) {
	var w streamWorld
	w.add(model.LaneTCP, "mail", "*", nil, closed(t), listenTCP(t, echo("220 ready\n")))
	o, observing := observe()
	b := start(t, w.snapshot(), observing)
	for range 4 { // half of the picks meet the closed port first
		c := b.dial(t)
		if greeting, err := bufio.NewReader(io.LimitReader(c, 10)).ReadString('\n'); greeting != "220 ready\n" {
			t.Fatal(greeting, err) // the service speaks first
		}
		if got := talk(t, c); got != "ping" {
			t.Errorf("got %q", got)
		}
		x := <-o.streams
		if x.Route != "mail@file/test" || x.Service != "mail" || x.BytesIn != 4 || x.BytesOut != 14 || x.Reason != "" {
			t.Errorf("told %+v", x)
		}
	}
}

// TestStreamsBesideHTTP: TLS for names of stream routes is passed through, the rest of an entry point is HTTP's.
func TestStreamsBesideHTTP(t *testing.T) {
	w := streamWorld{*to(serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "http") }))}
	w.add(model.LaneTCP, "a", "a.example", passthrough, listenTLS(t, "a:"))
	w.add(model.LaneTCP, "b", "*.b.example", passthrough, listenTLS(t, "b:"))
	w.add(model.LaneTCP, "h2", "a.example", func(r *model.Route, s *model.Service) {
		r.Passthrough, r.Priority = true, 100
		r.Match = model.Match{Of: []model.Match{r.Match, model.Leaf(model.ALPN, "special")}}
	}, listenTLS(t, "special:"))
	o, observing := observe()
	b := start(t, w.snapshot(), observing)
	for _, tc := range []struct {
		name, alpn, want string
	}{{"a.example", "", "a:ping"}, {"A.Example", "", "a:ping"}, {"x.b.example", "", "b:ping"}} {
		if got := talk(t, asking(b.dial(t), tc.name)); got != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
		<-o.streams
	}
	if _, _, body := b.get(t, "/"); body != "http" {
		t.Errorf("HTTP: %q", body)
	}
	if err := asking(b.dial(t), "c.example").Handshake(); err == nil {
		t.Error("a name that no route has got a certificate")
	}
	if x := <-o.streams; x.Reason != reasonNoRoute || x.Host != "c.example" || x.Scheme != "tls" {
		t.Errorf("told %+v", x)
	}
}

func TestStreamALPN(t *testing.T) {
	var w streamWorld
	w.add(model.LaneTCP, "all", "*", func(r *model.Route, _ *model.Service) { r.TLS, r.Passthrough = true, true },
		listenTCP(t, func(c net.Conn) { c.Close() }))
	special := make(chan struct{}, 1)
	w.add(model.LaneTCP, "special", "*", func(r *model.Route, _ *model.Service) {
		r.TLS, r.Passthrough, r.Priority, r.Match = true, true, 9, model.Leaf(model.ALPN, "special")
	}, listenTCP(t, func(net.Conn) { special <- struct{}{} }))
	b := start(t, w.snapshot())
	_ = asking(b.dial(t), "x", "other", "special").Handshake()
	<-special
}

// TestStreamEndsTLS: on an entry point with certificates, stream routes end TLS, and HTTPS gets the rest.
func TestStreamEndsTLS(t *testing.T) {
	w := streamWorld{*to(serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "http") }))}
	w.add(model.LaneTCP, "db", "db.example", nil, listenTCP(t, echo("db:")))
	w.add(model.LaneTCP, "again", "again.example", nil, listenTLS(t, "again:"))
	w.reach(model.TransportTLS{Insecure: true})
	w.add(model.LaneTCP, "plain", "*", nil, listenTCP(t, echo("plain:")))
	b := startSecure(t, w.snapshot())
	for name, want := range map[string]string{"db.example": "db:ping", "again.example": "again:ping"} {
		c := asking(b.dial(t), name, "postgresql")
		if got := talk(t, c); got != want || c.ConnectionState().NegotiatedProtocol != "postgresql" {
			t.Errorf("%s: %q, %q", name, got, c.ConnectionState().NegotiatedProtocol)
		}
	}
	c := asking(b.dial(t), "db.example", "h2", "http/1.1")
	if talk(t, c); c.ConnectionState().NegotiatedProtocol != "" {
		t.Error("a stream pretends to speak HTTP")
	}
	if _, _, body := b.get(t, "/"); body != "http" {
		t.Errorf("HTTPS: %q", body)
	}
	if got := talk(t, b.dial(t)); got != "plain:ping" {
		t.Errorf("plain: %q", got)
	}
}

// TestStreamForAllGivesWayToHTTP: as in Traefik, a route that takes every name leaves those that HTTP routes name.
func TestStreamForAllGivesWayToHTTP(t *testing.T) {
	w := streamWorld{*to(serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "http") }))}
	w.Routes[0].Match = model.Leaf(model.Host, "127.0.0.1.example")
	w.add(model.LaneTCP, "all", "*", func(r *model.Route, _ *model.Service) { r.TLS = true }, listenTCP(t, echo("all:")))
	b := startSecure(t, w.snapshot())
	if got := talk(t, asking(b.dial(t), "other.example")); got != "all:ping" {
		t.Errorf("got %q", got)
	}
	c := asking(b.dial(t), "127.0.0.1.example", "http/1.1")
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1.example\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(c); !bytes.HasSuffix(got, []byte("http")) {
		t.Errorf("got %q", got)
	}
}

// postgres serves as PostgreSQL does until a session begins: TLS if it is asked for.
func postgres(t *testing.T) string {
	identity := certificate()
	return listenTCP(t, func(c net.Conn) {
		var request [8]byte
		if _, err := io.ReadFull(c, request[:]); err != nil {
			return
		}
		if binary.BigEndian.Uint32(request[4:]) != 80877103 {
			_, _ = c.Write(request[:])
			return
		}
		_, _ = c.Write([]byte("S"))
		echo("pg:")(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{identity}}))
	})
}

func TestStreamPostgres(t *testing.T) {
	server := postgres(t)
	var w streamWorld
	w.add(model.LaneTCP, "pass", "pass.example", passthrough, server)
	w.add(model.LaneTCP, "end", "end.example", nil, listenTCP(t, echo("plain:")))
	w.add(model.LaneTCP, "both", "both.example", nil, server)
	w.reach(model.TransportTLS{Insecure: true})
	b := startSecure(t, w.snapshot())
	for name, want := range map[string]string{
		"pass.example": "pg:ping", "end.example": "plain:ping", "both.example": "pg:ping", "other.example": "EOF",
	} {
		c := b.dial(t)
		answer := make([]byte, 1)
		for _, code := range []uint32{80877104, 80877103} { // GSSAPI, then TLS, as psql does
			request := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, code)
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, answer); err != nil {
				t.Fatal(err)
			}
		}
		if answer[0] != 'S' {
			t.Fatalf("answered %q", answer)
		}
		if got := talk(t, asking(c, name)); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestStreamProxyProtocol(t *testing.T) {
	for version, want := range map[int]string{1: "PROXY TCP4 127.0.0.1 127.0.0.1 ", 2: "\r\n\r\n\x00\r\nQUIT\n"} {
		var w streamWorld
		w.add(model.LaneTCP, "app", "*", func(_ *model.Route, s *model.Service) {
			s.Stream.ProxyProtocol = version
		}, listenTCP(t, echo("")))
		b := start(t, w.snapshot())
		if got := talk(t, b.dial(t)); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "ping") {
			t.Errorf("version %d: %q", version, got)
		}
	}
}

func TestStreamRefused(t *testing.T) {
	gate := &model.Middleware{
		Name: model.Name{Name: "few"}, Source: "file/test", Lane: model.LaneTCP, InFlightConn: &model.InFlightConn{Amount: 1},
	}
	w := streamWorld{model.Snapshot{Middlewares: []*model.Middleware{gate}}}
	w.add(model.LaneTCP, "app", "*", func(r *model.Route, _ *model.Service) {
		r.Middlewares = []model.Ref{gate.Ref()}
	}, listenTCP(t, echo("x")))
	o, observing := observe()
	b := start(t, w.snapshot(), observing)
	first := b.dial(t)
	if _, err := io.ReadFull(first, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b.dial(t)); len(got) > 0 || err != nil {
		t.Errorf("the second: %q, %v", got, err)
	}
	if x := <-o.streams; x.Reason != "refused_by_inFlightConn" {
		t.Errorf("told %+v", x)
	}
	next := w.Snapshot
	next.Middlewares = nil // what guarded the route is gone
	b.Apply(&next, true)
	if got, err := io.ReadAll(b.dial(t)); len(got) > 0 || err != nil {
		t.Errorf("without its middleware: %q, %v", got, err)
	}
	if x := <-o.streams; x.Reason != reasonBadMiddleware {
		t.Errorf("told %+v", x)
	}
	if got := talk(t, first); got != "ping" { // a change of configuration leaves open streams alone
		t.Errorf("the first: %q", got)
	}
}

func TestStreamNowhere(t *testing.T) {
	for _, tc := range []struct {
		reason string
		addrs  []string
	}{{reasonUpstreamError, []string{closed(t)}}, {reasonNoHealthyHost, nil}} {
		var w streamWorld
		w.add(model.LaneTCP, "app", "*", nil, tc.addrs...)
		o, observing := observe()
		b := start(t, w.snapshot(), observing)
		if got, err := io.ReadAll(b.dial(t)); len(got) > 0 || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if x := <-o.streams; x.Reason != tc.reason {
			t.Errorf("told %+v, want %s", x, tc.reason)
		}
	}
}

// TestStreamIdle: a stream in which nothing passes is cut, and the log says so.
func TestStreamIdle(t *testing.T) {
	var w streamWorld
	w.add(model.LaneTCP, "app", "*", nil, listenTCP(t, echo("x")))
	o, observing := observe()
	b := start(t, w.snapshot(), observing, func(o *Options) { o.EntryPoints[0].StreamIdle = 500 * time.Millisecond })
	if got, err := io.ReadAll(b.dial(t)); string(got) != "x" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if x := <-o.streams; x.Reason != reasonIdle || x.BytesOut != 1 {
		t.Errorf("told %+v", x)
	}
}

// TestStreamDrain: open streams get the grace, and are then cut.
func TestStreamDrain(t *testing.T) {
	var w streamWorld
	w.add(model.LaneTCP, "app", "*", nil, listenTCP(t, echo("x")))
	b := start(t, w.snapshot(), func(o *Options) { o.EntryPoints[0].DrainGrace = 10 * time.Millisecond })
	c := b.dial(t)
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	b.stop()
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

func TestStreamProblems(t *testing.T) {
	var w streamWorld
	w.add(model.LaneTCP, "ends", "a.example", nil, "127.0.0.1:1")
	w.add(model.LaneUDP, "dns", "", func(r *model.Route, _ *model.Service) {
		r.EntryPoints = []string{"web"}
	}, "127.0.0.1:1")
	w.add(model.LaneTCP, "ca", "b.example", passthrough, "127.0.0.1:1")
	w.reach(model.TransportTLS{SPIFFE: new(model.SPIFFE)})
	b := start(t, w.snapshot())
	var got []string
	for _, p := range b.Problems() {
		got = append(got, fmt.Sprint(p.Object, " ", p.Field, " ", p.Code))
	}
	slices.Sort(got)
	want := []string{
		"tcp route ends@file/test tls invalid_field", "tcp service ca@file/test loadBalancer.serversTransport invalid_field",
		"udp route dns@file/test entryPoints unknown_entry_point",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
