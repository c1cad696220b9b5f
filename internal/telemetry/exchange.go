package telemetry

import "time"

// Exchange is one request and its answer, when both are over. EntryPoint, Route, Service, Cluster and Reason become
// labels and are kept: they must be text that lasts. The rest may be a view of a buffer that is used again.
type Exchange struct {
	Start    time.Time
	Duration time.Duration // until the answer's last byte was written

	// Lane is "tcp" or "udp" for a stream: a connection, or a UDP session. Then there are no Method, Path and Status;
	// Scheme is "tcp", "tls" or "udp", and Host the name that a TLS client asked for. "": HTTP.
	Lane       string
	EntryPoint string
	Method     string
	Proto      string // "HTTP/1.1"
	Scheme     string // "http" or "https"
	Host       string // as the client wrote it
	Path       string // as the client wrote it; a query is not logged
	ClientAddr string // address, with or without port

	Route    string // "name@source"; "" where none was found
	Service  string // "name@source"
	Cluster  string // where the last attempt went; "" is this instance's own
	Endpoint string // host:port of the last attempt

	Status   int   // of the answer; 0: none was begun
	BytesIn  int64 // of the request's body
	BytesOut int64 // of the answer's body
	Attempts int   // to send it to an endpoint; 0: none was made
	// Reason says why, where Fairlead itself made the answer: one word of a fixed list, such as "no_route", "timeout",
	// "refused_by_apiKey". "": it is a service's answer.
	Reason string
	// Unlogged and Unmeasured say that the route wants no line in the access log, and not to be counted.
	Unlogged, Unmeasured bool

	// Rules are those of a firewall that the request matches, by their numbers.
	Rules []int

	Trace *Trace // its place in a trace; nil: it is not traced

	Mode string // how the endpoint was chosen, where that was not the usual way, such as "panic"
}
