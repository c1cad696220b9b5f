package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/fairlead/fairlead/internal/route"
)

// clientHandler is the handler of an entry point that clients reach.
type clientHandler struct {
	*Proxy
	entryPoint EntryPoint
	trusted    trust
}

func (p *Proxy) clients(e EntryPoint) http.Handler {
	return &clientHandler{p, e, trust{everyone: e.TrustAll, ranges: e.Trusted, forwarded: e.Forwarded}}
}

func (f *clientHandler) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	e := &f.entryPoint
	x := f.exchanges.take(e, f.log)
	r := x.begin(w, in)
	defer f.finish(x)
	removeLinkFields(r.Header)
	removeHopByHop(r.Header) // first: a client must not name the fields that are set below (RFC 9110 §7.6.1)
	if !admit(x, r) || isFinal(x, r) {
		return
	}
	x.paceBody(r)
	x.believed = f.trusted.includes(x.hop)
	x.client = f.trusted.resolveClient(r)
	x.ClientAddr = r.RemoteAddr
	g := f.generation.Load()
	if g == nil {
		x.refuse(http.StatusServiceUnavailable, reasonNotReady)
		return
	}
	q := x.question(r)
	rule, ok := g.table.Match(&q)
	point := e.Name
	if r.TLS == nil {
		point = ""
	}
	switch status, reason := g.refusal(x.ctx, point, q.Host, rule); {
	case status != 0:
		x.refuse(status, reason)
	case ok:
		g.serve(x, r, rule)
	case asksServer(r):
		options(x)
	case !g.whole: // the route may be one that is not known yet
		x.refuse(http.StatusServiceUnavailable, reasonNotReady)
	default:
		x.refuse(http.StatusNotFound, reasonNoRoute)
	}
}

// question is what routes are asked about a request.
func (x *exchange) question(r *http.Request) route.Request {
	return route.Request{
		EntryPoint: x.entryPoint.Name, Default: x.entryPoint.Default, TLS: isTLS(r), Method: r.Method,
		Host: hostname(r.Host), Path: r.URL.Path, Header: r.Header, RawQuery: r.URL.RawQuery, ClientIP: x.client,
	}
}

// serve lets a rule's action answer.
func (g *generation) serve(x *exchange, r *http.Request, rule *route.Rule) {
	a := g.actions[rule.Slot]
	x.generation = g
	x.begun(a)
	a.handler.ServeHTTP(x, r)
}

// admit refuses requests that no rule may see.
func admit(x *exchange, r *http.Request) bool {
	maxFields, host := x.entryPoint.Headers, r.Header["Host"]
	if asksServer(r) {
		r.URL.Path = "*"
	}
	switch {
	case maxFields > 0 && countFields(r.Header) > maxFields:
		x.refuse(http.StatusRequestHeaderFieldsTooLarge, reasonTooManyFields)
	case r.Method == http.MethodConnect: // we are nobody's forward proxy
		x.refuse(http.StatusNotImplemented, reasonBadRequest)
	case expectsUnknown(r.Header):
		x.refuse(http.StatusExpectationFailed, reasonBadRequest)
	case r.URL.Host != "" && r.URL.Host != r.Host, len(host) > 0 && host[0] != r.Host, len(host) > 1,
		r.Method == http.MethodTrace && r.ContentLength != 0, x.raw == nil && !isWellFormed(r), !cleanPath(r.URL):
		x.refuse(http.StatusBadRequest, reasonBadRequest)
	case x.entryPoint.Via.loops(r.Header):
		x.refuse(http.StatusLoopDetected, reasonLoop)
	case isEarly(r) && (x.upgrade != "" || !mayBeRepeated(r)):
		x.refuse(http.StatusTooEarly, reasonTooEarly)
	default:
		delete(r.Header, "Host") // HTTP/2 may have it beside :authority
		forgetExpectation(r)
		if isEarly(r) {
			r.Header["Early-Data"] = []string{"1"} // a service may think otherwise
		}
		return true
	}
	return false
}

// isWellFormed reports whether method, target and host could stand in HTTP/1.1: services, and rules, must find there
// what was meant, not less and not more. Our own engines see to that themselves.
func isWellFormed(r *http.Request) bool {
	for i := range len(r.RequestURI) {
		if c := r.RequestURI[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	host, err := url.Parse("http://" + r.Host)
	return err == nil && r.Host != "" && host.Host == r.Host && httpguts.ValidHeaderFieldName(r.Method)
}

// isEarly reports whether a request came before its client's handshake was complete, and may be somebody else's copy of
// it (RFC 8470 §3).
func isEarly(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }

// mayBeRepeated reports whether a request asks for nothing but an answer (RFC 9110 §9.2.1).
func mayBeRepeated(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.ContentLength == 0
	}
	return false
}

func countFields(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// removeLinkFields removes the fields that only a link may carry.
func removeLinkFields(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Fairlead-") {
			delete(h, name)
		}
	}
}

// finish tells the observers that an exchange is over.
func (p *Proxy) finish(x *exchange) {
	x.pace.end()
	x.endTrace()
	x.finish()
	for _, o := range p.options.Observers {
		o.Served(&x.Exchange)
	}
	p.exchanges.give(x)
}
