// Package connect runs the conformance suite of the Connect protocols through the program: Connect, gRPC and
// gRPC-Web; unary calls and streams both ways; errors, trailers, deadlines, cancellation.
//
//	connectconformance ── starts ──▶ this test's binary, again ── starts ──▶ reference server, fairlead
//	        │                                                                        ▲            │
//	        └─ requests ─────────────────────────────────────────────────────────────│──▶ ────────┘
//
// The suite tests servers: a command that is asked what to serve on its standard input, and says where on its standard
// output. Here that command puts the program in front of the suite's own reference server.
package connect
