package model

import (
	"cmp"
	"fmt"
	"time"
)

// Problem is one thing wrong with one object: reported, never fatal. It is a product of the build, the same for the
// CLI, the API, the UI, the metrics and the log.
type Problem struct {
	Object  Object `json:"object"`
	Field   string `json:"field,omitempty"` // as the owner writes it: "http.routers.shop.rule"
	Code    Code   `json:"code"`
	Message string `json:"message"`      // for people; says what to do
	At      string `json:"at,omitempty"` // file:line; "" where the source has none
	// Since is when it began, where that is known and matters (stale).
	Since time.Time `json:"since,omitzero"`
}

// Object names what a problem is about.
type Object struct {
	Kind string `json:"kind"` // "route", "service", "middleware", "source", "cluster", "instance"
	Ref
}

// String returns "kind name@source", in other lanes than HTTP's with the lane before it.
func (o Object) String() string {
	if o.Lane != LaneHTTP {
		return string(o.Lane) + " " + o.Kind + " " + o.Ref.String()
	}
	return o.Kind + " " + o.Ref.String()
}

// The kinds of objects.
const (
	KindRoute      = "route"
	KindService    = "service"
	KindMiddleware = "middleware"
	KindTransport  = "serversTransport"
	KindSource     = "source"
	KindCluster    = "cluster"
	KindInstance   = "instance"

	KindCertificate = "certificate"
	KindTLSOptions  = "tlsOptions"
)

// Code is stable and countable.
type Code string

// The codes, each with what it means for traffic.
const (
	InvalidFile       Code = "invalid_file"       // cannot be read; its last good content is served
	InvalidField      Code = "invalid_field"      // wrong type or out of range; a route answers 503, others are not served
	InvalidRule       Code = "invalid_rule"       // the rule cannot be understood; the route is not served
	UnknownField      Code = "unknown_field"      // no such key; a route with one, or with such a middleware, answers 503
	Unsupported       Code = "unsupported"        // known, but not served by this version; see the message for the effect
	Deprecated        Code = "deprecated"         // an old name of the format, served under its new one
	UnknownService    Code = "unknown_service"    // the route answers 503
	UnknownMiddleware Code = "unknown_middleware" // the route answers 503: without it, it might be open to all
	UnknownParent     Code = "unknown_parent"     // the route is not served under it
	UnknownTransport  Code = "unknown_transport"  // the service is not served: connections might lead elsewhere
	UnknownTLSOptions Code = "unknown_tls_options"
	NoCertificate     Code = "no_certificate" // there is none for a name that a route says is to have one
	UnknownEntryPoint Code = "unknown_entry_point"
	Cycle             Code = "cycle"       // objects refer to each other in a circle; the route answers 503
	Conflict          Code = "conflict"    // another route has the same rule and goes first
	NotGranted        Code = "not_granted" // a cluster claims what the follower does not grant; not served
	Stale             Code = "stale"       // the source cannot be read; its last known state is served
	Late              Code = "late"        // the source had published nothing when the start deadline passed
	Unreachable       Code = "unreachable" // a server that a middleware asks is away; see the message for the effect
	LimitExceeded     Code = "limit_exceeded"
	NotNeeded         Code = "not_needed" // a key of the instance's file that changes nothing here; it is left out
)

// String returns one line for people.
func (p Problem) String() string {
	at := p.At
	if at != "" {
		at += ": "
	}
	field := p.Field
	if field != "" {
		field += ": "
	}
	return fmt.Sprintf("%s%s%s (%s, %s)", at, field, p.Message, p.Code, p.Object)
}

// Compare orders problems by object, field, code, place, message and age.
func (p Problem) Compare(o Problem) int {
	return cmp.Or(
		cmp.Compare(p.Object.Kind, o.Object.Kind),
		p.Object.Ref.Compare(o.Object.Ref),
		cmp.Compare(p.Field, o.Field),
		cmp.Compare(p.Code, o.Code),
		cmp.Compare(p.At, o.At),
		cmp.Compare(p.Message, o.Message),
		p.Since.Compare(o.Since),
	)
}
