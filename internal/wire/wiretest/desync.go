package wiretest

import (
	"fmt"
	"strings"
)

// desyncCases: what the handler does not read is not the next request (RFC 9112 §6.3, §9.3).
func desyncCases() []Case {
	return []Case{
		{Name: "CL.0: GET with a body", Raw: withLength("GET"), Status: 200, Body: Smuggled},
		{Name: "CL.0: HEAD with a body", Raw: withLength("HEAD"), Status: 200, Body: Smuggled},
		{Name: "CL.0: OPTIONS with a body", Raw: withLength("OPTIONS"), Status: 200, Body: Smuggled},
		{Name: "CL.0: DELETE with a body", Raw: withLength("DELETE"), Status: 200, Body: Smuggled},
		{Name: "TE.0: GET with chunks", Raw: withChunks("GET"), Status: 200, Body: Smuggled},
		{Name: "TE.0: OPTIONS with chunks", Raw: withChunks("OPTIONS"), Status: 200, Body: Smuggled},
		{Name: "TE.0: HEAD with chunks", Raw: withChunks("HEAD"), Status: 200, Body: Smuggled},
		{Name: "0.CL: a name like it", Raw: posts("Content_Length: 5\r\n", ""), Status: 200},
		{Name: "0.CL: another name like it", Raw: posts("X-Content-Length: 5\r\n", ""), Status: 200},
		{"0.CL: hidden by a space", posts("Content-Length : 5\r\n", "hello"), 400, "RFC 9112 §5.1", ""},
		{"0.CL: hidden by a space before", posts(" Content-Length: 5\r\n", "hello"), 400, "RFC 9112 §5.2", ""},
		{"0.CL: hidden by a line before", posts("A:\r\n Content-Length: 5\r\n", "hello"), 400, "RFC 9112 §5.2", ""},
		{"0.CL: hidden by NUL", posts("Content-Length\x00: 5\r\n", "hello"), 400, "RFC 9110 §5.5", ""},
		{"0.CL: hidden by LF", posts("A: b\nContent-Length: 5\r\n", "hello"), 400, "RFC 9112 §2.2", ""},
		{"0.CL: hidden by CR", posts("A: b\rContent-Length: 5\r\n", "hello"), 400, "RFC 9110 §5.5", ""},
		{"0.CL: in the request line", "POST /?Content-Length: 5 HTTP/1.1\r\nHost: x\r\n\r\nhello" + Smuggled, 400,
			"RFC 9112 §3.2", ""},
		{Name: "0.TE: a name like it", Raw: posts("Transfer_Encoding: chunked\r\n", ""), Status: 200},
		{Name: "0.TE: another name like it", Raw: posts("X-Transfer-Encoding: chunked\r\n", ""), Status: 200},
		{Name: "garbage after a body", Raw: "POST / HTTP/1.1\r\nHost: x\r\n" + length5 + "\r\nhello\x00\x00", Status: 200,
			Body: "hello"},
		{Name: "CRLF after a body", Raw: "POST / HTTP/1.1\r\nHost: x\r\n" + length5 + "\r\nhello\r\n" + Smuggled,
			Status: 200, Body: "hello"},
		{"TLS in plain text", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "RFC 9112 §3", ""},
	}
}

func withLength(method string) string {
	return fmt.Sprintf("%s / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", method, len(Smuggled), Smuggled)
}

func withChunks(method string) string {
	return fmt.Sprintf("%s / HTTP/1.1\r\nHost: x\r\n%s\r\n%x\r\n%s\r\n%s", method, chunkedF, len(Smuggled), Smuggled,
		lastOnly)
}

