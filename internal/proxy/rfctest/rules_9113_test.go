package rfctest

// rules9113 is what RFC 9113 asks of who takes requests over HTTP/2 and passes them on. A malformed request is a stream
// error; an answer of 400 is as good (§8.1.1).
func rules9113() []rule { return append(headRules9113(), streamRules9113()...) }

// headRules9113: what a head may have.
func headRules9113() []rule {
	pseudo := []string{":method: GET", ":scheme: http", ":path: /", ":authority: a.example"}
	malformed := func(section, must string, fields ...string) rule {
		return rule{section: section, must: must, on: twos(), send: message{fields: fields}, status: "400", refused: true,
			reset: true}
	}
	with := func(fields ...string) []string { return append(pseudo[:len(pseudo):len(pseudo)], fields...) }
	without := func(i int, fields ...string) []string {
		return append(append(append([]string{}, pseudo[:i]...), pseudo[i+1:]...), fields...)
	}
	return []rule{
		malformed("9113 §8.2", "no capitals in names", with("!X-Capital: 1")...),
		malformed("9113 §8.2.1", "no CR LF in values", with("x: a\r\nSmuggled: 1")...),
		malformed("9113 §8.2.1", "no LF in values", with("x: a\nSmuggled: 1")...),
		malformed("9113 §8.2.1", "no CR in values", with("x: a\rb")...),
		malformed("9113 §8.2.1", "no NUL in values", with("x: a\x00b")...),
		malformed("9113 §8.2.1", "no CR LF in names", with("x\r\ny: 1")...),
		malformed("9113 §8.2.1", "no spaces in names", with("x y: 1")...),
		malformed("9113 §8.2.2", "no Connection", with("connection: x-hop", "x-hop: 1")...),
		malformed("9113 §8.2.2", "no Transfer-Encoding", with("transfer-encoding: chunked")...),
		malformed("9113 §8.2.2", "no Keep-Alive", with("keep-alive: 1")...),
		malformed("9113 §8.2.2", "no Proxy-Connection", with("proxy-connection: close")...),
		malformed("9113 §8.2.2", "no Upgrade", with("upgrade: websocket")...),
		malformed("9113 §8.2.2", "no TE but trailers", with("te: gzip")...),
		{
			section: "9113 §8.2.3", must: "crumbs of a cookie become one", on: twos(), to: ones(),
			send: message{line: "GET /", fields: []string{"cookie: a=1", "cookie: b=2", "x: 1", "cookie: c=3"}},
			sees: []string{"cookie: a=1; b=2; c=3"},
		},
		malformed("9113 §8.3", "pseudo fields come first", append([]string{":method: GET", "x: 1"}, pseudo[1:]...)...),
		malformed("9113 §8.3", "no unknown pseudo field", append([]string{":x: 1"}, pseudo...)...),
		malformed("9113 §8.3", "no pseudo field of answers", append([]string{":status: 200"}, pseudo...)...),
		malformed("9113 §8.3.1", "a method", without(0)...),
		malformed("9113 §8.3.1", "a scheme", without(1)...),
		malformed("9113 §8.3.1", "a path", without(2)...),
		malformed("9113 §8.3.1", "one method", append([]string{":method: GET"}, pseudo...)...),
		malformed("9113 §8.3.1", "one path", append([]string{":path: /smuggled"}, pseudo...)...),
		malformed("9113 §8.3.1", "one authority", append([]string{":authority: b.example"}, pseudo...)...),
		malformed("9113 §8.3.1", "a path that is not empty", ":method: GET", ":scheme: http", ":path: ", ":authority: a"),
		malformed("9113 §8.3.1", "a path that is one", ":method: GET", ":scheme: http", ":path: a", ":authority: a"),
		malformed("9113 §8.3.1", "no line end in the path", ":method: GET", ":scheme: http",
			":path: / HTTP/1.1\r\nSmuggled: 1", ":authority: a"),
		malformed("9113 §8.3.1", "no space in the path", ":method: GET", ":scheme: http", ":path: /a HTTP/1.1",
			":authority: a"),
		malformed("9113 §8.3.1", "no line end in the method", ":method: GET / HTTP/1.1\r\nA: b", ":scheme: http",
			":path: /", ":authority: a"),
		malformed("9113 §8.3.1", "no space in the method", ":method: GET /smuggled", ":scheme: http", ":path: /",
			":authority: a"),
		malformed("9113 §8.3.1", "no line end in the authority", ":method: GET", ":scheme: http", ":path: /",
			":authority: a\r\nSmuggled: 1"),
		malformed("9113 §8.3.1", "no user in the authority", ":method: GET", ":scheme: http", ":path: /",
			":authority: user@a.example"),
		malformed("9113 §8.3.1", "no path in the authority", ":method: GET", ":scheme: http", ":path: /",
			":authority: a.example/smuggled"),
		malformed("9113 §8.3.1", "no other Host beside the authority", with("host: b.example")...),
		malformed("9113 §8.3.1", "no two Hosts", without(3, "host: a.example", "host: a.example")...),
		malformed("9113 §8.3.1", "a host at all", without(3)...),
		{
			section: "9113 §8.3.1", must: "the same Host beside the authority is one", on: twos(),
			send: message{fields: with("host: a.example")}, line: "GET /", sees: []string{"host: a.example"},
		},
		{
			section: "9113 §8.3.1", must: "Host counts where there is no authority", on: twos(),
			send: message{fields: without(3, "host: b.example")}, line: "GET /", sees: []string{"host: b.example"},
		},
		{
			section: "9113 §8.5", must: "CONNECT is not for us", on: twos(),
			send:   message{fields: []string{":method: CONNECT", ":authority: a.example:443"}},
			status: "501", refused: true, reset: true,
		},
	}
}

// streamRules9113: how heads, content and trailers make a message.
func streamRules9113() []rule {
	return []rule{
		{
			section: "9113 §8.1.1", must: "content is not shorter than its length", on: twos(),
			send: message{line: "POST /", fields: []string{"content-length: 9"}, body: "hello"}, status: "400",
			refused: true, reset: true,
		},
		{
			section: "9113 §8.1.1", must: "content is not longer than its length", on: twos(),
			send: message{line: "POST /", fields: []string{"content-length: 2"}, body: "hello"}, status: "400",
			refused: true, reset: true,
		},
		{
			section: "9113 §8.1", must: "a trailer has no pseudo fields", on: twos(),
			send: message{line: "POST /", body: "hello", trailers: []string{":path: /smuggled"}}, status: "400",
			refused: true, reset: true,
		},
		{
			section: "9113 §8.1", must: "an answer that ends with its head ends so for the client", on: twos(), to: twos(),
			send:  message{line: "POST /", fields: []string{"te: trailers"}, body: "a"},
			reply: message{line: "200", fields: []string{"content-type: application/grpc", "grpc-status: 12"}},
			gets:  []string{"content-type: application/grpc", "grpc-status: 12"}, bare: true,
		},
		{
			section: "9113 §8.1", must: "and one that ends with a trailer ends with a trailer", on: twos(), to: twos(),
			send: message{line: "POST /", fields: []string{"te: trailers"}, body: "a"},
			reply: message{line: "200", fields: []string{"content-type: application/grpc"},
				trailers: []string{"grpc-status: 12"}},
			lacks: "grpc-status",
		},
		{
			section: "9113 §8.2.2", must: "no fields of a connection in answers", to: twos(),
			reply: message{line: "200", body: "a", fields: []string{"connection: x-hop", "x-hop: 1", "keep-alive: 1"}},
			lacks: "connection keep-alive",
		},
	}
}
