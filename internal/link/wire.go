package link

import (
	"encoding/json"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// Limits on what the other side of a link may send.
const (
	maxLine      = 1 << 20   // bytes of one event
	maxObjects   = 200_000   // routes and services of one cluster
	maxState     = 256 << 20 // bytes of all of them, as sent
	maxDepth     = 100       // levels of a Match
	maxNodes     = 1000      // nodes of a Match
	maxText      = 4 << 10   // bytes of one value or regular expression
	maxName      = 512       // bytes of a name
	maxPoints    = 100       // entry points of a route
	maxReports   = 1000      // problems in one report
	maxReport    = 1 << 20   // bytes of one report
	maxReportMsg = 500       // bytes of one reported message
)

// Event is one line of a watch. Exactly one of the pointers and flags is set; a receiver ignores an event in which it
// knows none.
type Event struct {
	// Rev is the revision of the object (Set, Del) or of the whole state (Synced, Heartbeat).
	Rev   uint64 `json:"rev,omitempty"`
	Hello *Hello `json:"hello,omitempty"` // first line of every watch
	Reset bool   `json:"reset,omitempty"` // everything follows; what is not mentioned until Synced is gone
	Set   *Set   `json:"set,omitempty"`
	Del   *Del   `json:"del,omitempty"`
	// Synced says that the state is whole, as of Rev: the follower publishes it, and may resume from there.
	Synced    bool       `json:"synced,omitempty"`
	Heartbeat *Heartbeat `json:"heartbeat,omitempty"`
}

// Hello says who speaks. Revisions count within an epoch, which is one run of one instance.
type Hello struct {
	Version int    `json:"version"`
	Cluster string `json:"cluster"`
	Epoch   string `json:"epoch"`
}

// Set is the new value of one object: a [Route] or a [Service], not decoded, so that a bad one spoils no other.
type Set struct {
	Route   json.RawMessage `json:"route,omitempty"`
	Service json.RawMessage `json:"service,omitempty"`
}

// Del names an object that is no longer exported.
type Del struct {
	Route   string `json:"route,omitempty"`
	Service string `json:"service,omitempty"`
}

// Heartbeat comes every second. Capacity lists the services whose capacity changed since the event before.
type Heartbeat struct {
	Capacity []Service `json:"capacity,omitempty"` // sorted by name
}

// Route is what crosses the link of a [model.Route]: neither middlewares nor backends. The cluster applies them
// itself.
type Route struct {
	// Lane is "tcp" or "udp" for a route of streams. In that of UDP there is nothing to match; the wire has HostSNI(`*`),
	// which followers that know nothing of lanes do not serve.
	Lane        model.Lane  `json:"lane,omitempty"`
	Name        string      `json:"name"`    // "namespace/name"
	Service     string      `json:"service"` // fleet-wide name of the service it leads to
	Match       model.Match `json:"match"`
	Priority    int         `json:"priority"`
	EntryPoints []string    `json:"entryPoints,omitempty"` // as the cluster calls them; none: those that serve by default
	TLS         bool        `json:"tls,omitempty"`
	Passthrough bool        `json:"passthrough,omitempty"` // TLS ends in the cluster, not at the follower
	Timeouts    *Timeouts   `json:"timeouts,omitempty"`
}

// Timeouts are [model.Timeouts] in milliseconds.
type Timeouts struct {
	HeaderMs int64 `json:"headerMs,omitempty"`
	TotalMs  int64 `json:"totalMs,omitempty"`
}

// Service is a fleet-wide service and its live capacity, in endpoints. 0 of 0: the cluster knows no endpoint (yet).
type Service struct {
	Name  string `json:"name"`
	Ready int    `json:"ready"`
	Total int    `json:"total"`
}

// Export is the answer to GET /link/v1/export.
type Export struct {
	Hello
	Rev      uint64            `json:"rev"`
	Services []json.RawMessage `json:"services"` // [Service], sorted by name
	Routes   []json.RawMessage `json:"routes"`   // [Route], sorted by name
}

// Told is the body of POST /link/v1/problems: everything the follower has to say at present.
type Told struct {
	Problems []ToldProblem `json:"problems"`
}

// ToldProblem is one problem, with the object named as it was exported.
type ToldProblem struct {
	Kind    string     `json:"kind"`
	Name    string     `json:"name"`
	Field   string     `json:"field,omitempty"`
	Code    model.Code `json:"code"`
	Message string     `json:"message"`
}

// exportRoute makes the wire form of r under the given name.
func exportRoute(name string, r *model.Route) Route {
	w := Route{
		Name: name, Service: r.ExportedAs().String(), Match: r.Match,
		Priority: r.Priority, EntryPoints: r.EntryPoints, TLS: r.TLS, Lane: r.Lane, Passthrough: r.Passthrough,
	}
	if r.Lane == model.LaneUDP {
		w.Match = model.Leaf(model.HostSNI, "*")
	}
	if r.Timeouts != (model.Timeouts{}) {
		w.Timeouts = &Timeouts{HeaderMs: millis(r.Timeouts.Header), TotalMs: millis(r.Timeouts.Total)}
	}
	return w
}

// millis rounds up, because zero would mean "the default".
func millis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