// expectationCases: an expectation that only one of two readers sees makes them disagree about who waits for whom (RFC
// 9110 §10.1.1).
func expectationCases() []Case {
	const waits = "Expect: 100-continue\r\n"
	cases := []Case{
		{Name: "Expect: without content", Raw: gets(waits), Status: 200},
		{Name: "Expect: with no content", Raw: posts(waits+"Content-Length: 0\r\n", ""), Status: 200},
		{Name: "Expect: in another case", Raw: posts("eXPECT: 100-CONTINUE\r\nContent-Length: 0\r\n", ""), Status: 200},
		{Name: "Expect: of HTTP/1.0", Raw: "POST / HTTP/1.0\r\nHost: x\r\n" + waits + length5 + "\r\nhello", Status: 200,
			Body: "hello"},
	}
	for _, value := range []string{
		"", "100-continued", "y 100-continue", "100-continue x", "100-continue, x", "x, 100-continue", "100 continue",
		"100-continue;q=1", "\"100-continue\"", "100-continue,", "100-continue, 100-continue", "100", "continue",
		"100-continue\xa0",
	} {
		cases = append(cases, Case{
			fmt.Sprintf("Expect: %q", value), posts("Expect: "+value+"\r\n"+length5, "hello"), 417, "RFC 9110 §10.1.1", "",
		})
	}
	return append(cases,
		Case{"Expect: twice", posts(waits+waits+length5, "hello"), 417, "RFC 9110 §10.1.1", ""},
		Case{"Expect: two", posts(waits+"Expect: x\r\n"+length5, "hello"), 417, "RFC 9110 §10.1.1", ""},
		Case{"Expect: hidden by a space", posts("Expect : 100-continue\r\n"+length5, "hello"), 400, "RFC 9112 §5.1", ""},
		Case{"Expect: folded", posts("Expect:\r\n 100-continue\r\n"+length5, "hello"), 400, "RFC 9112 §5.2", ""},
		Case{"Expect: behind LF", posts("Expect: \n100-continue\r\n"+length5, "hello"), 400, "RFC 9112 §2.2", ""},
	)
}

// connectionCases: what Connection names is removed, and yet frames the message (RFC 9110 §7.6.1).
func connectionCases() []Case {
	return []Case{
		{Name: "Connection: names Content-Length", Raw: posts("Connection: Content-Length\r\n"+length5, "hello"), Status: 200,
			Body: "hello"},
		{Name: "Connection: names Transfer-Encoding",
			Raw:    posts("Connection: Transfer-Encoding\r\n"+chunkedF, "5\r\nhello\r\n"+lastOnly),
			Status: 200, Body: "hello"},
		{Name: "Connection: names Host", Raw: gets("Connection: Host, Connection\r\n"), Status: 200},
		{Name: "Connection: names Expect", Raw: posts("Connection: Expect\r\nExpect: 100-continue\r\nContent-Length: 0\r\n",
			""), Status: 200},
		{Name: "Connection: names nonsense", Raw: gets("Connection: , a b, \"c\", (d), \xff\r\n"), Status: 200},
		{"Connection: names both lengths",
			posts("Connection: Content-Length, Transfer-Encoding\r\n"+length5+chunkedF, lastOnly), 400, "RFC 9112 §6.3", ""},
		{Name: "Connection: many names", Raw: gets("Connection: " + strings.Repeat("a,", 1000) + "\r\n"), Status: 200},
	}
}

// limitCases: HeaderBytes and Fields are allowed.
func limitCases() []Case {
	return []Case{
		{"limit: request line", "GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414, "RFC 9112 §3", ""},
		{"limit: request line without end", strings.Repeat("a", 5000), 414, "RFC 9112 §3", ""},
		{"limit: one field", gets("A: " + strings.Repeat("b", 5000) + "\r\n"), 431, "RFC 6585 §5", ""},
		{"limit: all fields", gets(strings.Repeat("A: "+strings.Repeat("b", 500)+"\r\n", 10)), 431, "RFC 6585 §5", ""},
		{"limit: number of fields", gets(strings.Repeat("A: b\r\n", Fields)), 431, "RFC 6585 §5", ""},
		{Name: "limit: as many as may be", Raw: gets(strings.Repeat("A: b\r\n", Fields-1)), Status: 200},
		{"limit: no end", "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 1000), 431, "RFC 6585 §5", ""},
	}
}
