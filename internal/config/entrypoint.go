package config

import "time"

// EntryPoint is an address that clients connect to. The defaults are those of defaultEntryPoint.
type EntryPoint struct {
	Name    string
	Address EntryAddress `doc:"address"` // required
	// AsDefault serves the routes that name no entry point. Where no entry point says so, Load sets it on all.
	AsDefault        bool             `doc:"asDefault"`
	ProxyProtocol    *ProxyProtocol   `doc:"proxyProtocol"` // nil: connections do not begin with a PROXY header
	ForwardedHeaders ForwardedHeaders `doc:"forwardedHeaders"`
	Via              Via              `doc:"via"`
	Transport        Transport        `doc:"transport"`
	Limits           Limits           `doc:"limits"`
	HTTP2            HTTP2            `doc:"http2"`
	TCP              TCP              `doc:"tcp"`
	UDP              UDP              `doc:"udp"`
	Observability    Observability    `doc:"observability"`
	HTTP3            *HTTP3           `doc:"http3"` // nil: off
	TLS              *TLS             `doc:"tls"`   // nil: plain text
}

// ProxyProtocol believes the PROXY header, version 1 or 2, with which a connection may begin.
type ProxyProtocol struct {
	TrustedIPs []Network `doc:"trustedIPs"` // whose headers are believed
	Insecure   bool      `doc:"insecure"`   // everybody's
}

// ForwardedHeaders says whose X-Forwarded-* fields are kept. From all others they are removed.
type ForwardedHeaders struct {
	TrustedIPs []Network `doc:"trustedIPs"`
	Insecure   bool      `doc:"insecure"` // everybody's
	// Forwarded sends services Forwarded (RFC 7239), too, and believes it of those whose fields are kept.
	Forwarded bool `doc:"forwarded"`
}

// Via is how requests and answers that are passed on are signed (RFC 9110 §7.6.3).
type Via struct {
	Name    string `doc:"name"`    // default: fairlead; "" signs nothing
	Answers bool   `doc:"answers"` // default: true
}

// Transport bounds connections in time.
type Transport struct {
	RespondingTimeouts RespondingTimeouts `doc:"respondingTimeouts"`
	LifeCycle          LifeCycle          `doc:"lifeCycle"`
}

// RespondingTimeouts bound one request; zero means no limit.
type RespondingTimeouts struct {
	ReadTimeout   time.Duration `doc:"readTimeout"`   // of a whole request, or of 64 KiB of a long one; default: 60 s
	WriteTimeout  time.Duration `doc:"writeTimeout"`  // of a whole answer; default: no limit
	IdleTimeout   time.Duration `doc:"idleTimeout"`   // between two requests; default: 180 s; 0: ReadTimeout
	HeaderTimeout time.Duration `doc:"headerTimeout"` // of a request's head; default: 10 s
	StallTimeout  time.Duration `doc:"stallTimeout"`  // of a client that takes nothing of an answer; default: 60 s
}

// LifeCycle says how the entry point ends.
type LifeCycle struct {
	// RequestAcceptGraceTimeout is how long requests are accepted as before once the instance is told to stop, while it
	// already says that it is not ready. Default: 0.
	RequestAcceptGraceTimeout time.Duration `doc:"requestAcceptGraceTimeout"`
	// GraceTimeOut is how long requests that are under way may then take. Default: 10 s.
	GraceTimeOut time.Duration `doc:"graceTimeOut"`
}

// Limits bound what a client may cost.
type Limits struct {
	HeaderBytes          int `doc:"headerBytes"`          // of a request's head; default: 64 KiB
	Headers              int `doc:"headers"`              // fields of a request; default: 200
	Connections          int `doc:"connections"`          // at once; 0, the default: no limit
	ConnectionsPerClient int `doc:"connectionsPerClient"` // at once, from one address; default: 4096; 0: no limit
}

// HTTP2 bounds HTTP/2 connections.
type HTTP2 struct {
	MaxConcurrentStreams int `doc:"maxConcurrentStreams"` // of one connection, HTTP/3's too; default: 250
}

// HTTP3 serves the entry point over QUIC, too: on the same address and port, over UDP.
type HTTP3 struct {
	AdvertisedPort int  `doc:"advertisedPort"` // that clients are told to come to; default: the entry point's own
	ZeroRTT        bool `doc:"zeroRTT"`        // safe requests are served before the handshake is complete
}

// TCP bounds the streams of TCP routes.
type TCP struct {
	IdleTimeout time.Duration `doc:"idleTimeout"` // without a byte either way, until a cut; default: 1 h; 0: no limit
}

// UDP bounds the sessions of an entry point for UDP.
type UDP struct {
	Timeout time.Duration `doc:"timeout"` // without a datagram either way, until a session ends; default: 3 s
}

// Observability says what is told of the requests whose routes do not say it.
type Observability struct {
	AccessLogs bool `doc:"accessLogs"` // default: true
	Metrics    bool `doc:"metrics"`    // default: true
	Tracing    bool `doc:"tracing"`    // default: true
	// TraceVerbosity is "minimal" (the default), one span for each request and one for each attempt, or "detailed", one
	// for each middleware besides.
	TraceVerbosity string `doc:"traceVerbosity"`
}

// TLS serves the entry point over TLS.
type TLS struct {
	Certificates []KeyPair `doc:"certificates"` // the first is shown to clients that name no host
	MinVersion   string    `doc:"minVersion"`   // "1.2" (the default) or "1.3"
}

func defaultEntryPoint(name string) EntryPoint {
	return EntryPoint{
		Name: name,
		Via:  Via{Name: "fairlead", Answers: true},
		Transport: Transport{
			RespondingTimeouts: RespondingTimeouts{
				ReadTimeout: 60 * time.Second, IdleTimeout: 180 * time.Second, HeaderTimeout: 10 * time.Second,
				StallTimeout: 60 * time.Second,
			},
			LifeCycle: LifeCycle{GraceTimeOut: 10 * time.Second},
		},
		Limits: Limits{HeaderBytes: 64 << 10, Headers: 200, ConnectionsPerClient: 4096},
		HTTP2:  HTTP2{MaxConcurrentStreams: 250},
		TCP:    TCP{IdleTimeout: time.Hour},
		UDP:    UDP{Timeout: 3 * time.Second},

		Observability: Observability{AccessLogs: true, Metrics: true, Tracing: true, TraceVerbosity: "minimal"},
	}
}
