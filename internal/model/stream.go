package model

import (
	"reflect"
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

// Stream says how connections of the lane tcp are made to a service's endpoints.
type Stream struct {
	// ProxyProtocol tells the endpoint who the client is: 1 or 2, the version of the header. 0: it is not told.
	ProxyProtocol int           `json:"proxyProtocol,omitempty"`
	DialTimeout   time.Duration `json:"dialTimeout,omitempty"` // 0 is 3 s
	KeepAlive     time.Duration `json:"keepAlive,omitempty"`   // between probes of a silent connection; 0 is 15 s
	// Termination is how long one direction may go on after the other has ended. 0: as long as its side wants.
	Termination time.Duration `json:"termination,omitempty"`

	// Of TLS to the endpoint.
	ServerName string   `json:"serverName,omitempty"` // asked for and expected; "" is the endpoint's host
	Insecure   bool     `json:"insecure,omitempty"`   // the endpoint's certificate is not checked
	Roots      []string `json:"roots,omitempty"`      // files of CA certificates, PEM; none: the system's
	PeerURI    string   `json:"peerURI,omitempty"`    // that the endpoint's certificate must have among its names
	SPIFFE     *SPIFFE  `json:"spiffe,omitempty"`     // in place of names, roots and certificates; nil: those
	// Certificates are shown to the endpoint when it asks for one.
	Certificates []KeyFiles `json:"certificates,omitempty"`
}

// IsZero reports whether s asks for nothing.
func (s *Stream) IsZero() bool { return reflect.ValueOf(s).Elem().IsZero() }

// KeyFiles name a certificate and its key.
type KeyFiles struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// InFlightConn admits Amount connections of each client at once.
type InFlightConn struct {
	Amount int64 `json:"amount"`
}
