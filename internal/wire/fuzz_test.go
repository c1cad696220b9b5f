package wire

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/wire/wiretest"
)

// parsed is what a request came out as.
type parsed struct {
	Method, URL, Path, RawPath, RawQuery, Target, Host, Proto string

	Length  int64
	Coding  []string
	Close   bool
	Header  http.Header
	Body    string
	Trailer http.Header
	Rest    string // of the connection
}

func describe(r *http.Request, body []byte, rest string) parsed {
	p := parsed{
		r.Method, r.URL.String(), r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.RequestURI, r.Host, r.Proto,
		r.ContentLength, r.TransferEncoding, r.Close, r.Header.Clone(), string(body), r.Trailer.Clone(), rest,
	}
	if p.Header.Get("Pragma") == "no-cache" { // net/http adds a Cache-Control, which we do not
		delete(p.Header, "Cache-Control")
	}
	return p
}

// stub is a connection to read from.
type stub struct {
	net.Conn
	from *bytes.Reader
}

func (s *stub) Read(p []byte) (int, error) { return s.from.Read(p[:min(len(p), 7)]) }

func (s *stub) RemoteAddr() net.Addr { return &net.TCPAddr{} }

func (s *stub) SetReadDeadline(time.Time) error { return nil }

func (s *stub) SetWriteDeadline(time.Time) error { return nil }

func (s *stub) Write(p []byte) (int, error) { return len(p), nil }

// readAsWire reads a request with our parser, in small pieces.
func readAsWire(data []byte) (parsed, error) {
	from := bytes.NewReader(data)
	s := &Server{Poison: true}
	c := newConn(s, &stub{from: from})
	defer c.in.release()
	e := newExchange()
	e.conn = c
	if err := e.read(time.Now()); err != nil {
		return parsed{}, err
	}
	body, err := io.ReadAll(e.request.Body)
	if err != nil {
		return parsed{}, err
	}
	rest := string(c.in.buffered())
	left, _ := io.ReadAll(from)
	return describe(e.request, body, rest+string(left)), nil
}

func readAsNetHTTP(data []byte) (parsed, error) {
	br := bufio.NewReaderSize(bytes.NewReader(data), 1<<20)
	r, err := http.ReadRequest(br)
	if err != nil {
		return parsed{}, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return parsed{}, err
	}
	rest, _ := io.ReadAll(br)
	return describe(r, body, string(rest)), nil
}

// What we accept, net/http reads as the same request, and finds the next one at the same place.
func FuzzWire(f *testing.F) {
	for _, c := range wiretest.Cases() {
		f.Add([]byte(c.Raw))
	}
	for _, c := range engineCases() {
		f.Add([]byte(c.request))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readAsWire(data)
		if err != nil {
			return
		}
		want, err := readAsNetHTTP(bytes.TrimPrefix(data, []byte("\r\n"))) // one empty line is forgiven, as by its Server
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-net/http +wire):\n%s", data, diff)
		}
	})
}

// The eight bytes at a time of isText see the same as one at a time.
func FuzzText(f *testing.F) {
	f.Add([]byte("A: b\r\nLonger: value\t\xff\r\n\r\n"))
	f.Add([]byte("12345678\x7f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		want := true
		for i, c := range data {
			bare := c == '\r' && (i+1 == len(data) || data[i+1] != '\n')
			want = want && !bare && (c >= 0x20 && c != 0x7f || c == '\t' || c == '\r' || c == '\n')
		}
		if got := isText(data); got != want {
			t.Errorf("%q: %v", data, got)
		}
	})
}
