// Package docker is the provider of what runs on a Docker engine: containers, whose labels say how they are reached.
//
//	events ─ note ─▶ which containers ─ list them ─▶ known ─ dynamic.Workloads ─▶ publish
//	   ▲ armed first        ▲ every minute: all of them
//
// What must hold:
//
//   - Events are followed before the containers are listed, so that no change falls in between.
//   - A container that is told to stop is taken away on the event that says so, before it has gone, and stays away
//     whatever a list says that was made at the same time. Only a start brings it back, or five minutes in which the
//     signal did not end it.
//   - One call lists any number of containers, and tells all that is needed: none is asked about alone.
//   - What cannot be read in full is an error: a list that ends in the middle takes nothing away.
//   - Only /containers/json, /events and /_ping are read. Nothing is ever written.
package docker
