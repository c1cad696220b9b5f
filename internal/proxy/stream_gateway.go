package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/internal/upstream"
)

// Streams over the link. The edge asks the cluster's link entry point to change a connection to the service:
//
//	GET /link/v1/stream HTTP/1.1
//	Connection: Upgrade
//	Upgrade: fairlead-stream
//	Fairlead-Key, Fairlead-Service, Fairlead-Client   as with requests
//	Fairlead-Lane: tcp                                or udp
//	Fairlead-Begins: tls                              or plain, or postgres (TLS, asked for as its clients do)
//	Fairlead-Host, Fairlead-ALPN                      what the client's TLS asked for; ALPN's are escaped, with commas
//
// The cluster routes the stream again, by its own order among its exported routes, lets its middlewares decide, and
// connects to the service. Then it answers 101, and the connection is the service's: the client's bytes as they are
// where the route passes TLS through, or else without TLS, which ended at the edge. Datagrams have their length before
// them. Otherwise it answers as to a request, with the reason; nothing of the client's has been sent by then.
const (
	streamPath     = "/link/v1/stream"
	streamProtocol = "fairlead-stream"

	laneField   = "Fairlead-Lane"
	beginsField = "Fairlead-Begins"
	hostField   = "Fairlead-Host"
	alpnField   = "Fairlead-Alpn"

	beginsPlain    = "plain"
	beginsTLS      = "tls"
	beginsPostgres = "postgres"
)

// gatewayStreamTimeout bounds the wait for a cluster to connect a stream to its service.
const gatewayStreamTimeout = 10 * time.Second

// dialGateway connects a stream to a service through its cluster's gateway.
func (d *dialer) dialGateway(ctx context.Context, host *upstream.Host, s *streaming, service string) (net.Conn, error) {
	g, ok := d.gateways[host.Cluster()]
	if !ok {
		return nil, fmt.Errorf("cluster %s is not followed", host.Cluster())
	}
	key, err := g.Key()
	if err != nil {
		return nil, fmt.Errorf("reading the key for cluster %s: %w", host.Cluster(), err)
	}
	identity := g.TLS.Clone()
	identity.NextProtos = []string{"http/1.1"}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: gatewayDialTimeout}, Config: identity}
	conn, err := dialer.DialContext(ctx, "tcp", host.Addr())
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		_ = conn.Close()
		return nil, err
	}
	opened, err := upgradeToStream(conn, s.asked(host.Addr(), key, service))
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	if s.lane == model.LaneUDP {
		return stream.NewDatagrams(opened), nil
	}
	return opened, nil
}

// asked returns what the edge asks of a gateway.
func (s *streaming) asked(addr, key, service string) *http.Request {
	begins := beginsPlain
	switch {
	case s.hello.Postgres:
		begins = beginsPostgres
	case s.hello.TLS:
		begins = beginsTLS
	}
	r := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Scheme: "https", Host: addr, Path: streamPath}, Host: addr,
		Header: http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {streamProtocol},
			keyField: {key}, serviceField: {service}, clientField: {s.client.String()},
			laneField: {string(s.lane)}, beginsField: {begins},
		},
	}
	if s.host != "" {
		r.Header[hostField] = []string{url.QueryEscape(s.host)}
	}
	if len(s.hello.ALPN) > 0 {
		r.Header[alpnField] = []string{escapeList(s.hello.ALPN)}
	}
	return r
}

func escapeList(list []string) string {
	escaped := make([]string, len(list))
	for i, text := range list {
		escaped[i] = url.QueryEscape(text)
	}
	return strings.Join(escaped, ",")
}

// maxStreamAnswer bounds the head of a gateway's answer.
const maxStreamAnswer = 16 << 10

// upgradeToStream makes the request, and returns what the connection then is.
func upgradeToStream(conn net.Conn, r *http.Request) (net.Conn, error) {
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	in := bufio.NewReader(io.LimitReader(conn, maxStreamAnswer))
	answer, err := http.ReadResponse(in, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, &turnedAway{answer.StatusCode, answer.Header.Get(reasonField)}
	}
	if !strings.EqualFold(upgradeType(answer.Header), streamProtocol) {
		return nil, errors.New("the gateway changed to something else than a stream")
	}
	early, _ := in.Peek(in.Buffered())
	return stream.Early(conn, early), nil
}

