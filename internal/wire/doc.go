// Package wire is an HTTP/1.1 engine of our own under net/http's types: a Server for any http.Handler, and a Transport
// that is an http.RoundTripper. It is as strict as RFC 9112 allows, and makes almost nothing for a request.
//
//	client ─▶ reader ─▶ head ─▶ http.Request ─▶ Handler ─▶ Transport ─▶ writer ─▶ service
//	                 └▶ bodyReader ───────────────▶│◀─────── bodyReader ◀─ head ◀─ reader ◀─┘
//	client ◀─────── writer ◀──── http.ResponseWriter
//
// Who forwards can do with less: a RawHandler gets the Exchange before an http.Request is made of it, Transport.Send
// takes an Exchange or a Request, and Exchange.Relay sends the Answer's head as it came:
//
//	client ─▶ Exchange ─▶ RawHandler ─▶ Outgoing ─▶ Transport.Send ─▶ service
//	client ◀──────────── Exchange.Relay ◀─ Answer ◀──────────┘
//
// One goroutine serves a connection: it waits until there is something to read, takes a buffer, parses, calls the
// handler, writes, and gives everything back. A connection that waits has no buffer; one that has waited for a moment
// is parked in the lot (on Linux), where it has no goroutine, either. Buffers, requests, headers and response writers
// are used again.
//
// Therefore a handler must keep neither its http.ResponseWriter nor its *http.Request, nor anything they hold (header
// maps, URL, body, context), after it has returned; nor may a goroutine of its use them then. Strings may be kept: no
// memory that a string lies in is used again. Server.Poison is for tests: it makes every such mistake visible.
//
// What must hold: whatever is accepted here, net/http reads as the same request. Whatever two readers of RFC 9112 might
// read as two different requests is refused, and the connection closed. What a stranger can make us hold is bounded.
package wire
