// Package proxy serves requests: it joins what the other packages know into a data plane.
//
// The life of a request:
//
//	entry point   limits, PROXY protocol, TLS                     entrypoint.go, limit.go
//	  ▼
//	serve         takes the generation (one atomic load)          serve.go, raw.go
//	  ▼             client address, forwarding fields, path       forwarded.go, path.go
//	match         the generation's table finds the rule           package route
//	  ▼
//	action        the rule's middlewares, then                    generation.go, package middleware
//	  ▼
//	forward       attempts: pick a host, send, judge, try again   forward.go, attempt.go, package upstream
//	  ▼
//	answer        fields, body, trailers; or an upgrade           answer.go, upgrade.go
//
// The life of a change: [Proxy.Apply] compiles a merged snapshot into a table, the table's new rules into actions
// (generation.go), and swaps one pointer. A request is served from one generation from start to
// end, retries included. What must outlive generations is elsewhere: hosts, health and budgets in upstream, limiters in
// middleware, connections in the transports (transports.go).
//
// A request has one of two depths. At the general one it is an http.Request, as middlewares and all engines want it.
// At the raw one (raw.go), for rules that ask for nothing but the first lines of its head, none is made: the head that
// came is sent on, and so is the answer's. Attempts, retries, health, log and metrics are the same code, and the bytes
// that are sent are the same: FuzzDepths holds on to that.
//
// engine.go is the seam to the HTTP engines above an entry point, transport.go to those below a host.
//
// A cluster's link entry point (gateway.go) serves the requests that followers forward, from the exported routes only.
package proxy
