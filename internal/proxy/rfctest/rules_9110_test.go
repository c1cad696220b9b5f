package rfctest

// rules9110 is what RFC 9110 asks of a proxy that passes requests on.
func rules9110() []rule {
	return append(hopRules(), append(requestRules(), append(finalRules(), connectionRules()...)...)...)
}

// hopRules: what concerns one connection ends with it (§7.6.1).
func hopRules() []rule {
	return []rule{
		{
			section: "9110 §7.6.1", must: "fields that Connection names go no further", on: ones(),
			send: message{line: "GET /", fields: []string{
				"Connection: X-Hop, x-OTHER", "X-Hop: 1", "X-Other: 2", "X-End: 3", "Connection: X-Third", "X-Third: 4",
			}},
			sees: []string{"x-end: 3"}, hides: "connection x-hop x-other x-third",
		},
		{
			section: "9110 §7.6.1", must: "nor do those that are known to be for one connection", on: ones(),
			send: message{line: "GET /", fields: []string{
				"Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: gzip", "Upgrade: x",
			}},
			hides: "connection keep-alive proxy-connection te upgrade",
		},
		{
			section: "9110 §7.6.1", must: "a client's close is for us", on: ones(),
			send:  message{line: "GET /", fields: []string{"Connection: close"}},
			hides: "connection", gets: []string{"connection: close"},
		},
		{
			section: "9110 §7.6.1", must: "naming Content-Length does not take away the length", on: ones(),
			send: message{line: "POST /", fields: []string{"Connection: Content-Length"}, body: "hello"},
		},
		{
			section: "9110 §7.6.1", must: "naming Host does not take away the host", on: ones(),
			send: message{line: "GET /", fields: []string{"Connection: Host, X-Forwarded-For", "X-Real-Ip: 1.2.3.4"}},
			sees: []string{"host: a.example", "x-forwarded-for: CLIENT", "x-real-ip: CLIENT"},
		},
		{
			section: "9110 §7.6.1", must: "naming what is not there is nothing", on: ones(),
			send: message{line: "GET /", fields: []string{"Connection: X-Nothing,, ,", "X-End: 1"}},
			sees: []string{"x-end: 1"}, hides: "connection",
		},
		{
			section: "9110 §7.6.1", must: "in answers, too", to: ones(),
			reply: message{line: "200", body: "a", fields: []string{
				"Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Connection: x", "X-End: 2",
			}},
			gets: []string{"x-end: 2"}, lacks: "connection x-hop keep-alive proxy-connection",
		},
		{
			section: "9110 §7.6.1", must: "a service's close is for us", to: ones(),
			reply: message{line: "200", body: "a", fields: []string{"Connection: close"}, cut: true}, lacks: "connection",
		},
		{
			section: "9110 §10.1.4", must: "TE: trailers goes on, other values do not", to: ones(), on: ones(),
			send: message{line: "GET /", fields: []string{"Connection: TE", "TE: trailers, gzip;q=0.5"}},
			sees: []string{"te: trailers", "connection: TE"},
		},
		{
			section: "9110 §10.1.4", must: "TE: trailers goes on to HTTP/2", to: twos(),
			send: message{line: "GET /", fields: []string{"TE: trailers"}},
			sees: []string{"te: trailers"},
		},
		{
			section: "9110 §11.7.1", must: "Proxy-Authorization is for us",
			send:  message{line: "GET /", fields: []string{"Proxy-Authorization: Basic eA==", "Authorization: Basic eQ=="}},
			hides: "proxy-authorization", sees: []string{"authorization: Basic eQ=="},
		},
	}
}

