// Package soak puts the program under mixed load for as long as asked, while its configuration changes, its services
// die and its clients misbehave, and then looks at what is left: nothing may have failed that should not fail, and
// goroutines, open files and memory must be as before.
//
//	clients (by kind, each with its own seed) ──▶ fairlead serve ──▶ services: steady (HTTP/1.1, h2c), dying
//	        │                                        ▲
//	        └─ what went wrong                       └── routes, replaced again and again
//
//	go test ./soak -soak 1h             # how long
//	go test ./soak -soak 1h -detector   # the program with the race detector
package soak
