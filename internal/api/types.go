package api

import "time"

// The wire types. Their comments become the descriptions in openapi.json (go test ./internal/api -update).
//
// Names are "namespace/name", or "name" where the source knows no namespaces; references are "name@source". Times are
// RFC 3339. A field that is left out has the zero meaning that its comment gives.

// List is the answer to a question for several objects.
type List[T any] struct {
	Items []T `json:"items"` // sorted; empty where nothing is there, or nothing passes the filter
}

// Version says which program answers, and how far it is.
type Version struct {
	Version  string `json:"version"`  // of the program; "dev" where it was not built as a release
	Cluster  string `json:"cluster"`  // what the instance calls the cluster that it runs in
	Snapshot uint64 `json:"snapshot"` // version of the merged snapshot that requests are served from; 0: none yet
}

// Status is the answer of the health checks.
type Status struct {
	Status string `json:"status" enum:"alive,ready"`
}

// Route is what a request must look like, and where it goes.
type Route struct {
	Name    string `json:"name"`
	Source  string `json:"source"`                   // which provider it came from: "file/main", "link/paris"
	Lane    string `json:"lane" enum:"http,tcp,udp"` // what it leads: requests, connections or datagrams
	Cluster string `json:"cluster"`                  // where it was learned: this instance's own, or the followed cluster
	Rule    string `json:"rule"`                     // in the rule language, in its canonical form; "": every request
	// Priority decides among routes that match the same request: the higher is served.
	Priority int `json:"priority"`
	// Entry points that it is served on. None: those that serve by default.
	EntryPoints []string  `json:"entryPoints,omitempty"`
	TLS         bool      `json:"tls"`                   // served to requests that came over TLS, and to no others
	Passthrough bool      `json:"passthrough,omitempty"` // TLS does not end here, but at the service
	Backends    []Backend `json:"backends"`
	// Middlewares, in the order in which they see the request.
	Middlewares []string `json:"middlewares,omitempty"`
	// ExportedAs is the fleet-wide name of the service, where the route is offered to followers.
	ExportedAs string `json:"exportedAs,omitempty"`
	// Since is when the claim to the rule was first seen, for a route of a followed cluster.
	Since time.Time `json:"since,omitzero"`
	// Served says whether requests can be led by it. A route may have a problem and be served.
	Served bool   `json:"served"`
	Status string `json:"status" enum:"ok,problem"` // "problem": see problems
	// Problems are the codes of what is wrong with it, sorted, each once. Ask /problems for the text.
	Problems []string `json:"problems,omitempty"`
}

// Backend is a service that a route or a weighted service leads to.
type Backend struct {
	Service string `json:"service"` // reference, as the owner wrote it
	Weight  int    `json:"weight"`  // relative to its siblings; 0 gets nothing
}

// Service is a named set of interchangeable endpoints, or a use of other services.
type Service struct {
	Name string `json:"name"`
	// Source is "link" where it is a fleet service, pooled from the clusters that export it.
	Source   string `json:"source"`
	Lane     string `json:"lane" enum:"http,tcp,udp"` // of the routes that may lead to it
	Protocol string `json:"protocol" enum:"http,https,h2c,tcp,tls,udp"`
	// Used says whether a served route leads to it. Where none does, nothing is known of its clusters' shares.
	Used bool `json:"used"`
	// Reason says that requests go elsewhere than usual, or nowhere. "": by the shares, among healthy hosts.
	Reason    string         `json:"reason,omitempty" enum:"standby,panic,no_endpoints,none_healthy,cluster_unreachable"`
	Clusters  []ClusterShare `json:"clusters,omitempty"`  // sorted by tier, then cluster
	Endpoints []Endpoint     `json:"endpoints,omitempty"` // sorted by address
	// Backends are set for a service that uses others, and has no endpoints of its own.
	Backends []Backend `json:"backends,omitempty"`
	// Use says how it uses them. Left out: each request goes to one, by weight. client: to the one that the client's
	// address belongs to. failover: to the first that is up. mirror: to the first, and copies to the others.
	Use string `json:"use,omitempty" enum:"client,failover,mirror"`
}

