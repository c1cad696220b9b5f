package wire

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodbye = "GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

func get(more string) string { return "GET / HTTP/1.1\r\nHost: x\r\n" + more + "\r\n" }

func post(body, more string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s", len(body), more, body)
}

func chunks(body, more string) string {
	return "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + more + "\r\n" + body
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func sets(status int, text string, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(fields); i += 2 {
			w.Header().Add(fields[i], fields[i+1])
		}
		if status != 0 {
			w.WriteHeader(status)
		}
		if text != "" {
			_, _ = io.WriteString(w, text)
		}
	}
}

// repeats returns what the request was like.
func repeats(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %q %s %s host %q\nlength %d coding %v close %v\nheader %v\nbody %q error %v trailer %v\n",
		r.Method, r.URL, r.RequestURI, r.Proto, r.URL.RawPath, r.Host, r.ContentLength, r.TransferEncoding, r.Close,
		r.Header, body, err, r.Trailer)
}

// engineCase is a conversation: what a client sends and how the handler answers.
type engineCase struct {
	name    string
	request string
	handler http.HandlerFunc
	methods []string // of the requests; none: GET
}

func engineCases() []engineCase {
	long := strings.Repeat("long ", 1000)
	head := func(more string) string { return "HEAD / HTTP/1.1\r\nHost: x\r\n" + more + "\r\n" }
	old := func(more string) string { return "GET / HTTP/1.0\r\n" + more + "\r\n" }
	return []engineCase{
		{"nothing written", get(""), func(http.ResponseWriter, *http.Request) {}, nil},
		{"small", get(""), says("hello"), nil},
		{"html is sniffed", get(""), says("<html><p>"), nil},
		{"2048 bytes", get(""), says(long[:2048]), nil},
		{"2049 bytes", get(""), says(long[:2049]), nil},
		{"in many writes", get(""), func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				fmt.Fprintf(w, "%d,", i)
			}
		}, nil},
		{"large", get(""), says(strings.Repeat(long, 20)), nil},
		{"declared", get(""), sets(0, long, "Content-Length", strconv.Itoa(len(long))), nil},
		{"declared and less", get(""), sets(0, "ab", "Content-Length", "3"), nil},
		{"declared and more", get(""), sets(0, "abcd", "Content-Length", "3"), nil},
		{"declared wrongly", get(""), sets(0, "abcd", "Content-Length", "x"), nil},
		{"declared negative", get(""), sets(0, "abcd", "Content-Length", "-3"), nil},
		{"own type", get(""), sets(0, "abcd", "Content-Type", "a/b"), nil},
		{"no type", get(""), func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "abcd")
		}, nil},
		{"no date", get(""), func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }, nil},
		{"encoded is not sniffed", get(""), sets(0, "abcd", "Content-Encoding", "gzip"), nil},
		{"204", get(""), sets(204, "body", "Content-Length", "4", "X", "y"), nil},
		{"304", get(""), sets(304, "body", "Etag", "y"), nil},
		{"404", get(""), sets(404, "no"), nil},
		{"unknown status", get(""), sets(799, "no"), nil},
		{"status twice", get(""), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			w.WriteHeader(202)
		}, nil},
		{"field after the head", get(""), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			w.Header().Set("Late", "yes")
			_, _ = io.WriteString(w, "x")
		}, nil},
		{"invalid fields", get(""), sets(0, "x", "A B", "c", "Two", "a\r\nSet-Cookie: b", "Sp", "  x  "), nil},
		{"own connection: close", get(""), sets(0, "x", "Connection", "close"), nil},
		{"own connection: other", get(""), sets(0, "x", "Connection", "X-Thing"), nil},
		{"own coding", get(""), sets(0, "x", "Transfer-Encoding", "chunked"), nil},
		{"identity", get(""), sets(0, "x", "Transfer-Encoding", "identity"), nil},
		{"both", get(""), sets(0, "x", "Transfer-Encoding", "chunked", "Content-Length", "1"), nil},

		{"HEAD nothing", head(""), func(http.ResponseWriter, *http.Request) {}, []string{"HEAD"}},
		{"HEAD small", head(""), says("hello"), []string{"HEAD"}},
		{"HEAD large", head(""), says(long), []string{"HEAD"}},
		{"HEAD declared", head(""), sets(0, "", "Content-Length", "12345"), []string{"HEAD"}},
		{"HEAD flushed", head(""), func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
			[]string{"HEAD"}},

		{"1.0", old(""), says("x"), nil},
		{"1.0 large", old(""), says(long), nil},
		{"1.0 keep-alive", old("Connection: keep-alive\r\n"), says("x"), nil},
		{"1.0 keep-alive large", old("Connection: keep-alive\r\n"), says(long), nil},
		{"1.0 keep-alive declared", old("Connection: keep-alive\r\n"), sets(0, "ab", "Content-Length", "2"), nil},
		{"1.0 keep-alive 304", old("Connection: Keep-Alive\r\n"), sets(304, ""), nil},
		{"1.0 own connection", old("Connection: keep-alive\r\n"),
			sets(0, "ab", "Content-Length", "2", "Connection", "keep-alive"), nil},
		{"1.1 close", get("Connection: x, Close\r\n"), says("x"), nil},
		{"1.1 keep-alive", get("Connection: keep-alive\r\n"), says("x"), nil},
		{"1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", repeats, nil},

		{"pipeline", get("") + post("abc", "") + get("A: b\r\n") + chunks("3\r\nabc\r\n0\r\n\r\n", ""), repeats, nil},
		{"body", post("hello", "Content-Type: a/b\r\nX: 1\r\nX: 2\r\n"), repeats, nil},
		{"body not read", post("hello", "") + get(""), says("x"), nil},
		{"body closed", post("hello", "") + get(""), func(_ http.ResponseWriter, r *http.Request) {
			_ = r.Body.Close()
			_, err := r.Body.Read(make([]byte, 1))
			if !errors.Is(err, http.ErrBodyReadAfterClose) {
				panic(err)
			}
		}, nil},
		{"large body not read", post(strings.Repeat(long, 40), "") + get(""), says("x"), nil},
		{"too large body not read", post(strings.Repeat(long, 200), "") + get(""), says("x"), nil},
		{"chunked body not read", chunks("5\r\nhello\r\n0\r\n\r\n", "") + get(""), says("x"), nil},
		{"bad chunk not read", chunks("5\r\nhelloX\r\n0\r\n\r\n", "") + get(""), says("x"), nil},
		{"short body", "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde", repeats, nil},
		{"extensions", chunks("5;a=b\r\nhello\r\n0;c\r\n\r\n", ""), repeats, nil},
		{"trailer", chunks("5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", "Trailer: A, e\r\n"), repeats, nil},
		{"targets", strings.Replace(get(""), "/", "/a%2fb/../c;d?x=y&z=%20", 1) +
			strings.Replace(get(""), "/", "http://other:81/a?", 1) + strings.Replace(get(""), "/", "//a//b/", 1), repeats, nil},
		{"expect", post("hello", "Expect: 100-continue\r\n"), repeats, nil},
		{"expect and do not read", post("hello", "Expect: 100-Continue\r\n"), says("no"), nil},
		{"expect without a body", get("Expect: 100-continue\r\n"), says("x"), nil},
		{"expect something else", get("Expect: 200-ok\r\n"), nil, nil},
	}
}

// What a handler does and a client sees is what net/http makes of it.
func TestAnswersAsNetHTTP(t *testing.T) {
	cases := append(engineCases(), controllerCases()...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/end" {
					return
				}
				c.handler(w, r)
			})
			theirs := serve(t, &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)})
			ours := serve(t, &Server{Handler: handler, Log: discard(), Poison: true})
			want := plain(t, talk(t, theirs, c.request+goodbye), c.methods...)
			got := plain(t, talk(t, ours, c.request+goodbye), c.methods...)
			if c.name == "expect something else" { // a refusal, which has our form
				want, got = want[:12], got[:12]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-net/http +wire):\n%s", diff)
			}
		})
	}
}
