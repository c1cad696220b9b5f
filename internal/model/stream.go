package model

import (
	"cmp"
	"time"
)

// The protocols of services that streams go to.
const (
	TCP Protocol = "tcp" // bytes as they are
	TLS Protocol = "tls" // TLS to the endpoint
	UDP Protocol = "udp"
)

// The tests of stream routes. [ClientIP] is one of theirs, too.
const (
	HostSNI       Test = "HostSNI"       // the name that a TLS client asks for, lower case; "*" is every connection
	HostSNIRegexp Test = "HostSNIRegexp" // against the lower-case name
	ALPN          Test = "ALPN"          // one of the protocols that a TLS client offers (RFC 7301)
)

// Stream is what streams are led to endpoints with.
type Stream struct {
	// ProxyProtocol tells the endpoint who the client is: 1 or 2, the version of the header. 0: it is not told.
	ProxyProtocol int `json:"proxyProtocol,omitempty"`
	// Termination is how long one direction may go on after the other has ended. Below 0: as long as its side wants. 0:
	// the same, where nobody else says anything.
	Termination time.Duration `json:"termination,omitempty"`
}

// Or returns s, with what o says where s says nothing.
func (s Stream) Or(o Stream) Stream {
	return Stream{cmp.Or(s.ProxyProtocol, o.ProxyProtocol), cmp.Or(s.Termination, o.Termination)}
}

// InFlightConn admits Amount connections of each client at once.
type InFlightConn struct {
	Amount int64 `json:"amount"`
}
