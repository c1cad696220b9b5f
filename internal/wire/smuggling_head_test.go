package wire

import (
	"fmt"
	"strings"
)

// gets returns a request with the fields, and something that must not be read as another.
func gets(fields string) string { return "GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + smuggled }

// lineCases: lines end with CRLF, and are not continued (RFC 9112 §2.2, §5.2).
func lineCases() []smuggling {
	var cases []smuggling
	for name, raw := range map[string]string{
		"after the request line":  "GET / HTTP/1.1\nHost: x\r\n\r\n" + smuggled,
		"after a field":           "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n" + smuggled,
		"as empty line":           "GET / HTTP/1.1\r\nHost: x\r\n\n" + smuggled,
		"everywhere":              "GET / HTTP/1.1\nHost: x\n\n" + smuggled,
		"in a value":              gets("A: b\nTransfer-Encoding: chunked\r\n"),
		"in a name":               gets("A\nB: c\r\n"),
		"before the request":      "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled,
		"after Content-Length":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\n\r\nhello" + smuggled,
		"hides Transfer-Encoding": gets("A: b\nTransfer-Encoding: chunked\r\nC: d\r\n"),
		"LF CR":                   "GET / HTTP/1.1\n\rHost: x\n\r\n\r" + smuggled,
	} {
		cases = append(cases, smuggling{"LF: " + name, raw, 400, "RFC 9112 §2.2", ""})
	}
	for name, raw := range map[string]string{
		"in a value":              gets("A: b\rc\r\n"),
		"hides a field":           gets("A: b\rTransfer-Encoding: chunked\r\n"),
		"at the end of a value":   gets("A: b\r\r\n"),
		"at the start of a value": gets("A: \rb\r\n"),
		"as empty line":           gets("\r\rA: b\r\n"),
		"in a length":             gets("Content-Length: \r0\r\n"),
		"in a coding":             gets("Transfer-Encoding: chunked\r\r\n"),
		"before a name":           gets("\rA: b\r\n"),
		"in a name":               gets("A\rB: c\r\n"),
	} {
		cases = append(cases, smuggling{"CR: " + name, raw, 400, "RFC 9110 §5.5", ""})
	}
	for name, fields := range map[string]string{
		"space":                  "A: b\r\n c\r\n",
		"tab":                    "A: b\r\n\tc\r\n",
		"a field":                "A: b\r\n Transfer-Encoding: chunked\r\n",
		"Transfer-Encoding":      "Transfer-Encoding:\r\n chunked\r\n",
		"Content-Length":         "Content-Length:\r\n 5\r\n",
		"Host":                   "A: b\r\n x\r\n",
		"only white space":       "A: b\r\n \r\n",
		"only a tab":             "A: b\r\n\t\r\n",
		"white space, then more": "A: b\r\n  \r\nB: c\r\n",
	} {
		cases = append(cases, smuggling{"folded: " + name, gets(fields), 400, "RFC 9112 §5.2", ""})
	}
	return append(cases,
		smuggling{"folded: the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n" + smuggled, 400, "RFC 9112 §5.2", ""},
		smuggling{"folded: the first field, by a tab", "GET / HTTP/1.1\r\n\tHost: x\r\n\r\n" + smuggled, 400,
			"RFC 9112 §5.2", ""},
		smuggling{name: "an empty line before", raw: "\r\n" + gets(""), status: 200},
		smuggling{"two empty lines before", "\r\n\r\n" + gets(""), 400, "RFC 9112 §3", ""},
		smuggling{"a space before", " " + gets(""), 400, "RFC 9112 §3", ""},
		smuggling{"a byte order mark before", "\xef\xbb\xbf" + gets(""), 400, "RFC 9112 §3", ""},
	)
}

// nameCases: names are tokens, and the colon follows at once (RFC 9112 §5.1).
func nameCases() []smuggling {
	cases := []smuggling{
		{name: "name: every character of a token", raw: gets("!#$%&'*+-.^_`|~09AZaz: b\r\n"), status: 200},
		{name: "name: twice", raw: gets("A: b\r\nA: c\r\n"), status: 200},
	}
	for _, name := range []string{
		"A ", "A\t", "Transfer-Encoding ", "Content-Length ", "Content-Length\t", "Host ", "Transfer-Encoding\t", "A B",
		"A \t ",
	} {
		cases = append(cases, smuggling{fmt.Sprintf("name: %q", name), gets(name + ": chunked\r\n"), 400, "RFC 9112 §5.1",
			""})
	}
	for _, c := range []byte("()<>@,;\\\"/[]?={}") {
		cases = append(cases, smuggling{fmt.Sprintf("name: with %q", c), gets("A" + string(c) + ": b\r\n"), 400,
			"RFC 9110 §5.1", ""})
	}
	for _, name := range []string{"", "A\x80", "Ä", "\xffA", "Transfer-Encodıng", "\xa0A", "[Host", "\"A\""} {
		cases = append(cases, smuggling{fmt.Sprintf("name: %q", name), gets(name + ": b\r\n"), 400, "RFC 9110 §5.1", ""})
	}
	for _, line := range []string{"A", "Transfer-Encoding", "chunked", "GET"} {
		cases = append(cases, smuggling{fmt.Sprintf("no colon: %q", line), gets(line + "\r\n"), 400, "RFC 9112 §5", ""})
	}
	return cases
}

// valueCases: values have no control characters (RFC 9110 §5.5).
func valueCases() []smuggling {
	cases := []smuggling{
		{name: "value: empty", raw: gets("A:\r\n"), status: 200},
		{name: "value: a tab inside", raw: gets("A: b\tc\r\n"), status: 200},
		{name: "value: above ASCII", raw: gets("A: \xe4\xff\r\n"), status: 200},
		{name: "value: a colon", raw: gets("A: b: c\r\n"), status: 200},
		{name: "value: is the next line", raw: gets("A: GET /smuggled HTTP/1.1\r\n"), status: 200},
	}
	for _, c := range controls() {
		cases = append(cases, smuggling{
			fmt.Sprintf("value: with %#x", c), gets("A: b" + string([]byte{c}) + "c\r\n"), 400, "RFC 9110 §5.5", "",
		})
	}
	for _, c := range []byte{0, 0x0b, 0x0c, 0x7f} {
		hidden := string([]byte{c})
		cases = append(cases,
			smuggling{fmt.Sprintf("name: with %#x", c), gets("A" + hidden + ": b\r\n"), 400, "RFC 9110 §5.5", ""},
			smuggling{fmt.Sprintf("coding: after %#x", c), gets("Transfer-Encoding: " + hidden + "chunked\r\n"), 400,
				"RFC 9110 §5.5", ""},
			smuggling{fmt.Sprintf("coding: before %#x", c), gets("Transfer-Encoding: chunked" + hidden + "\r\n"), 400,
				"RFC 9110 §5.5", ""},
			smuggling{fmt.Sprintf("length: before %#x", c), gets("Content-Length: 0" + hidden + "\r\n"), 400, "RFC 9110 §5.5",
				""},
		)
	}
	return cases
}

// hostCases: exactly one Host, which is one (RFC 9112 §3.2).
func hostCases() []smuggling {
	request := func(fields string) string { return "GET / HTTP/1.1\r\n" + fields + "\r\n" + smuggled }
	var cases []smuggling
	for _, host := range []string{
		"x", "x:80", "x:", "X.example", "127.0.0.1", "[::1]", "[::1]:80", "xn--a", "a_b", "%41", "a.", "[::ffff:1.2.3.4]:1",
		"x:65535",
	} {
		cases = append(cases, smuggling{name: fmt.Sprintf("Host: %q", host), raw: request("Host: " + host + "\r\n"),
			status: 200})
	}
	for _, host := range []string{
		"", "x y", "x,y", "x, x", "x/y", "x/", "/x", "http://x", "u@x", "u:p@x", "x:a", "x:-1", "x:1:2", "::1", "[::1",
		"::1]", "[]", "[x]",
		"[::1]x", "[::1]:x", "[fe80::1%25eth0]", "x?y", "x#y", "x\\y", "<x>", "\"x\"", "x\ty", "\xc3\xa4", "x\xa0", "x|y",
		"x^y", "{x}",
		"x`y", ":80", "x:000000000080", "[::1]]", "x]", "[[::1]]",
	} {
		cases = append(cases, smuggling{fmt.Sprintf("Host: %q", host), request("Host: " + host + "\r\n"), 400,
			"RFC 9112 §3.2", ""})
	}
	for name, fields := range map[string]string{
		"none":                   "A: b\r\n",
		"no field at all":        "",
		"two":                    "Host: x\r\nHost: y\r\n",
		"twice the same":         "Host: x\r\nHost: x\r\n",
		"twice, other case":      "Host: x\r\nhOST: x\r\n",
		"another between":        "Host: x\r\nA: b\r\nHost: y\r\n",
		"the second is empty":    "Host: x\r\nHost:\r\n",
		"the first is empty":     "Host:\r\nHost: x\r\n",
		"X-Forwarded-Host only":  "X-Forwarded-Host: x\r\n",
		"only a name like it":    "Hostt: x\r\n",
		"three":                  "Host: x\r\nHost: x\r\nHost: x\r\n",
		"two, an invalid second": "Host: x\r\nHost: a b\r\n",
	} {
		cases = append(cases, smuggling{"Host: " + name, request(fields), 400, "RFC 9112 §3.2", ""})
	}
	return append(cases,
		smuggling{"Host: two in HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400, "RFC 9112 §3.2", ""},
		smuggling{name: "Host: none in HTTP/1.0", raw: "GET / HTTP/1.0\r\n\r\n", status: 200},
		smuggling{"Host: none with an absolute target", "GET http://x/ HTTP/1.1\r\n\r\n" + smuggled, 400, "RFC 9112 §3.2",
			""},
		smuggling{name: "Host: other than in the target", raw: "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", status: 200},
	)
}

// targetCases: the four forms (RFC 9112 §3.2).
func targetCases() []smuggling {
	request := func(method, target string) string {
		return method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled
	}
	cases := []smuggling{
		{name: "target: * with OPTIONS", raw: request("OPTIONS", "*"), status: 200},
		{name: "target: https", raw: request("GET", "HTTPS://x:1/y?z"), status: 200},
		{name: "target: no path", raw: request("GET", "http://x?y"), status: 200},
		{name: "target: CONNECT", raw: request("CONNECT", "x:443"), status: 200},
		{name: "target: CONNECT to a literal", raw: request("CONNECT", "[::1]:443"), status: 200},
		{"target: * with GET", request("GET", "*"), 400, "RFC 9112 §3.2.4", ""},
	}
	for _, target := range []string{
		"/a b", "/a\tb", "/#", "/a#b", "/\x00", "/\x7f", "/\x80", "/ä", "/\r", "/a\x0b", "x", "x/y", "x:80", "//x\x01", "?x",
		"\\", "/a  ", "ftp://x/",
		"http:/x", "http:x", "javascript:x", "://x", "/%", "/%zz", "/%4", "**", "http", "1",
	} {
		cases = append(cases, smuggling{fmt.Sprintf("target: %q", target), request("GET", target), 400, "RFC 9112 §3.2", ""})
	}
	for _, target := range []string{
		"http://", "http:///x", "http://u@x/", "http://u:p@x/", "http://x:a/", "http://x\\/", "http://?x", "http://[::1/",
		"http://a,b/", "http://:80/",
	} {
		cases = append(cases, smuggling{fmt.Sprintf("target: %q", target), request("GET", target), 400, "RFC 9110 §4.2.1",
			""})
	}
	for _, target := range []string{"/", "x", "x:", "x:a", "http://x:80", "http://x:80/", ":80", "*", "u@x:80", "x:80/y",
		"x:80?y", "[::1]"} {
		cases = append(cases, smuggling{fmt.Sprintf("CONNECT: %q", target), request("CONNECT", target), 400,
			"RFC 9112 §3.2.3", ""})
	}
	return cases
}

// versionCases: RFC 9112 §2.3 and §3.
func versionCases() []smuggling {
	request := func(version string) string { return "GET / " + version + "\r\nHost: x\r\n\r\n" + smuggled }
	cases := []smuggling{
		{name: "version: HTTP/1.1", raw: request("HTTP/1.1"), status: 200},
		{name: "version: HTTP/1.9", raw: request("HTTP/1.9"), status: 200},
	}
	for _, version := range []string{"HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"} {
		cases = append(cases, smuggling{"version: " + version, request(version), 505, "RFC 9110 §15.6.6", ""})
	}
	for _, version := range []string{
		"", "HTTP", "HTTP/", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/1.10", "HTTP/01.1", "HTTP/11", "HTTP/1,1", "http/1.1",
		"Http/1.1",
		"HTTPS/1.1", "HTTP/1.1x", "xHTTP/1.1", "HTTP/1.x", "HTTP/+1.1", "HTTP/1.1\t", "HTTP /1.1", "HTTP/1.1\x00",
		"ICAP/1.0", "HTTP/１.1",
		"HTTP/1.1 ", "HTTP/1.1\r", "HTTP\\1.1", "HTP/1.1", "1.1",
	} {
		cases = append(cases, smuggling{fmt.Sprintf("version: %q", version), request(version), 400, "RFC 9112 §2.3", ""})
	}
	return append(cases,
		smuggling{"version: none", "GET /\r\n\r\n", 400, "RFC 9112 §3", ""},
		smuggling{"version: none, with a field", "GET /\r\nHost: x\r\n\r\n" + smuggled, 400, "RFC 9112 §3", ""},
		smuggling{"preface of HTTP/2", preface + smuggled, 505, "RFC 9110 §15.6.6", ""},
	)
}

// methodCases: one token and one space (RFC 9112 §3).
func methodCases() []smuggling {
	var cases []smuggling
	for _, method := range []string{"", "G\x00ET", "G(T", "GET\t", "GET:", "\"GET\"", "GËT", "GET,", "GET/", "\x80",
		"\x16\x03\x01"} {
		cases = append(cases, smuggling{
			fmt.Sprintf("method: %q", method), method + " / HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled, 400, "RFC 9112 §3", "",
		})
	}
	return append(cases,
		smuggling{"method: alone", "GET\r\nHost: x\r\n\r\n", 400, "RFC 9112 §3", ""},
		smuggling{"method: two spaces after it", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled, 400, "RFC 9112 §3.2", ""},
		smuggling{"method: too long", strings.Repeat("A", 33) + " / HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled, 501,
			"RFC 9112 §3", ""},
		smuggling{name: "method: an unknown one", raw: "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", status: 200},
		smuggling{name: "method: small letters", raw: "get / HTTP/1.1\r\nHost: x\r\n\r\n", status: 200},
	)
}

// desyncCases: what the handler does not read is not the next request (RFC 9112 §6.3, §9.3).
func desyncCases() []smuggling {
	inner := smuggled
	return []smuggling{
		{name: "CL.0: GET with a body", raw: fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			len(inner), inner),
			status: 200, body: inner},
		{name: "CL.0: HEAD with a body", raw: fmt.Sprintf("HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			len(inner), inner),
			status: 200, body: inner},
		{name: "TE.0: GET with chunks", raw: fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n",
			chunkedF, len(inner), inner),
			status: 200, body: inner},
		{name: "OPTIONS with a body", raw: fmt.Sprintf("OPTIONS / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			len(inner), inner),
			status: 200, body: inner},
		{name: "garbage after a body", raw: "POST / HTTP/1.1\r\nHost: x\r\n" + length5 + "\r\nhello\x00\x00", status: 200,
			body: "hello"},
		{"TLS in plain text", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "RFC 9112 §3", ""},
		{"expectation unknown", posts("Expect: 100-continued\r\n"+length5, "hello"), 417, "RFC 9110 §10.1.1", ""},
		{name: "expectation obfuscated by case", raw: posts("Expect: 100-CONTINUE\r\nContent-Length: 0\r\n", ""),
			status: 200},
	}
}

// limitCases: 4,096 bytes and 20 fields are allowed.
func limitCases() []smuggling {
	return []smuggling{
		{"limit: request line", "GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414, "RFC 9112 §3", ""},
		{"limit: request line without end", strings.Repeat("a", 5000), 414, "RFC 9112 §3", ""},
		{"limit: one field", gets("A: " + strings.Repeat("b", 5000) + "\r\n"), 431, "RFC 6585 §5", ""},
		{"limit: all fields", gets(strings.Repeat("A: "+strings.Repeat("b", 500)+"\r\n", 10)), 431, "RFC 6585 §5", ""},
		{"limit: number of fields", gets(strings.Repeat("A: b\r\n", 20)), 431, "RFC 6585 §5", ""},
		{name: "limit: as many as may be", raw: gets(strings.Repeat("A: b\r\n", 19)), status: 200},
		{"limit: no end", "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 1000), 431, "RFC 6585 §5", ""},
	}
}
