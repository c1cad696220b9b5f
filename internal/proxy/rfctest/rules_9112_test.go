package rfctest

// rules9112 is what RFC 9112 asks of who takes requests over HTTP/1.1. Its hundreds of small print are in
// smuggling_test.go.
func rules9112() []rule {
	raw := func(section, must, text, status string) rule {
		return rule{section: section, must: must, on: ones(), send: message{raw: text}, status: status, refused: true}
	}
	return []rule{
		{
			section: "9112 §2.2", must: "an empty line before a request is forgiven", on: ones(),
			send: message{raw: "\r\nGET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"}, line: "GET /a",
		},
		raw("9112 §2.2", "a line ends with CR and LF", "GET / HTTP/1.1\nHost: a.example\r\n\r\n", "400"),
		raw("9112 §2.2", "nothing is between start line and fields", "GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", "400"),
		{
			section: "9112 §2.3", must: "we send our own version", on: ones(),
			send: message{raw: "GET /a HTTP/1.0\r\n\r\n"}, line: "GET /a", sees: []string{"via: 1.0 fairlead"},
		},
		raw("9112 §3", "one space separates", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
		raw("9112 §3.2", "Host is there", "GET / HTTP/1.1\r\n\r\n", "400"),
		raw("9112 §3.2", "Host is there once", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"),
		raw("9112 §3.2", "Host is a host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"),
		{
			section: "9112 §3.2.1", must: "the target becomes origin-form", on: ones(),
			send: message{raw: "GET http://a.example/b?c HTTP/1.1\r\nHost: a.example\r\n\r\n"}, line: "GET /b?c",
		},
		{
			section: "9112 §3.2.2", must: "the target's host counts, not Host", on: ones(),
			send: message{raw: "GET http://Other.example:81/b HTTP/1.1\r\nHost: a.example\r\n\r\n"}, line: "GET /b",
			sees: []string{"host: Other.example:81", "x-forwarded-host: Other.example:81"},
		},
		{
			section: "9112 §3.2.1", must: "an empty path becomes a slash", on: ones(),
			send: message{raw: "GET http://a.example?c HTTP/1.1\r\nHost: a.example\r\n\r\n"}, line: "GET /?c",
		},
		raw("9112 §3.2.4", "OPTIONS * is for the server", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "200"),
		raw("9112 §3.2.4", "the server alone is *", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "200"),
		raw("9112 §5.1", "no space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", "400"),
		raw("9112 §5.2", "no folded lines", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", "400"),
		raw("9112 §6.1", "not two lengths",
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
		raw("9112 §6.1", "no chunks in HTTP/1.0",
			"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
		raw("9112 §6.1", "no unknown coding",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"),
		raw("9112 §6.3", "chunked is last",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "400"),
		raw("9112 §6.3", "a length is a number", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", "400"),
		raw("9112 §6.3", "one length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", "400"),
		{
			section: "9112 §6.3", must: "without a length there is no content", on: ones(),
			send: message{raw: "POST /a HTTP/1.1\r\nHost: a\r\n\r\n"}, line: "POST /a",
		},
		{
			section: "9112 §7.1.1", must: "chunk extensions end here", on: ones(),
			send: message{raw: "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
				"5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"}, line: "POST /a",
		},
		{
			section: "9112 §7.1.2", must: "trailers pass", on: ones(),
			send: message{raw: "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" +
				"Trailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"}, line: "POST /a",
			trailers: []string{"x-sum: 1"}, hides: "x-sum",
		},
		{
			section: "9112 §9.3", must: "HTTP/1.0 ends the connection", on: ones(),
			send: message{line: "GET / HTTP/1.0"}, reply: message{line: "200", body: "a"},
		},
		{
			section: "9112 §9.3", must: "HTTP/1.0 may ask to keep it", on: ones(), to: ones(),
			send:  message{line: "GET / HTTP/1.0", fields: []string{"Connection: keep-alive"}},
			reply: message{line: "200", body: "a"}, gets: []string{"connection: keep-alive"}, hides: "connection",
		},
	}
}

// rules9112Answers is what RFC 9112 asks of who takes answers over HTTP/1.1, and of who sends them.
func rules9112Answers() []rule {
	bad := func(section, must, text string) rule {
		return rule{section: section, must: must, to: ones(), reply: message{raw: "HTTP/1.1 " + text, cut: true},
			send: message{line: "POST /"}, status: "502"}
	}
	return []rule{
		{
			section: "9112 §4", must: "a status line needs no reason", to: ones(),
			reply: message{raw: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"},
		},
		{
			section: "9112 §6.3", must: "content until the end of the connection passes", to: ones(),
			reply: message{raw: "HTTP/1.0 200 OK\r\n\r\nhello", cut: true}, lacks: "content-length",
		},
		{
			section: "9112 §6.1", must: "no chunks to HTTP/1.0", on: ones(),
			send:  message{line: "GET / HTTP/1.0"},
			reply: message{line: "200", body: "hello", chunked: true}, lacks: "transfer-encoding",
		},
		{
			section: "9112 §7.1.1", must: "chunk extensions of answers end here", to: ones(),
			reply: message{raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n"},
		},
		bad("9112 §5.1", "no space before the colon in answers", "200 OK\r\nContent-Length : 1\r\n\r\na"),
		bad("9112 §5.2", "no folded lines in answers", "200 OK\r\nContent-Length: 1\r\nX: a\r\n b\r\n\r\na"),
		bad("9112 §2.2", "no bare CR in answers", "200 OK\r\nContent-Length: 1\r\nX: a\rb\r\n\r\na"),
		bad("9112 §6.3", "not two lengths in answers",
			"200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		bad("9112 §6.3", "no length that is none in answers", "200 OK\r\nContent-Length: 1, 2\r\n\r\na"),
		bad("9112 §6.3", "one length in answers", "200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na"),
		bad("9112 §6.1", "no chunks in 204", "204 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		bad("9112 §4", "a status has three digits", "20 OK\r\nContent-Length: 0\r\n\r\n"),
		bad("9112 §4", "a status line is there", "\r\n\r\n"),
	}
}
