// Package middleware makes the handlers that stand between a rule and its service: one file a middleware, each a
// func(http.Handler) http.Handler made from a typed definition, a model.Middleware.
//
//	model.Middleware ── Set.Build ──▶ Func ──▶ the chain of a rule, in one generation
//	                        │
//	                       Set: what must survive a generation (the clients that rateLimit counts, the
//	                            state of a circuit breaker, the passwords that basicAuth has verified)
//
// To add a middleware: write its file with a function `newX(*Set, place, *model.X) (Func, error)`, and add one line
// to the table in set.go.
//
// Two definitions are served elsewhere. A retry is done by whoever forwards the request, so Build gives a Func that
// adds nothing. A chain is replaced by its members when routes are compiled, so Build refuses one: to let it through
// would drop what its members protect.
//
// What must hold:
//
//   - A handler keeps neither w nor r after it returns.
//   - A handler changes r in place (URL, Header, Host, RequestURI). Who needs the request as it came, such as the
//     access log, reads it before.
//   - Whoever calls the chain has put the client's address into r.RemoteAddr, and has removed hop-by-hop fields (also
//     those that the client names in Connection: else a client could have the identity removed that a handler sets)
//     and the X-Forwarded fields of clients that are not trusted, X-Forwarded-Prefix included.
//   - Credentials are compared in constant time, removed from what the service sees unless the definition says
//     otherwise, and never appear in an error, a log line or an answer.
//   - What strangers can make grow has a limit: see maxClients, maxVerified, maxCredential.
package middleware
