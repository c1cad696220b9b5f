package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/route"
	"github.com/fairlead/fairlead/internal/upstream"
	"github.com/fairlead/fairlead/internal/wire"
)

// The raw depth: a request whose rule asks for nothing but its head's first lines is forwarded as it came, without an
// http.Request or a header map, and so is its answer. What is sent is the same at both depths, to the byte. Everything
// unusual is the general depth's, ServeHTTP.

// ServeRaw is part of wire.RawHandler.
func (f *clientHandler) ServeRaw(raw *wire.Exchange) bool {
	g, e := f.generation.Load(), &f.entryPoint
	path, query, _ := strings.Cut(raw.Target, "?")
	if g == nil || !f.isPlain(raw, path) {
		return false
	}
	q := route.Request{
		EntryPoint: e.Name, Default: e.Default, TLS: raw.TLS != nil, Method: raw.Method, Host: hostname(raw.Host),
		Path: path, RawQuery: query, ClientIP: raw.Client.Addr().Unmap(),
	}
	rule, ok := g.table.Match(&q)
	if !ok || q.HeaderAsked {
		return false
	}
	a := g.actions[rule.Slot]
	if a.relay == nil {
		return false
	}
	point := ""
	if q.TLS {
		point = e.Name
	}
	if status, _ := g.refusal(raw.Context, point, q.Host, rule); status != 0 {
		return false
	}
	x := f.exchanges.take(e, f.log)
	x.beginRaw(raw, path)
	defer f.finish(x)
	x.client, x.believed = q.ClientIP, x.traces != nil && f.trusted.includes(q.ClientIP)
	x.begun(a)
	a.relay.relay(x)
	return true
}

// isPlain reports whether a request asks for nothing that only the general depth does.
func (f *clientHandler) isPlain(raw *wire.Exchange, path string) bool {
	e := &f.entryPoint
	switch {
	case e.Headers > 0 && len(raw.Fields) > e.Headers, needsCleaning(path), raw.Method == http.MethodOptions,
		raw.Method == http.MethodTrace, !raw.Client.IsValid(),
		e.ReadTimeout > 0 && (raw.Length < 0 || raw.Length > replayable): // it is paced
		return false
	}
	trusted := f.trusted.includes(raw.Client.Addr().Unmap())
	for i := range raw.Fields {
		key := raw.Fields[i].Key
		if key == "Via" || trusted && isForwardedField(key) {
			return false
		}
	}
	return true
}

// staysBehind says which of a client's fields no service gets, unless we set them.
func staysBehind(key string) bool {
	return isHopByHop(key) || isForwardedField(key) || strings.HasPrefix(key, linkPrefix)
}

// staysHere says which of a service's fields no client gets.
func staysHere(key string) bool { return isHopByHop(key) || key == reasonField }

// plain reports whether the forwarder can send requests that are no http.Request.
func (f *forwarder) plain() bool {
	return f.timeouts.Total == 0 && !slices.ContainsFunc(f.backends, func(b backend) bool { return !b.isRaw() })
}

// relay is ServeHTTP at the raw depth.
func (f *forwarder) relay(x *exchange) {
	d := &x.sending
	d.x, d.forwarder, d.w, d.ctx = x, f, x, x.ctx
	f.deliver(d, x.raw.Body, x.raw.Length)
}

// rawFields are what the general depth sets before middlewares see the request, in the order of their names.
func (x *exchange) rawFields(set []wire.Field) []wire.Field {
	return append(set,
		wire.Field{Key: "X-Forwarded-Host", Value: x.Host},
		wire.Field{Key: "X-Forwarded-Port", Value: port(x.Host, x.raw.TLS != nil)},
		wire.Field{Key: "X-Forwarded-Proto", Value: x.Scheme},
		wire.Field{Key: "X-Real-Ip", Value: x.hopText})
}

// relayAnswer sends an answer as it came.
func (d *delivery) relayAnswer(a *wire.Answer, host *upstream.Host) error {
	x := d.x
	x.wrote, x.Status = true, a.Status
	x.pace.begin()
	x.Trace.CaptureAnswer(a.Field)
	d.set = d.set[:0]
	if d.backend.isSticky() {
		d.newCookies(host, func(c string) { d.set = append(d.set, wire.Field{Key: "Set-Cookie", Value: c}) })
	}
	if x.entryPoint.Via.Answers {
		d.set = x.sign(d.set, nil, 1, a.Minor())
	}
	sent, err := x.raw.Relay(a, staysHere, d.set)
	x.BytesOut += sent
	return err
}