// ClusterShare is what one cluster gets of a service's requests at this moment, and why.
type ClusterShare struct {
	Cluster  string  `json:"cluster"`
	Tier     int     `json:"tier"`     // a higher tier is used only when the lower ones are not healthy enough
	Weight   int     `json:"weight"`   // relative to the clusters of the same tier; 0 gets nothing new
	Share    float64 `json:"share"`    // percent of the service's new requests
	Healthy  float64 `json:"healthy"`  // part of the hosts that may be used, 0 to 1
	Capacity float64 `json:"capacity"` // part of its endpoints that the cluster itself calls ready, 0 to 1
	Why      string  `json:"why"`      // for people
}

// Endpoint is one address of a service, and its live state as seen from here.
type Endpoint struct {
	Address string `json:"address"` // host:port that is dialled
	Cluster string `json:"cluster"` // where it runs
	Zone    string `json:"zone,omitempty"`
	Weight  int    `json:"weight"` // relative to its siblings in the cluster; 0 drains it
	// State is what its source says of it.
	State   string `json:"state" enum:"ready,draining,notReady"`
	Gateway bool   `json:"gateway"` // the address is the cluster's link entry point, which picks the final endpoint
	// Health is what checks and requests say of it.
	Health       string    `json:"health" enum:"unknown,healthy,unhealthy"`
	EjectedUntil time.Time `json:"ejectedUntil,omitzero"` // failing requests put it out; past: a trial is due
	HeldUntil    time.Time `json:"heldUntil,omitzero"`    // it came back, and waits in reserve until then
	LastError    string    `json:"lastError,omitempty"`
	// Candidate says that the next request might be sent to it. Explanations only.
	Candidate bool `json:"candidate,omitempty"`
}

// Cluster is this instance's own cluster, or one that it follows.
type Cluster struct {
	Name string `json:"name"`
	Self bool   `json:"self"` // this instance runs in it
	// Link is the state of the connection over which routes are learned. "never": not up since the start; what was known
	// before may be served all the same. "local" for the own cluster.
	Link string `json:"link" enum:"local,up,lost,never"`
	// DataPath says whether requests get into the cluster, as its gateways' probes say. "local" for the own cluster.
	DataPath string `json:"dataPath" enum:"local,up,lost,unknown"`
	// Address of the link entry point that answers, or is tried next.
	Address       string    `json:"address,omitempty"`
	RemoteName    string    `json:"remoteName,omitempty"`   // what the cluster calls itself
	Since         time.Time `json:"since,omitzero"`         // when the link became up or lost
	Revision      uint64    `json:"revision,omitempty"`     // of the cluster's state that is known here
	Reconnects    int       `json:"reconnects"`             // connections after the first
	LastHeartbeat time.Time `json:"lastHeartbeat,omitzero"` // left out: none yet
	LastError     string    `json:"lastError,omitempty"`    // why the last connection ended or was not made
	Routes        int       `json:"routes"`                 // that are known and granted
	Refused       int       `json:"refused"`                // that are not granted, or bad
	Ready         int       `json:"ready"`                  // endpoints of all services that are ready
	Total         int       `json:"total"`                  // endpoints of all services
	// Followers are the instances that follow this one, by the key that they use. Own cluster only.
	Followers []Follower `json:"followers,omitempty"`
}

// Follower is what is known of the instances that follow this one with the same key.
type Follower struct {
	Key     string    `json:"key"`           // id of the key
	Watches int       `json:"watches"`       // open now; 0: the follower is gone
	At      time.Time `json:"at,omitzero"`   // when it last said what is wrong; left out: never
	Gone    time.Time `json:"gone,omitzero"` // since when no watch is open
	// Problems is how many problems it has with what this instance exports. Ask /problems for them.
	Problems int `json:"problems"`
}

// Host is the live state of one address. It outlives every change of configuration.
type Host struct {
	Address      string    `json:"address"`
	Cluster      string    `json:"cluster"`
	Gateway      bool      `json:"gateway"` // the address is the cluster's link entry point
	Health       string    `json:"health" enum:"unknown,healthy,unhealthy"`
	EjectedUntil time.Time `json:"ejectedUntil,omitzero"`
	HeldUntil    time.Time `json:"heldUntil,omitzero"`
	InFlight     int64     `json:"inFlight"`
	LatencyMs    float64   `json:"latencyMs"` // peak-EWMA of the time to an answer's head; 0: not measured
	Requests     uint64    `json:"requests"`
	Failures     uint64    `json:"failures"` // no answer, or one of status 500 and above
	LastError    string    `json:"lastError,omitempty"`
	LastErrorAt  time.Time `json:"lastErrorAt,omitzero"`
}

