// Package agent shows those who have a token what discovery needs of a Docker Swarm, and nothing else: it runs beside a
// manager, so that nobody else needs the manager's socket, which is as good as being root on every machine of the
// swarm.
//
//	provider/swarm ─ TLS, token ─▶ Agent ─ asks again, by itself ─▶ the engine's socket
//	                       ◀─ only the fields that show.go names ─
//
// It speaks the part of the engine's API that package swarm reads, so that who asks does not know the difference.
//
// What must hold:
//
//   - Requests are not handed on. Of each, the paths and filters that are known here are taken, and asked for anew.
//   - Answers are not handed on. What is shown is made of fields that are named; those of a later engine are not.
//   - Nobody without a token learns anything, not even which paths there are. Tokens are compared in constant time.
//   - Only GET and HEAD are answered, so many at a time, and a reader who is too slow is let go.
package agent
