package model

import (
	"cmp"
	"slices"
	"time"
)

// Protocol is what an endpoint speaks.
type Protocol string

// The protocols. The empty one means [HTTP].
const (
	HTTP  Protocol = "http"  // HTTP/1.1 in plain text
	HTTPS Protocol = "https" // HTTP/1.1 or HTTP/2 over TLS
	H2C   Protocol = "h2c"   // HTTP/2 in plain text, with prior knowledge
)

// Service is a named set of interchangeable endpoints, or (Backends) a choice among other services.
type Service struct {
	Name      Name       `json:"name"`
	Source    Source     `json:"source"`
	Lane      Lane       `json:"lane,omitempty"`
	Protocol  Protocol   `json:"protocol,omitempty"`
	Endpoints []Endpoint `json:"endpoints,omitempty"` // sorted by Addr, each Addr once
	// Backends makes this a choice among other services, in the way that Use says; Endpoints is then empty.
	Backends []Backend `json:"backends,omitempty"`
	Use      Use       `json:"use,omitempty"`
	// Aware leaves out backends that are down, while others are up.
	Aware bool `json:"aware,omitempty"`
	// FailOn and Mirrored are more about the uses of these names. Nil: nothing more.
	FailOn   *FailOn   `json:"failOn,omitempty"`
	Mirrored *Mirrored `json:"mirrored,omitempty"`
	// Sticky keeps a session where its first request went. Nil: each request is decided anew.
	Sticky *Sticky `json:"sticky,omitempty"`
	// Middlewares see each request for the service, in their order, whatever led it here.
	Middlewares []Ref   `json:"middlewares,omitempty"`
	Balance     Balance `json:"balance,omitzero"`
	// Passive says when requests that fail put an endpoint out. Nil: as by default.
	Passive *Passive `json:"passive,omitempty"`
	// Check is the active health check. Nil: none; then endpoints count as healthy until requests say otherwise.
	Check *HealthCheck `json:"check,omitempty"`
	// RewriteHost sends the endpoint's address as the Host field instead of the client's.
	RewriteHost bool `json:"rewriteHost,omitempty"`
	// Transport names how the endpoints are reached; gateways are reached as their cluster says. Zero: the default.
	Transport Ref `json:"transport,omitzero"`
	// Stream goes before what the transport says of it, in the lane of TCP.
	Stream Stream `json:"stream,omitzero"`
}

// Endpoint is one address of a service.
type Endpoint struct {
	Addr    string        `json:"addr"`              // host:port to dial
	Cluster string        `json:"cluster,omitempty"` // where it runs; "" is this instance's own cluster
	Zone    string        `json:"zone,omitempty"`
	Weight  int           `json:"weight"` // relative to its siblings in the cluster; 0 drains it
	State   EndpointState `json:"state,omitempty"`
	// Path is put before that of each request. "": nothing is.
	Path string `json:"path,omitempty"`
	// Gateway says that Addr is a cluster's link entry point, which picks the final endpoint.
	Gateway bool `json:"gateway,omitempty"`
}

// EndpointState is what the source says of an endpoint. Health as seen from here is not in the model: it is live state
// of the host (package upstream).
type EndpointState string

// The states of an endpoint. The empty one means [Ready].
const (
	Ready    EndpointState = ""
	Draining EndpointState = "draining" // serves what it has, gets no new sessions
	NotReady EndpointState = "notReady"
)

// Backend is a service that a route or a weighted service leads to, with its share of the requests.
type Backend struct {
	Service Ref `json:"service"`
	Weight  int `json:"weight"` // relative to its siblings; 0 gets nothing
}

// Balance says how requests are spread over a service's endpoints.
type Balance struct {
	// Picker chooses a host inside one cluster. "" means [P2C].
	Picker Picker `json:"picker,omitempty"`
	// Shares says which part each cluster gets, sorted by Cluster. A cluster that is not named has tier 0 and weight
	// 100.
	Shares []Share `json:"shares,omitempty"`
	// Spill is the healthy part of a tier, in percent, below which requests overflow to the next tier. Zero: 70.
	Spill int `json:"spill,omitempty"`
	// FailClosed answers 503 when no host is healthy. By default the hosts are then tried as if all were (panic mode):
	// a mistaken health check must not take a service down.
	FailClosed bool `json:"failClosed,omitempty"`
}

// Picker names a way of choosing a host.
type Picker string

// The pickers.
const (
	P2C  Picker = "p2c"       // the better of two random hosts, by peak-EWMA latency × requests in flight
	WRR  Picker = "wrr"       // weighted round robin
	LRQ  Picker = "leastconn" // fewest requests in flight
	LRT  Picker = "leasttime" // the best of all by average time to the answer's head × requests in flight
	HRW  Picker = "hrw"       // rendezvous hash of the client's address
	None Picker = ""
)

// Share is a cluster's part of a service's requests.
type Share struct {
	Cluster string `json:"cluster"` // "" is this instance's own
	Tier    int    `json:"tier"`    // a higher tier is used only when the lower ones are not healthy enough
	Weight  int    `json:"weight"`  // relative to the clusters of the same tier; 0 gets nothing new
}

// DefaultShareWeight is the weight of a cluster of which nothing is said.
const DefaultShareWeight = 100

// Share returns what the policy says of a cluster.
func (b Balance) Share(cluster string) Share {
	i, ok := slices.BinarySearchFunc(b.Shares, cluster, func(s Share, c string) int { return cmp.Compare(s.Cluster, c) })
	if !ok {
		return Share{Cluster: cluster, Weight: DefaultShareWeight}
	}
	return b.Shares[i]
}

// HealthCheck is an active check of every endpoint of a service.
type HealthCheck struct {
	Path     string            `json:"path,omitempty"`   // "" checks that a TCP connection can be made
	Send     string            `json:"send,omitempty"`   // sent over that connection; "" is nothing
	Expect   string            `json:"expect,omitempty"` // what must then be the first to come; "" is anything
	Method   string            `json:"method,omitempty"` // "" is GET
	Scheme   string            `json:"scheme,omitempty"` // "" is the service's
	Port     int               `json:"port,omitempty"`   // 0 is the endpoint's
	Host     string            `json:"host,omitempty"`   // the Host field; "" is the endpoint's address
	Headers  map[string]string `json:"headers,omitempty"`
	Status   int               `json:"status,omitempty"`   // 0 accepts 200 to 399
	Interval time.Duration     `json:"interval,omitempty"` // 0 is 30 s
	// Unhealthy is the interval while the endpoint is not healthy; 0: the same.
	Unhealthy time.Duration `json:"unhealthy,omitempty"`
	// GRPC asks by gRPC's health checking protocol, in place of a path; Stay takes a redirect for the answer, in place of
	// following it.
	GRPC    bool          `json:"grpc,omitempty"`
	Stay    bool          `json:"stay,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"` // 0 is 5 s
	Rise    int           `json:"rise,omitempty"`    // successes in a row until healthy; 0 is 1
	Fall    int           `json:"fall,omitempty"`    // failures in a row until unhealthy; 0 is 1
	// TLS is that of the transport with which the check is made. Nil, as in a snapshot: whom the system trusts.
	TLS *TransportTLS `json:"tls,omitempty"`
}
