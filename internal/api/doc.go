// Package api is the management API of an instance, /api/v1: what it serves, from where, how that does, and the keys
// that open it. The command line and the user interface are clients of it; they have no private door.
//
//	request ─▶ mux ─▶ authorise (access.Keys) ─▶ handler ─▶ wire types (types.go) ─▶ JSON, ETag
//	                                                │
//	                     ┌──────────────────────────┼───────────────┬────────────┐
//	                   proxy                     upstream          link        access
//	            snapshot, rules, explain     hosts, portions    followers       keys
//
// Nothing is kept here: each answer is made of what the parts say at that moment. Everything is read, but for keys; a
// change of a route or a service is a change of the store, which is a source like the others.
//
// [Client] is the same API seen from the other side.
//
// What must hold:
//
//   - Without a good key nothing is told, except that the process lives and whether it is ready. Who is turned away
//     learns no reason; a counter does.
//   - No answer holds a secret, but for the one that makes a key, or rotates it: it shows the key, once.
//   - A stream ends at once when its key is revoked or expires.
//   - Lists are sorted, so that the same state gives the same bytes, and the same ETag.
//   - openapi.json says what is here, and all of it. It is made from the table of endpoints and the comments of the
//     wire types; the tests hold every answer against it.
package api
