package rfctest

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/wire/wiretest"
)

// What a service sends beyond its answer is nobody's answer (RFC 9112 §6.3, §9.2): the next request gets its own.
func TestServicesCannotAnswerAhead(t *testing.T) {
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	l := newLab(t)
	for name, c := range map[string]struct{ method, raw string }{
		"a second answer":           {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil},
		"after no content":          {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + evil},
		"after chunks":              {"POST", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil},
		"after 204":                 {"POST", "HTTP/1.1 204 No Content\r\n\r\n" + evil},
		"content of 304":            {"POST", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil" + evil},
		"content of HEAD":           {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" + evil},
		"content longer than said":  {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more"},
		"an informational answer":   {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n"},
		"an answer before the head": {"POST", evil + evil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, front := range fronts() {
				for _, to := range ones() {
					s := l.services[to]
					s.expect(message{raw: c.raw})
					if _, err := l.send(t, front, to, message{line: c.method + " /first"}); err != nil {
						t.Errorf("%s→%s: %v", front, to, err)
					}
					s.expect(message{body: "clean"})
					got, err := l.send(t, front, to, message{line: "GET /second"})
					if err != nil || got.body != "clean" {
						t.Errorf("%s→%s: %v %v", front, to, got, err)
					}
				}
			}
		})
	}
}

// An idle connection on which something comes that nobody asked for is not used again.
func TestUnsolicitedAnswersAreNobodys(t *testing.T) {
	l := newLab(t)
	s := l.services[plain1]
	for _, front := range fronts() {
		s.expect(message{body: "first"})
		if got, err := l.send(t, front, plain1, message{line: "GET /"}); err != nil || got.body != "first" {
			t.Fatalf("%v %v", got, err)
		}
		s.mu.Lock()
		for _, conn := range s.conns {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
		}
		s.mu.Unlock()
		s.expect(message{body: "second"})
		if got, err := l.send(t, front, plain1, message{line: "POST /"}); err != nil || got.body != "second" {
			t.Errorf("%s: %v %v", front, got, err)
		}
	}
}

// Requests that come at once are answered in their order (RFC 9112 §9.3.2), and each arrives once.
func TestPipeline(t *testing.T) {
	l := newLab(t)
	for _, front := range ones() {
		for _, to := range sides() {
			s := l.services[to]
			s.expect(message{body: "answer"})
			conn := l.dial(t, front, to)
			in := bufio.NewReader(conn)
			for _, m := range []message{{line: "GET /1"}, {line: "POST /2", body: "two"}, {line: "HEAD /3"}, {line: "GET /4"}} {
				_, _ = io.WriteString(conn, encode1(m))
			}
			for _, method := range []string{"GET", "POST", "HEAD", "GET"} {
				if r, err := read1(in, method); err != nil || r.line != "200" || method != "HEAD" && r.body != "answer" {
					t.Errorf("%s→%s %s: %v %v", front, to, method, r, err)
				}
			}
			_ = conn.Close()
			var lines []string
			for _, r := range s.seen() {
				lines = append(lines, r.line)
			}
			if got := strings.Join(lines, ", "); got != "GET /1, POST /2, HEAD /3, GET /4" {
				t.Errorf("%s→%s: the service saw %s", front, to, got)
			}
		}
	}
}

// A body that is still to come when the answer is there already is never the next request: where it is not read, the
// connection ends (RFC 9112 §9.3). This is what pauses between head and body are for in attacks.
func TestBodiesAfterTheAnswerAreNoRequests(t *testing.T) {
	l := newLab(t)
	for name, fields := range map[string]string{
		"loop":        "Via: " + strings.Repeat("1.1 fairlead, ", 8) + "1.0 a\r\n",
		"expectation": "Expect: coffee\r\n",
	} {
		for _, front := range ones() {
			s := l.services[plain1]
			s.expect(message{})
			conn := l.dial(t, front, plain1)
			in := bufio.NewReader(conn)
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n"+fields+"\r\n")
			if r, err := read1(in, http.MethodPost); err != nil || r.line[0] == '2' {
				t.Errorf("%s: %v %v", name, r, err)
			}
			_, _ = io.WriteString(conn, wiretest.Smuggled)
			_ = conn.(interface{ CloseWrite() error }).CloseWrite()
			if rest, _ := io.ReadAll(in); len(rest) > 0 {
				t.Errorf("%s: %q", name, rest)
			}
			_ = conn.Close()
			if seen := s.seen(); len(seen) > 0 {
				t.Errorf("%s: the service saw %v", name, seen)
			}
		}
	}
}

// An answer that ends too early is not taken for a whole one (RFC 9112 §8), over whatever it is sent on.
func TestCutAnswersAreSeenAsCut(t *testing.T) {
	part := strings.Repeat("x", 50_000)
	l := newLab(t)
	for name, raw := range map[string]string{
		"a length": "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + part,
		"chunks":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n" + part + "\r\n",
		"a chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" + part,
	} {
		for _, front := range fronts() {
			for _, to := range ones() {
				l.services[to].expect(message{raw: raw, cut: true})
				got, err := l.send(t, front, to, message{line: "POST /"})
				if err == nil && got.whole && got.line == "200" {
					t.Errorf("%s, %s→%s: %d bytes were taken for the whole", name, front, to, len(got.body))
				}
			}
		}
	}
}
