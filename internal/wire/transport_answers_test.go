package wire

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAnswers gives each engine the same answers. Where ours differs, it refuses or closes; it never reads on.
func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	long := strings.Repeat("x", 100_000)
	for _, test := range []struct {
		name, method, answer string
		close                bool // the service closes after it
		strict               bool // ours refuses it or breaks it off, whatever net/http does
		once                 bool // no second request on the connection
	}{
		{name: "length", answer: ok + "Content-Length: 5\r\nX-A: b\r\n\r\nhello"},
		{name: "no length", answer: ok + "\r\nhello", close: true, once: true},
		{name: "empty", answer: ok + "Content-Length: 0\r\n\r\n"},
		{name: "chunked", answer: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\n\r\n"},
		{name: "long", answer: ok + "Content-Length: 100000\r\n\r\n" + long},
		{name: "announced trailer",
			answer: ok + "Transfer-Encoding: chunked\r\nTrailer: X-T, x-u\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n"},
		{name: "trailer", answer: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\nX-T: 2\r\n\r\n"},
		{name: "head", method: "HEAD", answer: ok + "Content-Length: 5\r\n\r\n"},
		{name: "head without length", method: "HEAD", answer: ok + "\r\n"},
		{name: "head chunked", method: "HEAD", answer: ok + "Transfer-Encoding: chunked\r\n\r\n"},
		{name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n"},
		{name: "304 with length", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nEtag: \"a\"\r\n\r\n"},
		{name: "1xx", answer: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 1\r\n\r\na"},
		{name: "no reason", answer: "HTTP/1.1 299 \r\nContent-Length: 1\r\n\r\na"},
		{name: "other reason", answer: "HTTP/1.1 200 Fine by me\r\nContent-Length: 1\r\n\r\na"},
		{name: "many fields", answer: ok + "Set-Cookie: a\r\nset-cookie: b\r\nSET-COOKIE: c\r\nContent-Length: 0\r\n\r\n"},
		{name: "close", answer: ok + "Connection: close\r\nContent-Length: 1\r\n\r\na", close: true, once: true},
		{name: "1.0", answer: "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", close: true, once: true},
		{name: "1.0 keep-alive", answer: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na"},
		{name: "garbage behind", answer: ok + "Content-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n", once: true},
		{name: "garbage behind nothing", answer: ok + "Content-Length: 0\r\n\r\nxx", once: true},
		{name: "cut head", answer: "HTTP/1.1 200 O", close: true},
		{name: "no answer", answer: "", close: true},
		{name: "cut body", answer: ok + "Content-Length: 9\r\n\r\nhello", close: true},
		{name: "cut chunk", answer: ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhello", close: true},
		{name: "no last chunk", answer: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", close: true},
		{name: "bad chunk size", answer: ok + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n"},
		{name: "huge chunk size", answer: ok + "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\na"},
		{name: "chunk end", answer: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc0\r\n\r\n"},
		{name: "chunk LF", answer: ok + "Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n", strict: true},
		{name: "both", answer: ok + "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", strict: true},
		{name: "two lengths", answer: ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
		{name: "same length twice", answer: ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", strict: true},
		{name: "signed length", answer: ok + "Content-Length: +1\r\n\r\na"},
		{name: "list of lengths", answer: ok + "Content-Length: 1, 1\r\n\r\na"},
		{name: "obs-fold", answer: ok + "X-A: b\r\n c\r\nContent-Length: 1\r\n\r\na", strict: true},
		{name: "blank before colon", answer: ok + "X-A : b\r\nContent-Length: 1\r\n\r\na", strict: true},
		{name: "bare CR", answer: ok + "X-A: b\rc\r\nContent-Length: 1\r\n\r\na", strict: true},
		{name: "bare LF", answer: "HTTP/1.1 200 OK\nContent-Length: 1\n\na", strict: true},
		{name: "NUL", answer: ok + "X-A: b\x00c\r\nContent-Length: 1\r\n\r\na", strict: true},
		{name: "gzip, chunked", answer: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
		{name: "1.0 chunked", answer: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", strict: true,
			close: true},
		{name: "2.0", answer: "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", strict: true},
		{name: "bad status", answer: "HTTP/1.1 2x0 OK\r\n\r\n"},
		{name: "unasked 101", answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", strict: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var seen []outcome
			eachEngine(t, func(t *testing.T, rt http.RoundTripper, ours bool) {
				address, connections := answering(t, test.answer, test.close)
				r := newRequest(t.Context(), t, test.method, address, "")
				first := send(rt, r)
				if ours && test.strict {
					if !first.Refused && !first.Broken {
						t.Errorf("accepted: %+v", first)
					}
					return
				}
				seen = append(seen, first)
				if first.Refused || first.Broken || test.once && !ours { // net/http may see the end too late
					return
				}
				if second := send(rt, r); !cmp.Equal(first, second) {
					t.Errorf("(-first +second)\n%s", cmp.Diff(first, second))
				}
				if want := map[bool]int{false: 1, true: 2}[test.once]; ours && connections() != want {
					t.Errorf("%d connections for two requests, want %d", connections(), want)
				}
			})
			if len(seen) == 2 && !cmp.Equal(seen[0], seen[1]) {
				t.Errorf("(-net/http +wire)\n%s", cmp.Diff(seen[0], seen[1]))
			}
		})
	}
}
