// Package ext is a module of Traefik's that its releases do not carry: they replace it by a folder, and a folder with a
// module of its own is left out of what is published. Traefik has nothing in it, nor has this.
package ext

// HTTP is what somebody might add to the configuration of HTTP.
type HTTP struct{}

// Router is what somebody might add to a router.
type Router struct{}