// Problem is one thing wrong with one object.
type Problem struct {
	Kind    string    `json:"kind"`           // of the object: "route", "service", "middleware", "source", "cluster"
	Name    string    `json:"name,omitempty"` // of the object; left out for a source
	Source  string    `json:"source,omitempty"`
	Lane    string    `json:"lane,omitempty" enum:"tcp,udp"` // of the object; left out: http, or none
	Cluster string    `json:"cluster"`                       // where the object was learned
	Field   string    `json:"field,omitempty"`               // as the owner writes it
	Code    string    `json:"code"`                          // stable and countable: "unknown_service", "conflict", …
	Message string    `json:"message"`                       // for people; says what to do
	At      string    `json:"at,omitempty"`                  // file:line
	Since   time.Time `json:"since,omitzero"`                // when it began, where that is known
	// Reporter is the key id of the follower that reports it; left out: found here.
	Reporter string `json:"reporter,omitempty"`
}

// Provider is one source of routes and services.
type Provider struct {
	Source string `json:"source"` // "file/main", "link/paris"
	// Status: "stale": it cannot be read, its last known state is served; "late": it had said nothing at the start
	// deadline; "awaited": it has said nothing yet, and the instance is not ready.
	Status      string    `json:"status" enum:"ok,stale,late,awaited"`
	Since       time.Time `json:"since,omitzero"`     // since when it is stale
	Error       string    `json:"error,omitempty"`    // why it cannot be read
	Changed     time.Time `json:"changed,omitzero"`   // when its objects changed last; left out: nothing was heard yet
	Reconnects  int       `json:"reconnects"`         // how often it could be read again after it could not
	Revision    uint64    `json:"revision,omitempty"` // of the followed cluster's state; links only
	Routes      int       `json:"routes"`
	Services    int       `json:"services"`
	Middlewares int       `json:"middlewares"`
	Problems    int       `json:"problems"` // with the source and its objects
}

// Registration is one instance of a service, as it registered itself.
type Registration struct {
	Service  string             `json:"service"`
	Address  string             `json:"address"` // host:port
	Protocol string             `json:"protocol" enum:"http,https,h2c,tcp,udp"`
	Weight   int                `json:"weight"` // relative to the others of the service; 0 drains it
	State    string             `json:"state" enum:"ready,draining,notReady"`
	Labels   map[string]string  `json:"labels,omitempty"`
	Check    *RegistrationCheck `json:"check,omitempty"` // left out: none
	TTL      string             `json:"ttl"`             // of the lease: "15s"
	By       string             `json:"by,omitempty"`    // id of the key that it came with
	Since    time.Time          `json:"since"`           // when it was registered; renewals do not count
	Ends     time.Time          `json:"ends"`            // when the lease does
}

// RegistrationSpec is what an instance of a service says of itself.
type RegistrationSpec struct {
	Protocol string `json:"protocol,omitempty" enum:"http,https,h2c,tcp,udp"` // left out: http
	Weight   *int   `json:"weight,omitempty"`                                 // 0 to 1000; left out: 1
	// State: "draining" gets no new sessions, "notReady" gets no requests. Left out: ready.
	State string `json:"state,omitempty" enum:"ready,draining,notReady"`
	// Labels make routes and middlewares, as those of containers do. They need the scope register:*.
	Labels map[string]string `json:"labels,omitempty"`
	// Check is made by the instance, of all instances of the service. That of the first one counts. Left out: none.
	Check *RegistrationCheck `json:"check,omitempty"`
	TTL   string             `json:"ttl,omitempty"` // of the lease, 1s to 1h; left out: 15s
}

// RegistrationCheck is how it is checked that instances of a service are well.
type RegistrationCheck struct {
	Path     string `json:"path,omitempty"`     // left out: a TCP connection is made
	Interval string `json:"interval,omitempty"` // left out: 30s
	Timeout  string `json:"timeout,omitempty"`  // left out: 5s
}

