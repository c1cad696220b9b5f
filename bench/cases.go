//go:build linux

package main

import (
	"context"
	"time"
)

// The paths of the service's answers.
const (
	smallPath  = "/bytes/128"
	pagePath   = "/bytes/10240"
	largePath  = "/bytes/1048576"
	textPath   = "/text/10240"
	cachedPath = "/cached/10240"
)

// benchCase is one thing to be measured.
type benchCase struct {
	name, about string
	quick       bool     // part of --quick
	site        string   // what the proxies serve
	variants    bool     // Fairlead with and without metrics and access log, in place of the peers
	needs       string   // a program that makes the load
	peers       []string // the programs that take part beside Fairlead; nil: all, empty: none
	work
}

// work measures all proxies in one way.
type work interface {
	measure(ctx context.Context, r *run, up []*instance) ([]result, error)
	columns() []column
	// fresh says that each proxy is started anew for it, and stopped afterwards.
	fresh() bool
}

// load makes requests to a proxy for a while and counts them.
type load interface {
	run(ctx context.Context, l *lab, i *instance, d time.Duration) (tally, error)
}

// wrkCase is a case that wrk makes.
func wrkCase(name, about string, quick bool, w wrk) benchCase {
	c := loadWork{load: w}
	if !w.tls && !w.new && w.path != largePath && w.path != textPath { // the open loop reads lengths, and no chunks
		c.latency = &openLoop{conns: w.connections, hosts: w.hosts, path: w.path}
	}
	site := one
	if w.hosts > 1 {
		site = many
	}
	return benchCase{name: name, about: about, quick: quick, site: site, needs: "wrk", work: c}
}

func h2Case(name, about string, quick bool, h h2load) benchCase {
	return benchCase{name: name, about: about, quick: quick, site: one, needs: "h2load", work: loadWork{load: h}}
}

// allCases are in the order in which they run.
func allCases() []benchCase {
	telemetry := wrkCase("telemetry", "h1-64, Fairlead alone: bare, with metrics, with metrics and access log", false,
		wrk{connections: 64, hosts: 1, path: smallPath})
	telemetry.variants = true
	compress := wrkCase("compress", "HTTP/1.1, 64 connections, 10 KiB of words made smaller with gzip", false,
		wrk{connections: 64, hosts: 1, path: textPath})
	compress.site, compress.peers = compressed, []string{"nginx", "haproxy"}
	cache := wrkCase("cache", "HTTP/1.1, 64 connections, 10 KiB that are kept", false,
		wrk{connections: 64, hosts: 1, path: cachedPath})
	cache.site, cache.peers = cached, []string{"nginx", "haproxy"}
	return []benchCase{
		wrkCase("h1-1", "HTTP/1.1, 1 connection, 128 bytes", false, wrk{connections: 1, hosts: 1, path: smallPath}),
		wrkCase("h1-64", "HTTP/1.1, 64 connections, 128 bytes", true, wrk{connections: 64, hosts: 1, path: smallPath}),
		wrkCase("h1-512", "HTTP/1.1, 512 connections, 128 bytes", false, wrk{connections: 512, hosts: 1, path: smallPath}),
		wrkCase("h1-10k", "HTTP/1.1, 64 connections, 10 KiB", true, wrk{connections: 64, hosts: 1, path: pagePath}),
		wrkCase("h1-1m", "HTTP/1.1, 64 connections, 1 MiB", false, wrk{connections: 64, hosts: 1, path: largePath}),
		wrkCase("https", "HTTP/1.1 over TLS 1.3, 64 connections, 128 bytes", true,
			wrk{connections: 64, hosts: 1, path: smallPath, tls: true}),
		h2Case("h2", "HTTP/2 over TLS 1.3, 8 connections of 32 streams, 128 bytes", true, h2load{8, 32, true}),
		h2Case("h2c", "HTTP/2 in plain text, 8 connections of 32 streams, 128 bytes", false, h2load{8, 32, false}),
		wrkCase("new", "a new connection for each request, 64 at once, 128 bytes", false,
			wrk{connections: 64, hosts: 1, path: smallPath, new: true}),
		{
			name: "handshake", about: "a full TLS 1.3 handshake for each request, 16 at once", site: one, quick: true,
			work: loadWork{load: handshakes{workers: 16}},
		},
		wrkCase("routes", "10,000 routes, random hosts, 64 connections, 128 bytes", true,
			wrk{connections: 64, hosts: manyRoutes, path: smallPath}),
		telemetry,
		compress, cache,
		{
			name: "middlewares", about: "h1-64 for each middleware, Fairlead alone", site: eachOne, needs: "wrk",
			peers: []string{}, work: middlewareWork{},
		},
		{
			name: "idle", about: "memory: idle, and for each idle connection", site: one, quick: true,
			work: idleWork{},
		},
		{
			name: "idle-tls", about: "memory for each idle TLS 1.3 connection", site: one,
			work: idleWork{tls: true},
		},
		{
			name: "reload", about: "one of 10,000 routes is changed under load, of 2,000 requests a second", site: many,
			quick: true, work: reloadWork{rate: 2000},
		},
	}
}
