// Package link joins two layers of Fairlead. One side exports the routes that its owners offer, the other side follows:
// it learns them as they change and serves them as its own.
//
//	cluster                                                        edge
//
//	merged Snapshot                                                Snapshot of source link/<cluster>
//	      │ Publish                                                      ▲ publish
//	      ▼                                                              │ what the Grant allows, one claim time a rule
//	  Exporter                                                       Follower ──── Cache (last known state)
//	      │                                                              │
//	      │          GET /link/v1/watch?since=EPOCH:REV                  │
//	      │ ◀─────────────────────────────────────────────────────────── │
//	      │  {"hello":{"version":1,"cluster":"fra","epoch":"K7…"}}       │
//	      │  {"reset":true}                 only where since is unusable │
//	      │  {"rev":41,"set":{"service":{"name":"shop","ready":3,…}}}    │
//	      │  {"rev":41,"set":{"route":{"name":"shop","match":…}}}        │
//	      │  {"rev":41,"synced":true}       now publish                  │
//	      │  {"rev":42,"heartbeat":{"capacity":[…]}}   every second      │
//	      │  {"rev":43,"del":{"route":"shop"}}                           │
//	      │  {"rev":43,"synced":true}                                    │
//	      │ ───────────────────────────────────────────────────────────▶ │
//	      │          POST /link/v1/problems    what was not granted      │
//	      │ ◀─────────────────────────────────────────────────────────── │
//
// GET /link/v1/export is the same state at one moment, for people. GET /link/v1/health answers 204: the probe of the
// data path. Every call carries an API key in the Authorization field, and every answer is given over TLS.
//
// The exporter keeps one log for all watchers, in which each object stands once, at its latest revision. A watcher
// is a number: the revision it has seen. It is told what came after, as it is now; so a slow one skips what it
// missed, a burst costs one event an object, and a watcher has no queue.
//
// What must hold:
//
//   - Endpoints, middlewares and secrets do not cross the link.
//   - A follower publishes only at "synced", where what it knows is what the cluster had at one revision. A stream that
//     breaks in between changes nothing: stale beats partial.
//   - What an exporter says is a stranger's: every line, name, number and expression has a limit, and one bad object
//     is a Problem that leaves the others served.
//   - Nothing is served that the grant does not imply (see [Grant]).
//   - An object that did not change keeps its pointer, across events, reconnects and another instance of the cluster.
//
// A connection that the cluster opens (a tunnel) will change who dials, and nothing here: the follower takes any
// http.RoundTripper, the exporter is an http.Handler.
package link
