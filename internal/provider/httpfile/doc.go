// Package httpfile is the provider that reads the dynamic-configuration format from web servers: one document, at one
// URL or at several that hold the same.
//
//	ask the server that answered last ── as it should ──▶ new? ─▶ dynamic.Build ─▶ publish ─▶ rest ─┐
//	 ▲         │ else the next                                                                      │
//	 │         └──▶ none does: an error, and the last snapshot is kept                              │
//	 └──────────────────────────────────────────────────────────────────────────────────────────────┘
//
// What must hold:
//
//   - Only a document is believed: an answer 200 that was read to its end, that can be parsed, is a map, and is empty
//     or has a section of the format. A login page, an error in JSON or half a file is none. An empty body is none
//     either: who means "nothing is there" writes {}.
//   - What is not new costs little: the server's ETag or time of change goes back to it, and where it has neither, what
//     has the bytes of before is not read again.
//   - Secrets are sent to the configured hosts only: a redirect to another host, or from https to http, is an error.
//   - A document names no files of this machine.
package httpfile
