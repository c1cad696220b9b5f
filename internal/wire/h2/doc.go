// Package h2 is a server of HTTP/2 (RFC 9113) for any http.Handler, on the frame and header codecs of
// golang.org/x/net/http2. It has the contract of package wire: what a handler was given is used again after it has
// returned.
//
//	client ─▶ reader ─▶ frames ─▶ fields ─▶ stream ─▶ worker ─▶ Handler
//	                      └▶ credit          └ body ────────────▶│
//	client ◀─ flusher ◀─ output ◀──────────── response ◀─────────┘
//
// One goroutine reads a connection, frame by frame, and never waits for anything but the client. A worker, of which the
// server keeps some, runs the handler of a stream. What is to be sent lies in the output; a goroutine that lives while
// there is any (the flusher) writes it, so that answers that come together leave together. Everything that these share
// is guarded by one mutex for each connection, and nobody waits for the network while holding it.
//
// What must hold:
//
//   - What a client may make us hold is bounded: MaxConcurrentStreams streams, each with a window's worth of body, and
//     4 MiB in all for those whose handlers keep up with long ways (see intake); the output has a limit above which
//     handlers wait. A stream that is not read, here or there, never stops the others: bodies are credited to the
//     connection when they come, and to their stream when they are read.
//   - Frames that cost us more than the client use up its credit (see credit). When it is used up, the connection ends
//     with ENHANCE_YOUR_CALM.
//   - Whatever RFC 9113 calls malformed is refused, as is all that would mean something else in HTTP/1.1: a request
//     that comes out of here can be written to an HTTP/1.1 service as it is.
//   - One timer a connection looks after all of its deadlines (see deadlines).
package h2
