package proxy

import (
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/wire"
)

// Fields that carry a request over a link. A client's own are removed at every entry point but the link's.
const (
	linkPrefix   = "Fairlead-"
	keyField     = "Fairlead-Key"     // the follower's API key
	serviceField = "Fairlead-Service" // the fleet-wide name of the service that the follower chose
	clientField  = "Fairlead-Client"  // the client's address as the follower knows it
	traceField   = "Fairlead-Trace"   // says that Traceparent is the follower's own, or that of one that it trusts
	reasonField  = "Fairlead-Reason"  // in answers: why a proxy, not a service, answers
)

// isForwardedField reports whether a field says where a request came from. Such are believed only from a trusted proxy
// in front, however services might read their names.
func isForwardedField(key string) bool {
	if strings.HasPrefix(key, "X") {
		key = model.CGIField(key)
	}
	switch key {
	case "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip",
		"X-Forwarded-Method", "X-Forwarded-Uri", // what forwardAuth tells who decides
		"X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info": // what passTLSClientCert tells the service
		return true
	}
	return false
}

// trust says whose forwarding fields an entry point believes.
type trust struct {
	everyone  bool
	ranges    []netip.Prefix
	forwarded bool // Forwarded is read, too
}

func (t trust) includes(addr netip.Addr) bool {
	return t.everyone || slices.ContainsFunc(t.ranges, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// resolveClient finds who sent the request, past the trusted proxies in front, and writes the forwarding fields that
// the service sees. After it, r.RemoteAddr is the client's address.
func (t trust) resolveClient(r *http.Request) netip.Addr {
	hop := parseAddr(r.RemoteAddr)
	if !t.includes(hop) {
		maps.DeleteFunc(r.Header, func(key string, _ []string) bool { return isForwardedField(key) })
		setForwarded(r, hop)
		return hop
	}
	if t.forwarded {
		t.adoptForwarded(r.Header)
	}
	client := hop
	if said, ok := t.fromForwardedFor(r.Header.Values("X-Forwarded-For")); ok {
		client = said
		r.RemoteAddr = netip.AddrPortFrom(said, 0).String()
	}
	setForwarded(r, client)
	return client
}

// fromForwardedFor returns the last address in the lists that is not a trusted proxy's: those to its left are only what
// that address claims. When all are trusted, it is the first.
func (t trust) fromForwardedFor(lists []string) (netip.Addr, bool) {
	var found netip.Addr
	for _, list := range slices.Backward(lists) {
		for list != "" {
			i := strings.LastIndexByte(list, ',')
			addr := parseAddr(strings.TrimSpace(list[i+1:]))
			if !addr.IsValid() {
				return found, found.IsValid()
			}
			found = addr
			if t.everyone {
				list = list[:max(i, 0)]
				continue
			}
			if !t.includes(addr) {
				return found, true
			}
			list = list[:max(i, 0)]
		}
	}
	return found, found.IsValid()
}

// addHop returns X-Forwarded-For with who is connected to us, as each proxy does when it sends a request on.
// Middlewares see the list as it came.
func addHop(prior []string, hop string) string {
	if len(prior) == 0 {
		return hop
	}
	return strings.Join(prior, ", ") + ", " + hop
}

// signRequest returns the fields that say to whom the request came, and from where. h is what came of them; nil:
// nothing.
func (x *exchange) signRequest(set []wire.Field, h http.Header, major, minor int) []wire.Field {
	if x.hop.IsValid() {
		set = append(set, wire.Field{Key: "X-Forwarded-For", Value: addHop(h["X-Forwarded-For"], x.hopText)})
	}
	if x.entryPoint.Forwarded {
		set = append(set, wire.Field{
			Key: "Forwarded", Value: addForwarded(h["Forwarded"], x.hop, x.Host, x.Scheme),
		})
	}
	return x.sign(set, h["Via"], major, minor)
}

// setForwarded tells the service who sent the request, and what for.
func setForwarded(r *http.Request, client netip.Addr) {
	h, values := r.Header, make([]string, 0, 4) // one array for all
	set := func(key, value string) {
		n := len(values)
		values = append(values, value)
		h[key] = values[n : n+1 : n+1]
	}
	if client.IsValid() {
		set("X-Real-Ip", addrText(r.RemoteAddr, client))
	}
	if len(h["X-Forwarded-Proto"]) == 0 {
		set("X-Forwarded-Proto", scheme(r.TLS))
	}
	if len(h["X-Forwarded-Host"]) == 0 {
		set("X-Forwarded-Host", r.Host)
	}
	if len(h["X-Forwarded-Port"]) == 0 {
		set("X-Forwarded-Port", port(r.Host, isTLS(r)))
	}
}

// isTLS reports whether the client came over TLS: to us, or to a trusted proxy in front (others' fields are gone by
// now).
func isTLS(r *http.Request) bool { return r.TLS != nil || saysTLS(r.Header) }

func saysTLS(h http.Header) bool {
	proto := h.Get("X-Forwarded-Proto")
	return proto == "https" || proto == "wss"
}

func scheme(state *tls.ConnectionState) string {
	if state != nil {
		return "https"
	}
	return "http"
}

func port(host string, secure bool) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		if _, p, err := net.SplitHostPort(host); err == nil {
			return p
		}
	}
	if secure {
		return "443"
	}
	return "80"
}

// addrText returns addr as text. from is where it was read from: mostly it begins with that text.
func addrText(from string, addr netip.Addr) string {
	if i := strings.IndexByte(from, ':'); i > 0 && addr.Is4() && strings.IndexByte(from[i+1:], ':') < 0 {
		return from[:i]
	}
	return addr.String()
}

// parseAddr reads an address with or without a port; the zero Addr where there is none.
func parseAddr(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap()
	}
	addr, _ := netip.ParseAddr(strings.Trim(s, "[]"))
	return addr.Unmap()
}

// hostname returns the host that the request is for: lower case, no port, no trailing dot.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// hopByHop are the fields that concern one connection only (RFC 9110 §7.6.1).
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// isHopByHop reports whether a field is one of hopByHop.
func isHopByHop(key string) bool {
	switch key {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// removeHopByHop removes the fields that a proxy must not pass on, those that Connection names among them.
func removeHopByHop(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}
