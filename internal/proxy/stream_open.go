package proxy

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
)

// openedStream is the way to a service that a stream has got.
type openedStream struct {
	conn        net.Conn
	load        upstream.Exchange
	termination time.Duration
}

// answered says that the service has been heard.
func (o *openedStream) answered() { o.load.Answered(http.StatusOK) }

// done says that the stream is over; err is why the service could not be used, nil where nothing is wrong with it.
func (o *openedStream) done(err error) {
	kind := upstream.Abandoned // what the two have said to each other says nothing about the host
	if err != nil {
		kind = upstream.ConnectError
	}
	o.load.Done(upstream.Outcome{Kind: kind, Err: err})
}

// turnedAway is what a gateway says that cannot lead a stream to its service.
type turnedAway struct {
	status int
	reason string
}

// Error names the reason.
func (t *turnedAway) Error() string {
	return "the cluster answers " + http.StatusText(t.status) + ": " + t.reason
}

// openStream finds a host that takes the stream. Nothing that the client sent has gone anywhere, so as many are tried
// as may be. Otherwise the stream's Reason says why there is none.
func (p *Proxy) openStream(a *streamAction, s *streaming) (*openedStream, bool) {
	b := a.choice.choose(nil)
	if b == nil {
		s.Reason = reasonUnknownService
		return nil, false
	}
	var last error
	for trail := (trail{}); b != nil; b = trail.leave(b, nil) {
		opened, final, err := p.openAt(a, s, b)
		if opened != nil {
			return opened, true
		}
		if last = cmp.Or(err, last); final {
			break
		}
	}
	s.blame(last)
	return nil, false
}

// openAt finds a host of a backend that takes the stream. Where none does, it is final if no other would.
func (p *Proxy) openAt(a *streamAction, s *streaming, b *backend) (opened *openedStream, final bool, last error) {
	s.Service = b.name
	tried := upstream.Attempt{Client: s.client.Addr(), Elsewhere: b.mayLeave()}
	for n := 0; n < defaultAttempts && !final; n++ {
		host, reason := b.pool.Pick(&tried)
		if host == nil {
			break
		}
		s.Attempts++
		s.Cluster, s.Endpoint, s.Mode = host.Cluster(), host.Addr(), string(reason)
		opened := &openedStream{load: host.Begin(), termination: a.transports[b.reached].termination()}
		if opened.conn, last = p.dialStream(a, s, b, host); last == nil {
			if s.lane != model.LaneUDP || host.Gateway() {
				opened.answered()
			}
			return opened, false, nil
		}
		final = opened.failed(last)
	}
	return nil, final, last
}

// failed notes that the host does not take the stream. It is final where no other would.
func (o *openedStream) failed(err error) (final bool) {
	var away *turnedAway
	switch {
	case errors.As(err, &away):
		o.load.Done(upstream.Outcome{Kind: upstream.Answered, Status: away.status})
		return away.status == http.StatusForbidden && away.reason != reasonForbidden // its middlewares refuse the client
	case isShortage(err):
		o.load.Done(upstream.Outcome{Kind: upstream.Abandoned, Err: err})
	default:
		o.done(err)
	}
	return false
}

// blame says why no host took the stream.
func (s *streaming) blame(err error) {
	var away *turnedAway
	switch {
	case err == nil:
		s.Reason = reasonNoHealthyHost
		return
	case errors.As(err, &away) && away.status == http.StatusForbidden && away.reason != reasonForbidden:
		s.Reason = away.reason
		return
	case errors.As(err, &away):
		s.Reason = reasonNoHealthyHost
	default:
		s.Reason = reasonUpstreamError
	}
	s.log.Warn("no service takes the stream", "route", s.Route, "service", s.Service, "cluster", s.Cluster,
		"endpoint", s.Endpoint, "attempts", s.Attempts, "error", err)
}

// dialStream connects to a host.
func (p *Proxy) dialStream(a *streamAction, s *streaming, b *backend, host *upstream.Host) (net.Conn, error) {
	t := a.transports[b.reached]
	if t == nil {
		return nil, errors.New("the service cannot be connected to; its problem says why")
	}
	if host.Gateway() {
		ctx, cancel := context.WithTimeout(context.Background(), gatewayStreamTimeout)
		defer cancel()
		return p.builder.dialer.dialGateway(ctx, host, s, b.name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.timeout())
	defer cancel()
	return t.dial(ctx, host.Addr(), s, a.rule.Route.Passthrough)
}
