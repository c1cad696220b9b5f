package rfctest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/proxy"
	"github.com/fairlead/fairlead/internal/wire/wiretest"
)

// seenRequest is a request as two parsers should agree on it.
type seenRequest struct{ line, host, body string }

// asSent reads the requests in raw as net/http does.
func asSent(raw string) (requests []seenRequest, methods []string) {
	eachRequest(raw, func(r *http.Request, body string) {
		methods = append(methods, r.Method)
		requests = append(requests, seenRequest{r.Method + " " + r.URL.RequestURI(), r.Host, body})
	})
	return requests, methods
}

// eachRequest reads the requests in raw with net/http, which is the reference, up to the first that is none.
func eachRequest(raw string, each func(r *http.Request, body string)) {
	in := bufio.NewReaderSize(strings.NewReader(raw), 1<<20) // net/http wants all of a trailer in it
	for {
		if b, _ := in.Peek(2); string(b) == "\r\n" {
			_, _ = in.Discard(2)
		}
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if each(r, string(body)); r.Close {
			return
		}
	}
}

// isOther reports whether a case means something else to an entry point than to the engine alone: HTTP/2 is served
// there, and fields are counted by the proxy, which serves what follows on the connection.
func isOther(c wiretest.Case) bool {
	return slices.Contains([]string{"preface of HTTP/2", "limit: number of fields", "trailer: too many"}, c.Name)
}

// isOurs reports whether the proxy answers itself.
func (r seenRequest) isOurs() bool {
	return strings.HasPrefix(r.line, "CONNECT ") || r.line == "OPTIONS *"
}

// Every case that package wire is tested with goes through the whole proxy. Behind it, the service receives what
// net/http reads in the same bytes, request for request and octet for octet, or nothing whole.
func TestSmuggling(t *testing.T) {
	l := newLab(t, func(e *proxy.EntryPoint) {
		e.HeaderBytes, e.Headers = wiretest.HeaderBytes, wiretest.Fields-1 // Host is not one of them there
	})
	for _, way := range [][2]side{
		{plain1, plain1}, {plain1, secure1}, {plain1, plain2}, {plain1, secure2}, {secure1, plain1},
	} {
		front, to := way[0], way[1]
		t.Run(string(front)+"→"+string(to), func(t *testing.T) {
			for _, c := range wiretest.Cases() {
				if !isOther(c) {
					t.Run(c.Name, func(t *testing.T) { l.smuggle(t, front, to, c) })
				}
			}
		})
	}
	for _, host := range l.hosts.States() {
		if host.Failures > 0 {
			t.Errorf("what clients did was counted against %v: %+v", host.ID, host)
		}
	}
}

func (l *lab) smuggle(t *testing.T, front, to side, c wiretest.Case) {
	s := l.services[to]
	s.expect(message{})
	var want []seenRequest
	var methods []string
	if c.Status == 200 {
		want, methods = asSent(c.Raw)
	}
	got := l.talk(t, front, to, c, methods)
	status := 0
	if len(got) > 0 {
		_, _ = fmt.Sscan(got[0].line, &status)
	}
	switch {
	case len(want) > 0 && strings.HasPrefix(want[0].line, "CONNECT ") && status == http.StatusNotImplemented:
	case c.Status == 0 && status == http.StatusBadRequest: // cut short: who is still there is told
	case c.Section == "RFC 9112 §2.3" && status == 0: // where HTTP/2 is spoken, too, who speaks neither gets no answer
	case c.Status != status:
		t.Errorf("status %d, want %d", status, c.Status)
	}
	want = slices.DeleteFunc(want, seenRequest.isOurs)
	var seen []seenRequest
	for _, r := range s.seen() {
		if r.wrong != "" && r.wrong != "cut" {
			t.Errorf("on the wire to the service: %v", r)
		}
		if r.whole {
			seen = append(seen, seenRequest{r.line, r.values("host"), r.body})
		}
	}
	for i := range want {
		if want[i].host == "" && i < len(seen) { // HTTP/1.0 need not have one
			want[i].host = seen[i].host
		}
	}
	if !slices.Equal(seen, want) {
		t.Errorf("the service saw %q, want %q", seen, want)
	}
}

// talk sends everything at once, reads an answer for each method (or one), ends our side and reads what is left.
func (l *lab) talk(t *testing.T, front, to side, c wiretest.Case, methods []string) (got []received) {
	t.Helper()
	conn := l.dial(t, front, to)
	defer func() { _ = conn.Close() }()
	sent := make(chan error, 1)
	go func() { _, err := io.WriteString(conn, c.Raw); sent <- err }()
	in := bufio.NewReader(conn)
	half := conn.(interface{ CloseWrite() error })
	if methods == nil { // to be refused, perhaps only at the end
		methods = []string{"POST"}
		<-sent
		sent <- half.CloseWrite()
	}
	for _, method := range methods {
		r, err := read1(in, method)
		if err != nil {
			break
		}
		if r.wrong != "" {
			t.Errorf("on the wire to the client: %v", r)
		}
		got = append(got, r)
	}
	<-sent
	_ = half.CloseWrite()
	rest, err := io.ReadAll(in)
	if isTimeout(err) {
		t.Errorf("the connection stays open, after %q", rest)
	}
	if bytes.Contains(rest, []byte("HTTP/1.1 200")) {
		t.Errorf("more answers than requests: %q", rest)
	}
	return got
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
