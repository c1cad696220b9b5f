// Package dns is the provider that asks DNS servers for the addresses of services, again whenever the answers end.
//
//	due ─▶ client: one server after the other, UDP then TCP ─▶ answer ─▶ entry ─▶ dynamic.Workloads ─▶ publish
//	 ▲                                                                    │
//	 └──────────────────────── TTL, within bounds ◀───────────────────────┘
//
// What must hold:
//
//   - A failure is no answer. A name of which a server says SERVFAIL, or nothing, keeps its last answer, and is a stale
//     problem. Where no server says anything about any name, the source cannot be read.
//   - That there is no such name is an answer, but a rash one: zones are empty for a moment when they are loaded. It is
//     believed when it has been given for a while.
//   - Nothing is published before every name has been asked for.
//   - Answers are by strangers: their size, their number and how long they are good are bounded.
package dns
