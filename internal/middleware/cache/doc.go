// Package cache keeps answers in memory and sends them again: a shared cache of HTTP (RFC 9111), in front of one route.
//
//	request ── key ──▶ Store ── fresh ─────────────────────────▶ respond
//	                     │ └─── stale ── validate ── 304 ──────▶ respond
//	                     └── none ──▶ fill ── may be kept ─────▶ Store, respond
//	                                   └── may not ────────────▶ the client, as it comes
//
// What must hold:
//
//   - An answer is kept only if the service says for how long, or the owner says it for those that do not. Nothing is
//     guessed (RFC 9111 §4.2.2 allows it, and does not ask for it).
//   - What a request has that the service may look at is part of the key, or Vary names it, or the request passes the
//     cache by: see keyOf and unkeyed. So no request can choose what others get.
//   - Requests for the same wait for the first of them only until it is known that its answer is not for all.
//   - What is kept is immutable, and has a limit: see Store.
package cache
