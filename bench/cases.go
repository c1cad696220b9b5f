//go:build linux

package main

import (
	"context"
	"time"
)

// The paths of the service's answers.
const (
	smallPath = "/bytes/128"
	pagePath  = "/bytes/10240"
	largePath = "/bytes/1048576"
)

// load makes requests to a proxy for a while and counts them.
type load interface {
	run(ctx context.Context, l *lab, i *instance, d time.Duration) (tally, error)
}

// loadCase is one kind of work, measured in rounds.
type loadCase struct {
	name, about string
	site        string
	quick       bool // part of --quick
	load        load
	latency     *openLoop // the same work at half load; nil: not measured
	variants    bool      // Fairlead with and without metrics and access log, in place of the peers
}

func loadCases() []loadCase {
	latency := func(conns, hosts int, path string) *openLoop {
		return &openLoop{conns: conns, hosts: hosts, path: path}
	}
	return []loadCase{
		{
			name: "h1-64", about: "HTTP/1.1, 64 connections, 128 bytes", site: one, quick: true,
			load: wrk{connections: 64, hosts: 1, path: smallPath}, latency: latency(64, 1, smallPath),
		},
		{
			name: "h1-1", about: "HTTP/1.1, 1 connection, 128 bytes", site: one,
			load: wrk{connections: 1, hosts: 1, path: smallPath}, latency: latency(1, 1, smallPath),
		},
		{
			name: "h1-512", about: "HTTP/1.1, 512 connections, 128 bytes", site: one, quick: true,
			load: wrk{connections: 512, hosts: 1, path: smallPath}, latency: latency(512, 1, smallPath),
		},
		{
			name: "h1-10k", about: "HTTP/1.1, 64 connections, 10 KiB", site: one, quick: true,
			load: wrk{connections: 64, hosts: 1, path: pagePath}, latency: latency(64, 1, pagePath),
		},
		{
			name: "h1-1m", about: "HTTP/1.1, 64 connections, 1 MiB", site: one,
			load: wrk{connections: 64, hosts: 1, path: largePath},
		},
		{
			name: "https", about: "HTTP/1.1 over TLS 1.3, 64 connections, 128 bytes", site: one, quick: true,
			load: wrk{connections: 64, hosts: 1, path: smallPath, tls: true},
		},
		{
			name: "h2", about: "HTTP/2 over TLS 1.3, 8 connections of 32 streams, 128 bytes", site: one, quick: true,
			load: h2load{connections: 8, streams: 32, tls: true},
		},
		{
			name: "h2c", about: "HTTP/2 in plain text, 8 connections of 32 streams, 128 bytes", site: one,
			load: h2load{connections: 8, streams: 32},
		},
		{
			name: "new", about: "a new connection for each request, 64 at once, 128 bytes", site: one, quick: true,
			load: wrk{connections: 64, hosts: 1, path: smallPath, new: true},
		},
		{
			name: "handshake", about: "a full TLS 1.3 handshake for each request, 16 at once", site: one, quick: true,
			load: handshakes{workers: 16},
		},
		{
			name: "routes", about: "10,000 routes, random hosts, 64 connections, 128 bytes", site: many, quick: true,
			load: wrk{connections: 64, hosts: manyRoutes, path: smallPath}, latency: latency(64, manyRoutes, smallPath),
		},
		{
			name: "telemetry", about: "h1-64, Fairlead alone: bare, with metrics, with metrics and access log", site: one,
			quick: true, variants: true, load: wrk{connections: 64, hosts: 1, path: smallPath},
		},
	}
}
