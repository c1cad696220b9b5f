// Package proxy serves requests: it joins what the other packages know into a data plane.
//
// The life of a request:
//
//	entry point   limits, PROXY protocol, TLS                     entrypoint.go, limit.go
//	  ▼
//	serve         takes the generation (one atomic load)          serve.go
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
// middleware, connections in the transports of engine.go.
//
// engine.go is the seam to the HTTP engine: an http.Handler above an entry point, an http.RoundTripper below a host.
//
// A cluster's link entry point (gateway.go) serves the requests that followers forward, from the exported routes only.
package proxy
