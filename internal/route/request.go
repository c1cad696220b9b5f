package route

import (
	"net/http"
	"net/netip"
)

// Request is what a rule may ask of a request. The caller fills it from its own request; Match does not keep it, so it
// may live on the caller's stack.
type Request struct {
	EntryPoint string // where the request came in
	Default    bool   // that entry point serves the routes that name none
	TLS        bool   // the request came over TLS

	Method string // as sent; methods are case-sensitive (RFC 9110 §9.1)
	Host   string // lower case, without port and trailing dot; "" where the client sent none
	Path   string // decoded, as the services will see it
	Header http.Header
	// HeaderAsked is set by Match if a rule wanted to see a field. Whoever left out Header must then match again, with it.
	HeaderAsked bool
	// RawQuery is what follows the question mark, undecoded.
	RawQuery string
	ClientIP netip.Addr // IPv4 addresses may be mapped into IPv6; a zone is ignored
}
