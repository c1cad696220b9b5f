package rfctest

// rules9110Answers is what RFC 9110 asks of a proxy that passes answers on.
func rules9110Answers() []rule { return append(statusRules(), fieldRules()...) }

func statusRules() []rule {
	hints := message{line: "103", fields: []string{"Link: </a>; rel=preload"}}
	return []rule{
		{
			section: "9110 §15.2", must: "informational answers pass, known or not",
			reply:   message{line: "200", body: "a", interim: []message{{line: "102"}, hints, {line: "199"}}},
			interim: []string{"102", "103", "199"}, lacks: "link",
		},
		{
			section: "9110 §15.2", must: "but not to HTTP/1.0", on: ones(),
			send: message{line: "GET / HTTP/1.0"}, reply: message{line: "200", body: "a", interim: []message{hints}},
		},
		{
			section: "9110 §15.2.2", must: "nobody asked to switch protocols", to: ones(),
			send:   message{line: "POST /"},
			reply:  message{raw: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes"},
			status: "502",
		},
		{
			section: "9110 §15.2.2", must: "nor to switch to another one", on: ones(), to: ones(),
			send:   message{line: "GET /", fields: []string{"Connection: Upgrade", "Upgrade: websocket"}},
			reply:  message{raw: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes"},
			status: "502", sees: []string{"upgrade: websocket"},
		},
		{section: "9110 §15", must: "unknown statuses pass: 299", reply: message{line: "299", body: "a"}},
		{section: "9110 §15", must: "unknown statuses pass: 499", reply: message{line: "499", body: "a"}},
		{section: "9110 §15", must: "unknown statuses pass: 599", reply: message{line: "599", body: "a"}},
		{section: "9110 §15.3.5", must: "204 has no content", reply: message{line: "204"},
			lacks: "content-length transfer-encoding content-type"},
		{section: "9110 §15.3.6", must: "205 has none, either", reply: message{line: "205"}},
		{
			section: "9110 §15.4.5", must: "304 says what 200 would",
			reply: message{line: "304", fields: []string{"Content-Length: 7", `ETag: "a"`, "Content-Type: a/b"}},
			gets:  []string{"content-length: 7", `etag: "a"`, "content-type: a/b"},
		},
		{section: "9110 §15.3.7", must: "206 passes",
			reply: message{line: "206", body: "ab", fields: []string{"Content-Range: bytes 0-1/5"}},
			gets:  []string{"content-range: bytes 0-1/5"}},
		{
			section: "9110 §15.5.2", must: "401 and its challenges pass",
			reply: message{line: "401", body: "a", fields: []string{"WWW-Authenticate: Basic", `WWW-Authenticate: X a="b"`}},
			gets:  []string{`www-authenticate: Basic|X a="b"`},
		},
		{
			section: "9110 §9.3.2", must: "an answer to HEAD has the length and no content",
			send: message{line: "HEAD /"}, reply: message{line: "200", fields: []string{"Content-Length: 7"}},
			gets: []string{"content-length: 7"},
		},
		{
			section: "9110 §9.3.2", must: "an answer to HEAD without a length has none", to: twos(),
			send: message{line: "HEAD /"}, reply: message{line: "200"}, lacks: "content-length",
		},
	}
}

func fieldRules() []rule {
	return []rule{
		{section: "9110 §6.6.1", must: "Date is added where it is missing", reply: message{line: "200", body: "a"},
			lacks: "server"},
		{
			section: "9110 §6.6.1", must: "Date is not changed",
			reply: message{line: "200", fields: []string{"Date: Sun, 06 Nov 1994 08:49:37 GMT", "Server: x"}},
			gets:  []string{"date: Sun, 06 Nov 1994 08:49:37 GMT", "server: x"},
		},
		{
			section: "9110 §5.3", must: "several fields of a name keep their order",
			reply: message{line: "200", fields: []string{"Set-Cookie: a=1, b", "X-A: 1", "Set-Cookie: c=2", "X-A: 2"}},
			gets:  []string{"set-cookie: a=1, b|c=2", "x-a: 1|2"},
		},
		{section: "9110 §5.5", must: "octets above ASCII pass",
			reply: message{line: "200", fields: []string{"X-A: \xe4\xff b"}}, gets: []string{"x-a: \xe4\xff b"}},
		{section: "9110 §8.3", must: "Content-Type is not made up", reply: message{line: "200", body: "<html>"},
			lacks: "content-type"},
		{
			section: "9110 §8.4", must: "a coding is not touched",
			reply: message{line: "200", body: "\x1f\x8b\x08\x00", fields: []string{"Content-Encoding: gzip"}},
			gets:  []string{"content-encoding: gzip"},
		},
		{section: "9110 §8.6", must: "the length passes", to: ones(), reply: message{line: "200", body: "hello"},
			gets: []string{"content-length: 5"}},
		{section: "9110 §6.4", must: "content of unknown length passes",
			reply: message{line: "200", body: "hello\x00\r\n", chunked: true}},
		{
			section: "9110 §6.5", must: "trailers pass, announced or not, and are not merged",
			reply: message{line: "200", body: "a", chunked: true, fields: []string{"Trailer: x-sum"},
				trailers: []string{"x-sum: 1", "x-late: 2"}},
			gets: []string{"trailer: X-Sum"}, lacks: "x-sum x-late",
		},
		{
			section: "9110 §6.5", must: "trailers of an answer without content pass", to: twos(),
			reply: message{line: "200", trailers: []string{"grpc-status: 0"}}, lacks: "grpc-status",
		},
	}
}
