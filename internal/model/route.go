package model

import "time"

// Route is what a request must look like and where it goes. In the lane of TCP, a request is a connection; in that of
// UDP, the datagrams of one client.
type Route struct {
	Name        Name     `json:"name"`
	Source      Source   `json:"source"`
	Lane        Lane     `json:"lane,omitempty"`
	EntryPoints []string `json:"entryPoints,omitempty"` // sorted; empty: every entry point that serves by default
	Match       Match    `json:"match"`
	// Priority decides among routes that match the same request: the higher is served. A source resolves it before it
	// publishes: where the owner gives none, it is the length of the rule in characters.
	Priority int `json:"priority"`
	// TLS serves the route to requests that came over TLS, and to no others. Where false, it is served to both; in the
	// lane of TCP, to connections without TLS only.
	TLS bool `json:"tls,omitempty"`
	// Passthrough leaves TLS to the service. Otherwise it ends here. With TLS, in the lane of TCP only.
	Passthrough bool `json:"passthrough,omitempty"`
	// TLSOptions are the terms on which clients may begin TLS with the route's hosts. Zero: the default ones.
	TLSOptions Ref `json:"tlsOptions,omitzero"`
	// TLSNames are those for which there should be a certificate.
	TLSNames []string `json:"tlsNames,omitempty"`
	// Parents are the routes under which this one is served, and nowhere else: when the middlewares of one of them have
	// seen a request, the route is chosen among its children by what the request is then. It has the entry points and the
	// TLS of its parents. A route with children has no backends. HTTP only.
	Parents     []Ref     `json:"parents,omitempty"`
	Middlewares []Ref     `json:"middlewares,omitempty"` // in the order in which they see the request
	Backends    []Backend `json:"backends"`
	Timeouts    Timeouts  `json:"timeouts,omitzero"`
	// Observability says what is told of the route's requests, where it is another thing than the entry point says.
	Observability Observability `json:"observability,omitzero"`
	Export        Export        `json:"export,omitzero"`
	// Broken says that a part of the definition could not be understood, which may have been what protects the route.
	// It takes its requests, so that no broader route gets them, and answers 503.
	Broken bool `json:"broken,omitempty"`
	// Since is when the claim to the rule was first seen (routes of a link; kept across restarts). Zero: always ours.
	Since time.Time `json:"since,omitzero"`
}

// Timeouts bound one request. Zero fields mean the instance's defaults.
type Timeouts struct {
	Header time.Duration `json:"header,omitempty"` // from the request's last byte to the answer's head, per attempt
	Total  time.Duration `json:"total,omitempty"`  // the whole exchange, attempts included
}

// Observability says what is told of requests: those of a route, or those of an entry point whose routes say nothing.
type Observability struct {
	AccessLogs Switch `json:"accessLogs,omitempty"` // a line in the access log
	Metrics    Switch `json:"metrics,omitempty"`    // a part in the counters
	Tracing    Switch `json:"tracing,omitempty"`    // spans
	// Detailed is a span for each middleware, too. It is off where nobody says anything.
	Detailed Switch `json:"detailed,omitempty"`
}

// Switch is on, off, or what is said elsewhere.
type Switch string

// What a [Switch] may say. "" is what is said elsewhere, and on where nothing is.
const (
	On  Switch = "on"
	Off Switch = "off"
)

// SwitchOf returns the switch that a value, or none, stands for.
func SwitchOf(value *bool) Switch {
	switch {
	case value == nil:
		return ""
	case *value:
		return On
	}
	return Off
}

// IsOff reports whether the switch, or where it says nothing the other, is off.
func (s Switch) IsOff(other Switch) bool { return s == Off || s == "" && other == Off }

// Export says whether a route is offered to followers, and the fleet-wide name of the service it leads to.
type Export struct {
	Offered bool `json:"offered,omitempty"`
	// As is the fleet-wide service name. Zero: the name of the route's (only or first) backend.
	As Name `json:"as,omitzero"`
}

// ExportedAs returns the fleet-wide name of the service that the route leads to.
func (r *Route) ExportedAs() Name {
	if !r.Export.As.IsZero() || len(r.Backends) == 0 {
		return r.Export.As
	}
	return r.Backends[0].Service.Name
}

// Ref returns the route's own reference.
func (r *Route) Ref() Ref { return Ref{r.Name, r.Source, r.Lane} }

// Ref returns the service's own reference.
func (s *Service) Ref() Ref { return Ref{s.Name, s.Source, s.Lane} }

// Ref returns the middleware's own reference.
func (m *Middleware) Ref() Ref { return Ref{m.Name, m.Source, m.Lane} }
