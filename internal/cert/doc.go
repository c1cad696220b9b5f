// Package cert has the certificates that entry points serve: from files, read again when they change, and from the
// instance's own CA, which secures the links between layers.
//
//	certificate and key files ──▶ Files ── index (immutable, behind one atomic pointer) ──▶ GetCertificate ◀── handshakes
//	      ▲                         │
//	      └── Run: fsnotify, poll ──┴──▶ Problems: what cannot be read now; its last good pair is served
//
//	store ──▶ Authority (made once, kept) ──▶ Renewing: a certificate that is renewed at 2/3 of its life ──▶ handshakes
//	                │
//	                └──▶ Pin: what a follower is told, to know the CA by
//
// What must hold:
//
//   - A handshake reads one pointer and never a file.
//   - A pair that cannot be read, or does not fit together, never replaces one that is good.
//   - Which certificate a name gets depends on the order of the pairs, never on chance.
//   - The CA survives restarts: a follower's pin is good for as long as the CA is.
//   - A key is in its file or in the store, never in a log, an error or a Problem.
package cert
