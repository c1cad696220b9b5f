package wiretest

import (
	"fmt"
	"strings"
)

// gets returns a request with the fields, and something that must not be read as another.
func gets(fields string) string { return "GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + Smuggled }

// lineCases: lines end with CRLF, and are not continued (RFC 9112 §2.2, §5.2).
func lineCases() []Case {
	var cases []Case
	for name, raw := range map[string]string{
		"after the request line":  "GET / HTTP/1.1\nHost: x\r\n\r\n" + Smuggled,
		"after a field":           "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n" + Smuggled,
		"as empty line":           "GET / HTTP/1.1\r\nHost: x\r\n\n" + Smuggled,
		"everywhere":              "GET / HTTP/1.1\nHost: x\n\n" + Smuggled,
		"in a value":              gets("A: b\nTransfer-Encoding: chunked\r\n"),
		"in a name":               gets("A\nB: c\r\n"),
		"before the request":      "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n" + Smuggled,
		"after Content-Length":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\n\r\nhello" + Smuggled,
		"hides Transfer-Encoding": gets("A: b\nTransfer-Encoding: chunked\r\nC: d\r\n"),
		"LF CR":                   "GET / HTTP/1.1\n\rHost: x\n\r\n\r" + Smuggled,
	} {
		cases = append(cases, Case{"LF: " + name, raw, 400, "RFC 9112 §2.2", ""})
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
		cases = append(cases, Case{"CR: " + name, raw, 400, "RFC 9110 §5.5", ""})
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
		cases = append(cases, Case{"folded: " + name, gets(fields), 400, "RFC 9112 §5.2", ""})
	}
	return append(cases,
		Case{"folded: the first field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n" + Smuggled, 400, "RFC 9112 §5.2", ""},
		Case{"folded: the first field, by a tab", "GET / HTTP/1.1\r\n\tHost: x\r\n\r\n" + Smuggled, 400,
			"RFC 9112 §5.2", ""},
		Case{Name: "an empty line before", Raw: "\r\n" + gets(""), Status: 200},
		Case{"two empty lines before", "\r\n\r\n" + gets(""), 400, "RFC 9112 §3", ""},
		Case{"a space before", " " + gets(""), 400, "RFC 9112 §3", ""},
		Case{"a byte order mark before", "\xef\xbb\xbf" + gets(""), 400, "RFC 9112 §3", ""},
	)
}

// nameCases: names are tokens, and the colon follows at once (RFC 9112 §5.1).
func nameCases() []Case {
	cases := []Case{
		{Name: "Name: every character of a token", Raw: gets("!#$%&'*+-.^_`|~09AZaz: b\r\n"), Status: 200},
		{Name: "Name: twice", Raw: gets("A: b\r\nA: c\r\n"), Status: 200},
	}
	for _, name := range []string{
		"A ", "A\t", "Transfer-Encoding ", "Content-Length ", "Content-Length\t", "Host ", "Transfer-Encoding\t", "A B",
		"A \t ",
	} {
		cases = append(cases, Case{fmt.Sprintf("Name: %q", name), gets(name + ": chunked\r\n"), 400, "RFC 9112 §5.1",
			""})
	}
	for _, c := range []byte("()<>@,;\\\"/[]?={}") {
		cases = append(cases, Case{fmt.Sprintf("Name: with %q", c), gets("A" + string(c) + ": b\r\n"), 400,
			"RFC 9110 §5.1", ""})
	}
	for _, name := range []string{"", "A\x80", "Ä", "\xffA", "Transfer-Encodıng", "\xa0A", "[Host", "\"A\""} {
		cases = append(cases, Case{fmt.Sprintf("Name: %q", name), gets(name + ": b\r\n"), 400, "RFC 9110 §5.1", ""})
	}
	for _, line := range []string{"A", "Transfer-Encoding", "chunked", "GET"} {
		cases = append(cases, Case{fmt.Sprintf("no colon: %q", line), gets(line + "\r\n"), 400, "RFC 9112 §5", ""})
	}
	return cases
}

// valueCases: values have no control characters (RFC 9110 §5.5).
func valueCases() []Case {
	cases := []Case{
		{Name: "value: empty", Raw: gets("A:\r\n"), Status: 200},
		{Name: "value: a tab inside", Raw: gets("A: b\tc\r\n"), Status: 200},
		{Name: "value: above ASCII", Raw: gets("A: \xe4\xff\r\n"), Status: 200},
		{Name: "value: a colon", Raw: gets("A: b: c\r\n"), Status: 200},
		{Name: "value: is the next line", Raw: gets("A: GET /Smuggled HTTP/1.1\r\n"), Status: 200},
	}
	for _, c := range controls() {
		cases = append(cases, Case{
			fmt.Sprintf("value: with %#x", c), gets("A: b" + string([]byte{c}) + "c\r\n"), 400, "RFC 9110 §5.5", "",
		})
	}
	for _, c := range []byte{0, 0x0b, 0x0c, 0x7f} {
		hidden := string([]byte{c})
		cases = append(cases,
			Case{fmt.Sprintf("Name: with %#x", c), gets("A" + hidden + ": b\r\n"), 400, "RFC 9110 §5.5", ""},
			Case{fmt.Sprintf("coding: after %#x", c), gets("Transfer-Encoding: " + hidden + "chunked\r\n"), 400,
				"RFC 9110 §5.5", ""},
			Case{fmt.Sprintf("coding: before %#x", c), gets("Transfer-Encoding: chunked" + hidden + "\r\n"), 400,
				"RFC 9110 §5.5", ""},
			Case{fmt.Sprintf("length: before %#x", c), gets("Content-Length: 0" + hidden + "\r\n"), 400, "RFC 9110 §5.5",
				""},
		)
	}
	return cases
}

// hostCases: exactly one Host, which is one (RFC 9112 §3.2).
func hostCases() []Case {
	request := func(fields string) string { return "GET / HTTP/1.1\r\n" + fields + "\r\n" + Smuggled }
	var cases []Case
	for _, host := range []string{
		"x", "x:80", "x:", "X.example", "127.0.0.1", "[::1]", "[::1]:80", "xn--a", "a_b", "%41", "a.", "[::ffff:1.2.3.4]:1",
		"x:65535",
	} {
		cases = append(cases, Case{Name: fmt.Sprintf("Host: %q", host), Raw: request("Host: " + host + "\r\n"),
			Status: 200})
	}
	for _, host := range []string{
		"", "x y", "x,y", "x, x", "x/y", "x/", "/x", "http://x", "u@x", "u:p@x", "x:a", "x:-1", "x:1:2", "::1", "[::1",
		"::1]", "[]", "[x]",
		"[::1]x", "[::1]:x", "[fe80::1%25eth0]", "x?y", "x#y", "x\\y", "<x>", "\"x\"", "x\ty", "\xc3\xa4", "x\xa0", "x|y",
		"x^y", "{x}",
		"x`y", ":80", "x:000000000080", "[::1]]", "x]", "[[::1]]",
	} {
		cases = append(cases, Case{fmt.Sprintf("Host: %q", host), request("Host: " + host + "\r\n"), 400,
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
		cases = append(cases, Case{"Host: " + name, request(fields), 400, "RFC 9112 §3.2", ""})
	}
	return append(cases,
		Case{"Host: two in HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400, "RFC 9112 §3.2", ""},
		Case{Name: "Host: none in HTTP/1.0", Raw: "GET / HTTP/1.0\r\n\r\n", Status: 200},
		Case{"Host: none with an absolute target", "GET http://x/ HTTP/1.1\r\n\r\n" + Smuggled, 400, "RFC 9112 §3.2",
			""},
		Case{Name: "Host: other than in the target", Raw: "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", Status: 200},
	)
}

// targetCases: the four forms (RFC 9112 §3.2).
func targetCases() []Case {
	request := func(method, target string) string {
		return method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n" + Smuggled
	}
	cases := []Case{
		{Name: "target: * with OPTIONS", Raw: request("OPTIONS", "*"), Status: 200},
		{Name: "target: https", Raw: request("GET", "HTTPS://x:1/y?z"), Status: 200},
		{Name: "target: no path", Raw: request("GET", "http://x?y"), Status: 200},
		{Name: "target: CONNECT", Raw: request("CONNECT", "x:443"), Status: 200},
		{Name: "target: CONNECT to a literal", Raw: request("CONNECT", "[::1]:443"), Status: 200},
		{"target: * with GET", request("GET", "*"), 400, "RFC 9112 §3.2.4", ""},
	}
	for _, target := range []string{
		"/a b", "/a\tb", "/#", "/a#b", "/\x00", "/\x7f", "/\x80", "/ä", "/\r", "/a\x0b", "x", "x/y", "x:80", "//x\x01", "?x",
		"\\", "/a  ", "ftp://x/",
		"http:/x", "http:x", "javascript:x", "://x", "/%", "/%zz", "/%4", "**", "http", "1",
	} {
		cases = append(cases, Case{fmt.Sprintf("target: %q", target), request("GET", target), 400, "RFC 9112 §3.2", ""})
	}
	for _, target := range []string{
		"http://", "http:///x", "http://u@x/", "http://u:p@x/", "http://x:a/", "http://x\\/", "http://?x", "http://[::1/",
		"http://a,b/", "http://:80/",
	} {
		cases = append(cases, Case{fmt.Sprintf("target: %q", target), request("GET", target), 400, "RFC 9110 §4.2.1",
			""})
	}
	for _, target := range []string{"/", "x", "x:", "x:a", "http://x:80", "http://x:80/", ":80", "*", "u@x:80", "x:80/y",
		"x:80?y", "[::1]"} {
		cases = append(cases, Case{fmt.Sprintf("CONNECT: %q", target), request("CONNECT", target), 400,
			"RFC 9112 §3.2.3", ""})
	}
	return cases
}

// versionCases: RFC 9112 §2.3 and §3.
func versionCases() []Case {
	request := func(version string) string { return "GET / " + version + "\r\nHost: x\r\n\r\n" + Smuggled }
	cases := []Case{
		{Name: "version: HTTP/1.1", Raw: request("HTTP/1.1"), Status: 200},
		{Name: "version: HTTP/1.9", Raw: request("HTTP/1.9"), Status: 200},
	}
	for _, version := range []string{"HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"} {
		cases = append(cases, Case{"version: " + version, request(version), 505, "RFC 9110 §15.6.6", ""})
	}
	for _, version := range []string{
		"", "HTTP", "HTTP/", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/1.10", "HTTP/01.1", "HTTP/11", "HTTP/1,1", "http/1.1",
		"Http/1.1",
		"HTTPS/1.1", "HTTP/1.1x", "xHTTP/1.1", "HTTP/1.x", "HTTP/+1.1", "HTTP/1.1\t", "HTTP /1.1", "HTTP/1.1\x00",
		"ICAP/1.0", "HTTP/１.1",
		"HTTP/1.1 ", "HTTP/1.1\r", "HTTP\\1.1", "HTP/1.1", "1.1",
	} {
		cases = append(cases, Case{fmt.Sprintf("version: %q", version), request(version), 400, "RFC 9112 §2.3", ""})
	}
	return append(cases,
		Case{"version: none", "GET /\r\n\r\n", 400, "RFC 9112 §3", ""},
		Case{"version: none, with a field", "GET /\r\nHost: x\r\n\r\n" + Smuggled, 400, "RFC 9112 §3", ""},
		Case{"preface of HTTP/2", preface + Smuggled, 505, "RFC 9110 §15.6.6", ""},
	)
}

// methodCases: one token and one space (RFC 9112 §3).
func methodCases() []Case {
	var cases []Case
	for _, method := range []string{"", "G\x00ET", "G(T", "GET\t", "GET:", "\"GET\"", "GËT", "GET,", "GET/", "\x80",
		"\x16\x03\x01"} {
		cases = append(cases, Case{
			fmt.Sprintf("method: %q", method), method + " / HTTP/1.1\r\nHost: x\r\n\r\n" + Smuggled, 400, "RFC 9112 §3", "",
		})
	}
	return append(cases,
		Case{"method: alone", "GET\r\nHost: x\r\n\r\n", 400, "RFC 9112 §3", ""},
		Case{"method: two spaces after it", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n" + Smuggled, 400, "RFC 9112 §3.2", ""},
		Case{"method: too long", strings.Repeat("A", 33) + " / HTTP/1.1\r\nHost: x\r\n\r\n" + Smuggled, 501,
			"RFC 9112 §3", ""},
		Case{Name: "method: an unknown one", Raw: "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", Status: 200},
		Case{Name: "method: small letters", Raw: "get / HTTP/1.1\r\nHost: x\r\n\r\n", Status: 200},
	)
}
