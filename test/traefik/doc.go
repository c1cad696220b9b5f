// Package traefik runs the program as an edge before a real Traefik, whose routers it follows: what is served and what
// is not, who is asked when rules overlap, and what becomes of requests when the Traefik is killed.
package traefik
