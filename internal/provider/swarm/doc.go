// Package swarm is the provider of what runs in a Docker Swarm: services, whose labels say how they are reached, and
// their tasks, which are where.
//
//	a manager's events: services, nodes ──┐
//	all engines' events: containers ──────┴─ note ─▶ which services ─ list them ─▶ known ─ dynamic.Workloads ─▶ publish
//	                                                     ▲ again soon, while one is not as it should be
//	                                                     ▲ every 15 s: all of them
//
// A manager tells of services and nodes, never of tasks. So what is told of a service, be it by a manager or by the
// engine of any of its containers, is a reason to look at its tasks, and to look again until they are what the service
// wants. While all services are that, nothing is asked but the resync.
//
// What must hold:
//
//   - Events are followed before anything is listed, so that no change falls in between.
//   - A task that is told to stop is taken away: on the event of its container, where its engine is followed, else when
//     the manager wants it to be gone, which is before its container knows.
//   - A service is there as long as the swarm has it: with no task that is ready, its routes answer 503.
//   - One manager is asked at a time, the next one when it does not answer. None needs to be the leader.
//   - What cannot be read in full is an error: a list that ends in the middle takes nothing away.
//   - Only /_ping, /info, /services, /tasks, /nodes and /events are read, of which package agent shows what is needed.
//     Nothing is ever written.
package swarm