// isStream reports whether a follower asks for a stream.
func isStream(r *http.Request) bool { return strings.EqualFold(upgradeType(r.Header), streamProtocol) }

// serveFollowerStream leads a follower's stream to the service that the follower means.
func (p *Proxy) serveFollowerStream(x *exchange, r *http.Request, l *Link, service string) {
	s, ok := p.followerStream(x, r)
	if !ok {
		x.refuse(http.StatusBadRequest, reasonBadRequest)
		return
	}
	g := p.generation.Load()
	if g == nil {
		x.refuse(http.StatusServiceUnavailable, reasonNoHealthyHost)
		return
	}
	rule, ok := g.table.MatchExported(s.question(&EntryPoint{}))
	switch {
	case !ok && !g.whole:
		x.refuse(http.StatusServiceUnavailable, reasonNoHealthyHost)
		return
	case !ok || rule.Route.ExportedAs().String() != service || !l.Transit && !runsHere(rule):
		x.refuse(http.StatusMisdirectedRequest, reasonNotExported)
		return
	}
	if status, reason := g.refusal(x.ctx, "", "", rule); status != 0 {
		x.refuse(status, reason)
		return
	}
	a := g.actions[rule.Slot]
	x.Route = a.route
	release := a.stream.admit(s)
	defer release()
	if x.Reason != "" {
		x.refuse(http.StatusForbidden, x.Reason)
		return
	}
	opened, ok := p.openStream(a.stream, s)
	if !ok {
		x.refuse(http.StatusServiceUnavailable, x.Reason)
		return
	}
	p.joinFollower(x, s, opened)
}

// followerStream reads what a follower says of a stream; false: it makes no sense.
func (p *Proxy) followerStream(x *exchange, r *http.Request) (*streaming, bool) {
	const longestHost = 255
	s := &streaming{Exchange: &x.Exchange, lane: model.Lane(r.Header.Get(laneField)), ended: x.ended, log: p.log}
	var err error
	if s.client, err = netip.ParseAddrPort(r.Header.Get(clientField)); err != nil {
		return nil, false
	}
	var hello stream.Hello
	switch r.Header.Get(beginsField) {
	case beginsPlain:
	case beginsPostgres:
		hello.TLS, hello.Postgres = true, true
	case beginsTLS:
		hello.TLS = true
	default:
		return nil, false
	}
	hello.ServerName, err = url.QueryUnescape(r.Header.Get(hostField))
	for text := range strings.SplitSeq(r.Header.Get(alpnField), ",") {
		if name, bad := url.QueryUnescape(text); bad == nil && name != "" {
			hello.ALPN = append(hello.ALPN, name)
		}
	}
	x.Lane, x.Scheme, x.Proto, x.Method, x.Path = string(s.lane), string(s.lane), strings.ToUpper(string(s.lane)), "", ""
	x.ClientAddr = s.client.String()
	s.began(hello)
	return s, err == nil && len(hello.ServerName) <= longestHost && (s.lane == model.LaneTCP || s.lane == model.LaneUDP)
}

// joinFollower tells the follower that its connection is now the service's, and carries.
func (p *Proxy) joinFollower(x *exchange, s *streaming, opened *openedStream) {
	defer func() { _ = opened.conn.Close() }()
	x.Header()["Connection"], x.Header()["Upgrade"] = []string{"Upgrade"}, []string{streamProtocol}
	x.WriteHeader(http.StatusSwitchingProtocols)
	conn, buffered, err := http.NewResponseController(x).Hijack()
	if err != nil {
		opened.done(nil)
		x.log.Warn("a follower's connection cannot become a stream", "error", err)
		return
	}
	defer func() { _ = conn.Close() }()
	if !p.tunnels.add(conn) {
		opened.done(nil)
		return
	}
	defer p.tunnels.remove(conn)
	early, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	client := stream.Early(conn, early)
	if s.lane == model.LaneUDP {
		p.pumpDatagrams(s, stream.NewDatagrams(client), opened, 0) // the edge knows when it is over
	} else {
		p.pump(s, client, opened)
	}
	x.Status = 0
}
