// Package traefik is the provider that follows a running Traefik v3, as an edge follows a cluster: it asks its API
// which routers it serves, and leads their requests to its entry points. So an edge can stand before the proxies that
// are there.
//
//	GET /api/http/routers ──▶ kept ones ──▶ dynamic: rules ──▶ Bound (the grant) ──▶ Snapshot
//
// What must hold:
//
//   - A router is known here by its rule, priority and TLS alone. Its middlewares and its servers stay where they are:
//     the Traefik applies its own order again to what it gets.
//   - What is not granted is not served, and is told.
//   - Only a whole answer is believed: one list of all routers. All else is an error, so that the last state is kept.
package traefik