// Key is what may be known of an API key. The secret is not.
type Key struct {
	ID           string    `json:"id"`    // public
	Owner        string    `json:"owner"` // for people: who uses it
	Scopes       []string  `json:"scopes"`
	State        string    `json:"state" enum:"active,revoked,expired"`
	Created      time.Time `json:"created"`
	Expires      time.Time `json:"expires,omitzero"` // left out: never
	Revoked      time.Time `json:"revoked,omitzero"`
	Rotated      time.Time `json:"rotated,omitzero"`      // when the present secret was made; left out: with the key
	OverlapUntil time.Time `json:"overlapUntil,omitzero"` // until when the secret before the last rotation is good, too
	LastUsed     time.Time `json:"lastUsed,omitzero"`     // left out: never
}

// KeySpec is what a new key shall be.
type KeySpec struct {
	Owner string `json:"owner"` // 1 to 128 printable characters
	// Scopes: link:read, link:traffic, api:read, api:write, admin, route:NAME (route:* for all), register:SERVICE
	// (register:* for all), or the roles viewer, operator, admin. At least one.
	Scopes  []string  `json:"scopes"`
	Expires time.Time `json:"expires,omitzero"` // left out: never
}

// Rotation says how a key is given a new secret.
type Rotation struct {
	// Overlap is how long the secret before is good, too: "24h", "90m". Left out: it ends now. At most 720h.
	Overlap string `json:"overlap,omitempty"`
}

// IssuedKey is a key and what its user presents.
type IssuedKey struct {
	Key       Key    `json:"key"`
	Presented string `json:"presented"` // flk_…: shown here, and never again
}

// Explanation says where a request would go now, and why. It is made by the code that serves requests.
type Explanation struct {
	Request ExplainedRequest `json:"request"`
	Chosen  *Route           `json:"chosen,omitempty"` // left out: no route accepts the request, the answer is 404
	// Steps are the routes of the host, and those of every host, in the order in which they are tried.
	Steps []Step `json:"steps,omitempty"`
	// Backends are the services that share the chosen route's requests. None: the answer is 503.
	Backends []Destination `json:"backends,omitempty"`
}

// ExplainedRequest is the request as the routes see it.
type ExplainedRequest struct {
	Method     string   `json:"method"`
	Scheme     string   `json:"scheme" enum:"http,https,tcp,tls,udp"`
	Host       string   `json:"host"` // lower case, without port
	Path       string   `json:"path"` // decoded, dot segments resolved
	Query      string   `json:"query,omitempty"`
	Headers    []string `json:"headers,omitempty"`    // "Name: value"
	ALPN       []string `json:"alpn,omitempty"`       // protocols that a TLS client offers
	ClientIP   string   `json:"clientIP,omitempty"`   // left out: none was given; then no test of the address holds
	EntryPoint string   `json:"entryPoint,omitempty"` // left out: any that serves by default
}

// Step is what became of one route.
type Step struct {
	Route    string `json:"route"` // reference
	Rule     string `json:"rule"`
	Priority int    `json:"priority"`
	Served   bool   `json:"served"`
	Chosen   bool   `json:"chosen"`
	Why      string `json:"why,omitempty"` // why it was not chosen: the first test that failed, or what else kept it
}

// Destination is a service of the chosen route and how its requests are spread now.
type Destination struct {
	Service   string         `json:"service"`          // reference
	Via       []string       `json:"via,omitempty"`    // references of the services that lead there, the route's own first
	Copies    bool           `json:"copies,omitempty"` // it gets copies of requests that other services answer
	Percent   float64        `json:"percent"`          // of the route's requests
	Reason    string         `json:"reason,omitempty" enum:"standby,panic,no_endpoints,none_healthy,cluster_unreachable"`
	Clusters  []ClusterShare `json:"clusters,omitempty"`
	Endpoints []Endpoint     `json:"endpoints,omitempty"`
}

// Change says that something was learned, or forgotten, and is served.
type Change struct {
	Version uint64 `json:"version"` // of the merged snapshot; it grows, and may skip numbers
}

// Error is a problem with a request (RFC 9457), and the error that [Client] returns for it.
type Error struct {
	Title   string   `json:"title"` // the status in words
	Status  int      `json:"status"`
	Detail  string   `json:"detail,omitempty"`  // for people
	Awaited []string `json:"awaited,omitempty"` // sources that the instance waits for before it is ready
}

// Error returns one line for people.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Title
	}
	return e.Detail
}
