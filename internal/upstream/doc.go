// Package upstream keeps what is known of the hosts that requests are sent to, and chooses among them.
//
//	model.Service ──▶ Hosts.Pool ──▶ Pool ── Pick ──▶ Host ── Begin ──▶ Exchange ── Done ─┐
//	                     │             ▲                ▲                                 │
//	                     │           view               │ outcome: load, latency, ejection│
//	                     ▼             │                └─────────────────────────────────┤
//	                   checks ── Run ──┴── health, ejection, capacity changed ◀───────────┘
//
// A [Host] is the live state of one address. It is known by its [ID] and outlives every table, generation and pool: a
// reload changes none of it, and a service that goes and comes back within five minutes finds it as it was. Retry
// budgets and the places in the rotations are kept in the same way, by the service's reference.
//
// A [Pool] is the membership of one service, which never changes. What may be used of it right now is its view: an
// immutable table behind one atomic pointer, made again when a host changes or a time comes (an ejection ends, a slow
// start takes a step), never per request.
//
// How requests are spread:
//
//  1. [Split] gives every cluster its share. It is the only algorithm for this; explain and what-if call it too.
//  2. A picker chooses a host inside the cluster.
//  3. A retry goes to a host that the request has not seen, and away from a cluster that it tried through its link
//     entry point: the other entry points of a cluster lead to the same endpoints.
//
// What is known of a host, worst word wins:
//
//   - Active health is per (host, check), because two services may ask the same host different questions. A gateway (a
//     cluster's link entry point) is judged by the probe of its data path; a service's own check is for the endpoints
//     that are dialled directly.
//   - Ejection is per host, and follows from requests: failures in a row put it out for a while, one trial request
//     brings it back. A gateway is not ejected: a connect error, or a probe twice failed, means that its data path is
//     lost, and a probe brings it back.
//   - Timeouts are not counted while this process itself is late (pulse.go).
//   - A host whose check has not spoken yet is unknown: it is used where nothing is known to be healthy.
//   - A host that comes back waits (hold-down, where probes watch it meanwhile), then gets a growing part (slow start).
//
// What must hold: Pick, Begin and Done allocate nothing and take no lock as long as nothing changes. Nothing of a
// host is ever reset by a new pool. Lock order: Hosts.mu before Host.mu; Pool.mu before Host.mu; neither of the two
// is held while code of others (the prober, the capacity function) runs, except Pool.mu for the capacity function.
package upstream
