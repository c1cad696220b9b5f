package wire

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// controllerCases are what a handler does beyond writing.
func controllerCases() []engineCase {
	return []engineCase{
		{"flush", get(""), func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, "part")
				must(http.NewResponseController(w).Flush())
			}
		}, nil},
		{"flush first", get(""), func(w http.ResponseWriter, _ *http.Request) {
			must(http.NewResponseController(w).Flush())
			_, _ = io.WriteString(w, "<html>")
		}, nil},
		{"early hints", get(""), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			w.Header().Set("More", "yes")
			_, _ = io.WriteString(w, "x")
		}, nil},
		{"declared trailer", get(""), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Sum, other")
			_, _ = io.WriteString(w, "x")
			w.Header().Set("Sum", "1")
			w.Header().Set("Undeclared", "1")
		}, nil},
		{"trailer by prefix", get(""), func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
			w.Header().Set(http.TrailerPrefix+"Sum", "1")
		}, nil},
		{"trailer with a length", get(""), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Sum")
			w.Header().Set("Content-Length", "1")
			_, _ = io.WriteString(w, "x")
			w.Header().Set("Sum", "1")
		}, nil},
		{"full duplex", chunks("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", ""), func(w http.ResponseWriter, r *http.Request) {
			must(http.NewResponseController(w).EnableFullDuplex())
			must(http.NewResponseController(w).Flush())
			repeats(w, r)
		}, nil},
		{"full duplex, and a client that waits", post("hello", "Expect: 100-continue\r\n"),
			func(w http.ResponseWriter, _ *http.Request) {
				must(http.NewResponseController(w).EnableFullDuplex())
				_, _ = io.WriteString(w, "no")
			}, nil},
		{"half duplex", chunks("5\r\nhello\r\n0\r\n\r\n", ""), func(w http.ResponseWriter, r *http.Request) {
			must(http.NewResponseController(w).Flush())
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d", len(body))
		}, nil},
		{"deadlines", post("hello", ""), func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			must(c.SetReadDeadline(time.Now().Add(time.Hour)))
			must(c.SetWriteDeadline(time.Now().Add(time.Hour)))
			repeats(w, r)
		}, nil},
		{"continue by hand", post("hello", "Expect: 100-continue\r\n"), func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusContinue)
			repeats(w, r)
		}, nil},
		{"hijack", get("") + "rest", func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			must(err)
			defer conn.Close()
			rest := make([]byte, 4)
			_, err = io.ReadFull(rw, rest)
			must(err)
			if _, err := w.Write(rest); err != http.ErrHijacked {
				panic("writing after hijacking")
			}
			fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%s", rest)
			must(rw.Flush())
			_, _ = io.CopyN(io.Discard, rw, int64(len(goodbye)))
		}, nil},
		{"panic", get(""), func(http.ResponseWriter, *http.Request) { panic("as expected") }, nil},
		{"abort", get(""), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil},
		{"string", get(""), func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				_, _ = io.WriteString(w, "0123456789012345678901234567890123456789")
			}
		}, nil},
		{"reader", get(""), func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("x", 9999)), 9000))
		}, nil},
		{"nothing to write", get(""), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(nil) }, nil},
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
