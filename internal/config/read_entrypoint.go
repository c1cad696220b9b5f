package config

import (
	"cmp"
	"slices"
)

// entryPoints reads all entry points, sorted by name.
func (l *loader) entryPoints(p part) []EntryPoint {
	names, parts := l.entries(p)
	var entryPoints []EntryPoint
	marked := false
	for i, name := range names {
		e := defaultEntryPoint(name)
		l.decode(parts[i], &e)
		l.entryPoint(parts[i], &e)
		marked = marked || e.AsDefault
		entryPoints = append(entryPoints, e)
	}
	if !marked {
		for i := range entryPoints {
			entryPoints[i].AsDefault = true
		}
	}
	slices.SortFunc(entryPoints, func(a, b EntryPoint) int { return cmp.Compare(a.Name, b.Name) })
	return entryPoints
}

func (l *loader) entryPoint(p part, e *EntryPoint) {
	if !entryPointName.MatchString(e.Name) {
		l.wrong(p, "%q is no name of an entry point; use letters, digits, -, _ and .", shorten(e.Name))
	}
	l.required(p, "address", `":8080"`)
	if e.Via.Name != "" && !entryPointName.MatchString(e.Via.Name) {
		l.wrong(p.key("via").key("name"), "%q cannot stand in Via; use letters, digits, -, _ and .", shorten(e.Via.Name))
	}
	transport := p.key("transport")
	responding, timeouts := transport.key("respondingTimeouts"), e.Transport.RespondingTimeouts
	l.notNegative(responding.key("readTimeout"), timeouts.ReadTimeout)
	l.notNegative(responding.key("writeTimeout"), timeouts.WriteTimeout)
	l.notNegative(responding.key("idleTimeout"), timeouts.IdleTimeout)
	l.notNegative(responding.key("headerTimeout"), timeouts.HeaderTimeout)
	l.notNegative(responding.key("stallTimeout"), timeouts.StallTimeout)
	life := transport.key("lifeCycle")
	l.notNegative(life.key("requestAcceptGraceTimeout"), e.Transport.LifeCycle.RequestAcceptGraceTimeout)
	l.notNegative(life.key("graceTimeOut"), e.Transport.LifeCycle.GraceTimeOut)
	limits := p.key("limits")
	l.atLeast(limits.key("headerBytes"), 1024, e.Limits.HeaderBytes)
	l.atLeast(limits.key("headers"), 1, e.Limits.Headers)
	l.atLeast(limits.key("connections"), 0, e.Limits.Connections)
	l.atLeast(limits.key("connectionsPerClient"), 0, e.Limits.ConnectionsPerClient)
	l.atLeast(p.key("http2").key("maxConcurrentStreams"), 1, e.HTTP2.MaxConcurrentStreams)
	l.notNegative(p.key("tcp").key("idleTimeout"), e.TCP.IdleTimeout)
	l.http3(p, e)
	l.oneOf(p.key("observability").key("traceVerbosity"), e.Observability.TraceVerbosity, "minimal", "detailed")
	if e.UDP.Timeout <= 0 {
		l.wrong(p.key("udp").key("timeout"), "%v is too short; a session ends when it is over", e.UDP.Timeout)
	}
	if e.TLS == nil {
		return
	}
	tls := p.key("tls")
	if e.Address.UDP {
		l.wrong(tls, "TLS is for connections, not for UDP")
	}
	for i := range e.TLS.Certificates {
		l.keyPair(tls.key("certificates").item(i), &e.TLS.Certificates[i])
	}
	if e.TLS.MinVersion == "" {
		e.TLS.MinVersion = "1.2"
	}
	l.oneOf(tls.key("minVersion"), e.TLS.MinVersion, "1.2", "1.3")
}

// http3 checks that HTTP/3 can be served where it is asked for.
func (l *loader) http3(p part, e *EntryPoint) {
	if e.HTTP3 == nil {
		return
	}
	http3 := p.key("http3")
	if e.TLS == nil {
		l.wrong(http3, "HTTP/3 needs TLS; add tls with a certificate, or remove http3")
	}
	if e.ProxyProtocol != nil {
		l.wrong(http3, "HTTP/3 has no PROXY protocol, so its clients would be taken for the load balancer's; "+
			"use an entry point of its own, or remove proxyProtocol")
	}
	if port := e.HTTP3.AdvertisedPort; port < 0 || port > 65535 {
		l.wrong(http3.key("advertisedPort"), "%d is no port; write 1 to 65535", port)
	}
}
