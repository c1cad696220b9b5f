package wiretest

import (
	"fmt"
	"net/http"
	"strings"
)

const (
	length5  = "Content-Length: 5\r\n"
	chunkedF = "Transfer-Encoding: chunked\r\n"
	lastOnly = "0\r\n\r\n"
)

// posts returns a request with the fields and the body, and something that must not be read as another.
func posts(fields, body string) string {
	return "POST / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body + Smuggled
}

// lengthCases: what Content-Length is not (RFC 9110 §8.6, RFC 9112 §6.3).
func lengthCases() []Case {
	cases := []Case{
		{Name: "CL: a number", Raw: posts(length5, "hello"), Status: 200, Body: "hello"},
		{Name: "CL: zeros before", Raw: posts("Content-Length: 0005\r\n", "hello"), Status: 200, Body: "hello"},
		{Name: "CL: zero", Raw: posts("Content-Length: 0\r\n", ""), Status: 200},
		{Name: "CL: spaces around", Raw: posts("Content-Length:\t 5 \t\r\n", "hello"), Status: 200, Body: "hello"},
		{Name: "CL: any case", Raw: posts("cOnTeNt-LeNgTh: 5\r\n", "hello"), Status: 200, Body: "hello"},
		{Name: "CL: without body to come", Raw: "POST / HTTP/1.1\r\nHost: x\r\n\r\n", Status: 200},
		{Name: "CL: cut short", Raw: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello", Status: 0},
	}
	for _, value := range []string{
		"", "+5", "-5", "-0", "+0", "5.0", "5e0", "0x5", "5,", ",5", "5,5", "5, 5", "5, 6", "5 5", "5;5", "5x", "x5", "five",
		"\"5\"",
		"'5'", "5\t5", "5_0", "0b101", "0o5", "1e1", "5\xa0", "\xa05", "\xd9\xa5", "５", "9223372036854775808",
		"18446744073709551621", "99999999999999999999", "00000000000000000005", "NaN", "Infinity", "5\\", "(5)", "5%",
	} {
		cases = append(cases, Case{
			fmt.Sprintf("CL: %q", value), posts("Content-Length: "+value+"\r\n", "hello"), 400, "RFC 9110 §8.6", "",
		})
	}
	for name, fields := range map[string]string{
		"twice the same":     length5 + length5,
		"two values":         length5 + "Content-Length: 6\r\n",
		"another between":    length5 + "A: b\r\nContent-Length: 0\r\n",
		"twice, other case":  length5 + "content-length: 5\r\n",
		"three":              length5 + length5 + length5,
		"second is empty":    length5 + "Content-Length:\r\n",
		"second is negative": length5 + "Content-Length: -1\r\n",
	} {
		cases = append(cases, Case{"CL.CL: " + name, posts(fields, "hello"), 400, "RFC 9112 §6.3", ""})
	}
	return cases
}

// codingCases: Transfer-Encoding is exactly chunked, once, alone, in HTTP/1.1 (RFC 9112 §6.1, §6.3).
func codingCases() []Case {
	cases := []Case{
		{Name: "TE: chunked", Raw: posts(chunkedF, "5\r\nhello\r\n"+lastOnly), Status: 200, Body: "hello"},
		{Name: "TE: any case", Raw: posts("TRANSFER-encoding: ChunkeD\r\n", "5\r\nhello\r\n"+lastOnly), Status: 200,
			Body: "hello"},
		{Name: "TE: spaces around", Raw: posts("Transfer-Encoding:\t chunked \r\n", lastOnly), Status: 200},
		{Name: "TE.0", Raw: posts(chunkedF, lastOnly), Status: 200},
		{"TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: x\r\n" + chunkedF + "\r\n" + lastOnly + Smuggled, 400, "RFC 9112 §6.1",
			""},
		{"TE in HTTP/1.0, keep-alive",
			"POST / HTTP/1.0\r\nConnection: keep-alive\r\n" + chunkedF + "\r\n" + lastOnly + Smuggled,
			400, "RFC 9112 §6.1", ""},
	}
	for _, value := range []string{
		"", "x", "xchunked", "chunkedx", "chunked,", "chunked, identity", "chunked, chunked", "chunked,chunked",
		"chunked;q=1",
		"chunked;", "\"chunked\"", "'chunked'", "chunked chunked", "chunked\tx", "x chunked", "identity", "gzip",
		"gzip;chunked", "chunk",
		"chunked, gzip", "chunked, gzip, chunked", "cow", "chunked\xa0", "\xa0chunked", "chunked\\", "chun ked", "chunked=1",
		"{chunked}", "chunked/1", "ｃhunked", "chunKed\xe2\x84\xaa",
		"chunked\u212a", "chun\u212aed",
	} {
		cases = append(cases, Case{
			fmt.Sprintf("TE: %q", value), posts("Transfer-Encoding: "+value+"\r\n", "5\r\nhello\r\n"+lastOnly), 400,
			"RFC 9112 §6.3", "",
		})
	}
	for _, value := range []string{"gzip, chunked", "identity, chunked", ",chunked", "x,chunked", " , chunked",
		"deflate,\tchunked"} {
		cases = append(cases, Case{
			fmt.Sprintf("TE: %q", value), posts("Transfer-Encoding: "+value+"\r\n", "5\r\nhello\r\n"+lastOnly), 501,
			"RFC 9112 §6.1", "",
		})
	}
	for name, fields := range map[string]string{
		"CL.TE":                   length5 + chunkedF,
		"TE.CL":                   chunkedF + length5,
		"CL.TE: CL.0":             "Content-Length: 0\r\n" + chunkedF,
		"CL.TE: another between":  length5 + "A: b\r\n" + chunkedF,
		"CL.TE: identity":         length5 + "Transfer-Encoding: identity\r\n",
		"CL.TE: unknown":          length5 + "Transfer-Encoding: cow\r\n",
		"CL.TE: empty":            length5 + "Transfer-Encoding:\r\n",
		"TE.CL: lower case":       "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
		"CL.TE: listed as option": "Connection: Content-Length\r\n" + length5 + chunkedF,
	} {
		cases = append(cases, Case{name, posts(fields, lastOnly), 400, "RFC 9112 §6.3", ""})
	}
	for name, fields := range map[string]string{
		"TE.TE: twice":          chunkedF + chunkedF,
		"TE.TE: identity":       chunkedF + "Transfer-Encoding: identity\r\n",
		"TE.TE: identity first": "Transfer-Encoding: identity\r\n" + chunkedF,
		"TE.TE: cow":            chunkedF + "Transfer-encoding: cow\r\n",
		"TE.TE: x":              "Transfer-Encoding: x\r\n" + chunkedF,
		"TE.TE: empty":          "Transfer-Encoding:\r\n" + chunkedF,
		"TE.TE: case":           "transfer-encoding: chunked\r\n" + chunkedF,
	} {
		cases = append(cases, Case{name, posts(fields, lastOnly), 400, "RFC 9112 §6.1", ""})
	}
	return cases
}

// chunkCases: sizes, and ends of chunks (RFC 9112 §7.1).
func chunkCases() []Case {
	cases := []Case{
		{Name: "chunk: capitals", Raw: posts(chunkedF, "A\r\n0123456789\r\n"+lastOnly), Status: 200, Body: "0123456789"},
		{Name: "chunk: zeros before", Raw: posts(chunkedF, "0005\r\nhello\r\n"+lastOnly), Status: 200, Body: "hello"},
		{Name: "chunk: many zeros for the end", Raw: posts(chunkedF, "5\r\nhello\r\n0000\r\n\r\n"), Status: 200,
			Body: "hello"},
		{Name: "chunk: two", Raw: posts(chunkedF, "2\r\nhe\r\n3\r\nllo\r\n"+lastOnly), Status: 200, Body: "hello"},
		{Name: "chunk: no end", Raw: "POST / HTTP/1.1\r\nHost: x\r\n" + chunkedF + "\r\n5\r\nhello\r\n", Status: 0},
		{Name: "chunk: no empty line", Raw: "POST / HTTP/1.1\r\nHost: x\r\n" + chunkedF + "\r\n5\r\nhello\r\n0\r\n",
			Status: 0},
		{Name: "chunk: cut in its data", Raw: "POST / HTTP/1.1\r\nHost: x\r\n" + chunkedF + "\r\n5\r\nhel", Status: 0},
	}
	for _, size := range []string{
		"", " ", "+5", "-5", "-1", "0x5", "5h", "x", "g", " 5", "5 ", "\t5", "5\t", "5 5", "5,", "5.", "5_", "5:", "5=",
		"_5", "'5'", "\"5\"",
		"0x", "00000000000000005", "8000000000000000", "ffffffffffffffff", "10000000000000005", "fffffffffffffffff", "5\x00",
		"\x005",
		"5\x0b", "5\x0c", "5\x7f", "5\xa0", "５", "5\xff", "NaN", "5\\", "#5", "\xef\xbb\xbf5",
	} {
		cases = append(cases, Case{
			fmt.Sprintf("chunk: size %q", size), posts(chunkedF, size+"\r\nhello\r\n"+lastOnly), 400, "RFC 9112 §7.1", "",
		})
	}
	return cases
}

// chunkLineCases: where a chunk and its lines end (RFC 9112 §7.1, §2.2).
func chunkLineCases() []Case {
	var cases []Case
	for name, body := range map[string]string{
		"longer than it says":    "5\r\nhello!\r\n" + lastOnly,
		"much longer":            "5\r\nhelloworld\r\n" + lastOnly,
		"shorter than it says":   "6\r\nhello\r\n" + lastOnly,
		"no CRLF after it":       "5\r\nhello0\r\n\r\n",
		"CR only after it":       "5\r\nhello\r0\r\n\r\n",
		"CR CR LF after it":      "5\r\nhello\r\r\n" + lastOnly,
		"space after it":         "5\r\nhello \r\n" + lastOnly,
		"a line too long":        strings.Repeat("0", 300) + "5\r\nhello\r\n" + lastOnly,
		"no line end at all":     strings.Repeat("5", 300),
		"an empty line too many": "5\r\nhello\r\n\r\n" + lastOnly,
		"an empty line first":    "\r\n5\r\nhello\r\n" + lastOnly,
		"two bytes for an end":   "5\r\nhelloXX" + lastOnly,
		"two bytes too many":     "3\r\nhello\r\n" + lastOnly,
		"two bytes too few":      "7\r\nhello\r\n" + lastOnly,
		"CR CR LF after a size":  "5\r\r\nhello\r\n" + lastOnly,
		"CR CR after a size":     "5\r\rhello\r\n" + lastOnly,
		"CR after the last":      "5\r\nhello\r\n0\r\r\n\r\n",
	} {
		cases = append(cases, Case{"chunk: " + name, posts(chunkedF, body), 400, "RFC 9112 §7.1", ""})
	}
	for name, body := range map[string]string{
		"LF after the size":        "5\nhello\r\n" + lastOnly,
		"LF after the last":        "5\r\nhello\r\n0\n\r\n",
		"LF as empty line":         "5\r\nhello\r\n0\r\n\n",
		"LF after an extension":    "5;a\nhello\r\n" + lastOnly,
		"LF after a semicolon":     "5;\nhello\r\n" + lastOnly,
		"LF after the last's":      "5\r\nhello\r\n0;\n\r\n",
		"LF, and a size behind it": "2;\nxx\r\n5\r\nhello\r\n" + lastOnly,
		"two LF":                   "5\n\nhello\r\n" + lastOnly,
		"LF after a trailer field": "5\r\nhello\r\n0\r\nA: b\n\r\n",
	} {
		cases = append(cases, Case{"chunk: " + name, posts(chunkedF, body), 400, "RFC 9112 §2.2", ""})
	}
	cases = append(cases,
		Case{"chunk: LF after it", posts(chunkedF, "5\r\nhello\n"+lastOnly), 400, "RFC 9112 §7.1", ""},
		Case{"chunk: LF LF after it", posts(chunkedF, "5\r\nhello\n\n"+lastOnly), 400, "RFC 9112 §7.1", ""},
	)
	return cases
}

// chunkExtensionCases: extensions are dropped, and hide nothing (RFC 9112 §7.1.1).
func chunkExtensionCases() []Case {
	var cases []Case
	for _, extension := range []string{
		";", ";a", ";a=b", ";a=\"b c\"", ";a;b=c;d", "; a = b", ";a=\"\\\"\"", ";" + strings.Repeat("a", 200), ";a=\t1",
		";;;;", ";\xff",
		";a=\"0\"",
	} {
		cases = append(cases, Case{
			Name: fmt.Sprintf("extension: %q", extension), Raw: posts(chunkedF,
				"5"+extension+"\r\nhello\r\n0"+extension+"\r\n\r\n"),
			Status: 200, Body: "hello",
		})
	}
	for name, extension := range map[string]string{
		"bare CR":              ";a\rb",
		"bare CR at the end":   ";a\r",
		"NUL":                  ";a\x00",
		"DEL":                  ";a\x7f",
		"vertical tab":         ";\x0ba",
		"CR before semicolon":  "\r;a",
		"space before it":      " ;a",
		"tab before it":        "\t;a",
		"too long":             ";" + strings.Repeat("a", 300),
		"without semicolon":    "a=b",
		"CR in a quoted value": ";a=\"\r0\r\"",
	} {
		cases = append(cases, Case{
			"extension: " + name, posts(chunkedF, "5"+extension+"\r\nhello\r\n"+lastOnly), 400, "RFC 9112 §7.1", "",
		})
	}
	fat := strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\nx\r\n", 200)
	return append(cases,
		Case{"extension: more of them than data", posts(chunkedF, fat+lastOnly), 400, "RFC 9112 §7.1.1", ""},
		Case{"extension: LF in a quoted value", posts(chunkedF, "5;a=\"\n\"\r\nhello\r\n"+lastOnly), 400,
			"RFC 9112 §2.2", ""},
	)
}

// trailerCases: a trailer may hold nothing that belongs into the head (RFC 9110 §6.5.1).
func trailerCases() []Case {
	cases := []Case{
		{Name: "trailer: a field", Raw: posts(chunkedF, "0\r\nA: b\r\n\r\n"), Status: 200},
		{Name: "trailer: announced", Raw: posts(chunkedF+"Trailer: A\r\n", "0\r\nA: b\r\n\r\n"), Status: 200},
		{Name: "trailer: announced without chunks", Raw: posts("Trailer: Content-Length\r\n"+length5, "hello"), Status: 200,
			Body: "hello"},
	}
	for _, name := range []string{"Content-Length", "content-length", "Transfer-Encoding", "Host", "Trailer",
		"Connection"} {
		cases = append(cases,
			Case{"trailer: " + name, posts(chunkedF, "0\r\n"+name+": 5\r\n\r\n"), 400, "RFC 9110 §6.5.1", ""},
			Case{"trailer: announced " + name, posts(chunkedF+"Trailer: A, "+name+"\r\n", lastOnly), 400,
				"RFC 9110 §6.5.1", ""},
		)
	}
	for _, c := range []struct{ name, lines, section string }{
		{"no colon", "A\r\n", "RFC 9112 §5"},
		{"space before the colon", "A : b\r\n", "RFC 9112 §5.1"},
		{"folded", "A: b\r\n c\r\n", "RFC 9112 §5.2"},
		{"space first", " A: b\r\n", "RFC 9112 §5.2"},
		{"no name", ": b\r\n", "RFC 9110 §5.1"},
		{"no token", "A(: b\r\n", "RFC 9110 §5.1"},
		{"NUL", "A: \x00\r\n", "RFC 9110 §5.5"},
		{"bare CR", "A: b\rC: d\r\n", "RFC 9110 §5.5"},
		{"a request", Smuggled[:len(Smuggled)-2], "RFC 9112 §5.1"},
	} {
		cases = append(cases, Case{"trailer: " + c.name, posts(chunkedF, "0\r\n"+c.lines+"\r\n"), 400, c.section, ""})
	}
	return append(cases,
		Case{"trailer: too many", posts(chunkedF, "0\r\n"+strings.Repeat("A: b\r\n", 30)+"\r\n"), 431, "RFC 6585 §5",
			""},
		Case{"trailer: too long", posts(chunkedF, "0\r\n"+strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n",
			5)+"\r\n"),
			http.StatusRequestHeaderFieldsTooLarge, "RFC 6585 §5", ""},
	)
}