// requestRules: all else arrives as it was sent.
func requestRules() []rule {
	return []rule{
		{
			section: "9110 §5.1", must: "unknown fields pass",
			send: message{line: "GET /", fields: []string{"X-Unknown: 1", "a!#$%&'*+-.^_`|~: 2"}},
			sees: []string{"x-unknown: 1", "a!#$%&'*+-.^_`|~: 2"},
		},
		{
			section: "9110 §5.3", must: "several fields of a name keep their order",
			send: message{line: "GET /", fields: []string{"X-A: 1", "X-B: 1", "X-A: 2", "X-A: 1, 3"}},
			sees: []string{"x-a: 1|2|1, 3"},
		},
		{
			section: "9110 §5.5", must: "octets above ASCII pass",
			send: message{line: "GET /", fields: []string{"X-A: \xe4\xff b"}},
			sees: []string{"x-a: \xe4\xff b"},
		},
		{
			section: "9110 §7.2", must: "Host passes as it is",
			send: message{line: "GET /", fields: []string{"Host: Shop.Example:8080"}},
			sees: []string{"host: Shop.Example:8080", "x-forwarded-host: Shop.Example:8080", "x-forwarded-port: 8080"},
		},
		{
			section: "9110 §7.7", must: "path and query pass as they are",
			send: message{line: "GET /a%2Fb/%41;p=1/(x)!$&'*+,=:@~?q=%41;b&&c=d+e?f/[g]"},
		},
		{section: "9110 §7.7", must: "an empty query stays one", send: message{line: "GET /a?"}},
		{section: "9110 §9.1", must: "unknown methods pass", send: message{line: "BREW /", body: "tea"}},
		{section: "9110 §9.1", must: "methods keep their case", send: message{line: "gEt /"}},
		{
			section: "9110 §6.4", must: "content passes octet for octet",
			send: message{line: "PUT /", body: "a\x00\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n\xff"},
		},
		{
			section: "9110 §6.4", must: "content of unknown length, too",
			send: message{line: "POST /", body: "hello\r\n", chunked: true},
		},
		{
			section: "9110 §8.6", must: "a POST without content says so", to: ones(),
			send: message{line: "POST /", fields: []string{"Content-Length: 0"}},
			sees: []string{"content-length: 0"},
		},
		{
			section: "9110 §8.6", must: "a GET without content has no length",
			send: message{line: "GET /"}, hides: "content-length transfer-encoding",
		},
		{section: "9110 §9.3.1", must: "content of a GET passes", send: message{line: "GET /", body: "hello"}},
		{section: "9110 §9.3.5", must: "content of a DELETE passes", send: message{line: "DELETE /", body: "hello"}},
		{
			section: "9110 §10.1.5", must: "User-Agent is not made up",
			send: message{line: "GET /"}, hides: "user-agent accept-encoding accept",
		},
		{
			section: "9110 §12.5.3", must: "Accept-Encoding is not changed",
			send: message{line: "GET /", fields: []string{"Accept-Encoding: br;q=0.5", "User-Agent: x/1 (y)"}},
			sees: []string{"accept-encoding: br;q=0.5", "user-agent: x/1 (y)"},
		},
		{
			section: "9110 §14.2", must: "Range and conditions pass",
			send: message{line: "GET /", fields: []string{"Range: bytes=0-1", `If-Match: "a"`}},
			sees: []string{"range: bytes=0-1", `if-match: "a"`},
		},
		{
			section: "9110 §6.5", must: "trailers pass, announced or not, and are not merged", to: ones(),
			send: message{line: "POST /", body: "hello", fields: []string{"Trailer: x-sum"}, trailers: []string{"x-sum: 1"}},
			sees: []string{"trailer: X-Sum"}, hides: "x-sum",
		},
		{
			section: "9110 §6.5", must: "trailers pass to HTTP/2", to: twos(),
			send:  message{line: "POST /", body: "hello", fields: []string{"Trailer: x-sum"}, trailers: []string{"x-sum: 1"}},
			hides: "x-sum",
		},
		{
			section: "9110 §6.5", must: "trailers that were not announced end here", on: sides(),
			send:  message{line: "POST /", body: "hello", trailers: []string{"x-late: 1"}},
			hides: "x-late", trailers: []string{},
		},
		{
			section: "9110 §6.5", must: "those of HTTP/3 pass all the same", on: three(),
			send:  message{line: "POST /", body: "hello", trailers: []string{"x-late: 1"}},
			hides: "x-late",
		},
	}
}

