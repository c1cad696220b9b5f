package route

import (
	"net/http"
	"net/netip"

	"github.com/fairlead/fairlead/internal/model"
)

// Request is what a rule may ask of a request, or, in other lanes than HTTP's, of a connection or a client's datagrams.
// The caller fills it from its own request; Match does not keep it, so it may live on the caller's stack.
type Request struct {
	Lane       model.Lane
	EntryPoint string // where the request came in
	Default    bool   // that entry point serves the routes that name none
	TLS        bool   // the request came over TLS

	Method string // as sent; methods are case-sensitive (RFC 9110 §9.1)
	// Host is lower case, without port and trailing dot; "" where the client sent none. Of a connection, it is the name
	// that the client asks for when it begins TLS (SNI, RFC 6066 §3).
	Host   string
	ALPN   []string // the protocols that the client of a connection offers when it begins TLS
	Path   string   // decoded, as the services will see it
	Header http.Header
	// HeaderAsked is set by Match if a rule wanted to see a field. Whoever left out Header must then match again, with it.
	HeaderAsked bool
	// RawQuery is what follows the question mark, undecoded.
	RawQuery string
	ClientIP netip.Addr // IPv4 addresses may be mapped into IPv6; a zone is ignored
}