// finalRules: Max-Forwards, Via and TRACE.
func finalRules() []rule {
	return []rule{
		{
			section: "9110 §7.6.2", must: "Max-Forwards counts down for OPTIONS",
			send: message{line: "OPTIONS /", fields: []string{"Max-Forwards: 7"}}, sees: []string{"max-forwards: 6"},
		},
		{
			section: "9110 §7.6.2", must: "Max-Forwards counts down for TRACE",
			send: message{line: "TRACE /", fields: []string{"Max-Forwards: 1"}}, sees: []string{"max-forwards: 0"},
		},
		{
			section: "9110 §7.6.2", must: "at zero the answer is ours",
			send: message{line: "OPTIONS /", fields: []string{"Max-Forwards: 0"}}, status: "200", refused: true,
		},
		{
			section: "9110 §9.3.8", must: "TRACE shows no credentials",
			send: message{line: "TRACE /", fields: []string{"Max-Forwards: 0", "Cookie: a=secret"}}, status: "200",
			refused: true, gets: []string{"content-type: message/http"},
		},
		{
			section: "9110 §7.6.2", must: "for other methods it means nothing",
			send: message{line: "GET /", fields: []string{"Max-Forwards: 0"}}, sees: []string{"max-forwards: 0"},
		},
		{
			section: "9110 §7.6.3", must: "a request is signed with how it came", on: ones(),
			send: message{line: "GET /", fields: []string{"Via: 1.0 a, 2 b (c)"}},
			sees: []string{"via: 1.0 a, 2 b (c), 1.1 fairlead"},
		},
		{
			section: "9110 §7.6.3", must: "a request over HTTP/2 is signed so", on: twos(),
			send: message{line: "GET /"}, sees: []string{"via: 2.0 fairlead"},
		},
		{
			section: "9110 §7.6.3", must: "an answer is signed", to: ones(),
			reply: message{line: "200", fields: []string{"Via: 1.0 a"}}, gets: []string{"via: 1.0 a, 1.1 fairlead"},
		},
		{
			section: "9110 §7.6.3", must: "an answer over HTTP/2 is signed so", to: twos(),
			reply: message{line: "200"}, gets: []string{"via: 2.0 fairlead"},
		},
	}
}

// connectionRules: what is not a request to a resource.
func connectionRules() []rule {
	return []rule{
		{
			section: "9110 §9.3.6", must: "CONNECT is not for us", on: ones(),
			send:   message{raw: "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"},
			status: "501", refused: true,
		},
		{
			section: "9110 §10.1.1", must: "an unknown expectation is not met",
			send:   message{line: "GET /", fields: []string{"Expect: coffee"}},
			status: "417", refused: true,
		},
		{
			section: "9110 §10.1.1", must: "nor is one among known ones", on: ones(),
			send:   message{line: "POST /", fields: []string{"Expect: 100-continue, coffee"}, body: "a"},
			status: "417", refused: true,
		},
		{
			section: "9110 §10.1.1", must: "an expectation of HTTP/1.0 is not there", on: ones(),
			send:  message{line: "POST / HTTP/1.0", fields: []string{"Expect: 100-continue"}, body: "a"},
			hides: "expect",
		},
		{
			section: "9110 §10.1.1", must: "an expectation without content is not there", on: sides(),
			send: message{line: "GET /", fields: []string{"Expect: 100-continue"}}, hides: "expect",
		},
		{
			section: "9110 §10.1.1", must: "HTTP/3 has to ask for content to know that there is none", on: three(),
			send: message{line: "GET /", fields: []string{"Expect: 100-continue"}}, hides: "expect", interim: []string{"100"},
		},
		{
			section: "9110 §7.8", must: "HTTP/1.0 cannot be upgraded", on: ones(),
			send:  message{line: "GET / HTTP/1.0", fields: []string{"Connection: Upgrade", "Upgrade: websocket"}},
			hides: "upgrade connection",
		},
		{
			section: "9110 §7.8", must: "an upgrade goes on, without what is not for services", on: ones(), to: ones(),
			send: message{line: "GET /", fields: []string{"Connection: Upgrade", "Upgrade: h2c, websocket, TLS/1.3"}},
			sees: []string{"upgrade: websocket", "connection: Upgrade"},
		},
		{
			section: "9110 §7.8", must: "Upgrade without its option is not there", on: ones(),
			send: message{line: "GET /", fields: []string{"Upgrade: websocket"}}, hides: "upgrade connection",
		},
		{
			section: "9113 §3.1", must: "an upgrade to HTTP/2 is not passed on", on: ones(),
			send: message{line: "GET /", fields: []string{
				"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__",
			}},
			hides: "upgrade connection http2-settings",
		},
	}
}
