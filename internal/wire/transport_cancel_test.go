package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"

	"go.uber.org/goleak"
)

var errStopped = errors.New("stopped")

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
func (zeros) Close() error               { return nil }

// stuck is a body that never comes, until it is closed.
type stuck struct{ closed chan struct{} }

func (s stuck) Read([]byte) (int, error) { <-s.closed; return 0, io.ErrClosedPipe }
func (s stuck) Close() error             { close(s.closed); return nil }

// stage is a point in the life of a request.
type stage struct {
	name     string
	scheme   string
	dialling bool                                          // the connection never comes about
	serve    func(in *bufio.Reader, c net.Conn, at func()) // calls at where the context is to end
	change   func(r *http.Request, at func())
}

// stages returns them in order. over is closed when a request has ended.
func stages(over <-chan struct{}) []stage {
	return []stage{
		{name: "before", change: func(_ *http.Request, at func()) { at() }},
		{name: "dial", dialling: true},
		{name: "handshake", scheme: "https", serve: func(in *bufio.Reader, _ net.Conn, at func()) {
			_, _ = in.ReadByte()
			at()
			_, _ = io.Copy(io.Discard, in)
		}},
		{name: "small body", change: func(r *http.Request, at func()) {
			r.Method, r.Body, r.ContentLength = "POST", stuck{make(chan struct{})}, 10
			go at()
		}},
		{name: "body", change: func(r *http.Request, at func()) {
			r.Method, r.Body, r.ContentLength = "POST", stuck{make(chan struct{})}, -1
			go at()
		}},
		{name: "write", serve: func(in *bufio.Reader, _ net.Conn, at func()) {
			_, _ = in.ReadByte()
			at() // and reads no more
			<-over
		}, change: func(r *http.Request, _ func()) { r.Method, r.Body, r.ContentLength = "POST", zeros{}, 1<<40 }},
		{name: "continue", change: func(r *http.Request, at func()) {
			r.Method, r.Body, r.ContentLength = "POST", zeros{}, 1<<40
			r.Header.Set("Expect", "100-continue")
			go at()
		}},
		{name: "head", serve: func(in *bufio.Reader, _ net.Conn, at func()) {
			request(in)
			at()
			request(in)
		}},
		{name: "half a head", serve: func(in *bufio.Reader, c net.Conn, at func()) {
			request(in)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le")
			at()
			request(in)
		}},
		{name: "answer", serve: func(in *bufio.Reader, c net.Conn, at func()) {
			request(in)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe")
			at()
			request(in)
		}},
		{name: "chunks", serve: func(in *bufio.Reader, c net.Conn, at func()) {
			request(in)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n")
			at()
			request(in)
		}},
	}
}

// TestCancel ends the context of a request at each stage of it. The error is the context's cause, and nothing is left.
func TestCancel(t *testing.T) {
	over := make(chan struct{})
	for _, test := range stages(over) {
		t.Run(test.name, func(t *testing.T) {
			existing := goleak.IgnoreCurrent()
			t.Run("", func(t *testing.T) { // whatever it starts ends with it
				ctx, cancel := context.WithCancelCause(t.Context())
				at := func() { cancel(errStopped) }
				o := TransportOptions{}
				if test.dialling {
					o.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
						at()
						<-ctx.Done()
						return nil, ctx.Err()
					}
				}
				address := service(t, func(c net.Conn, in *bufio.Reader, _ int) {
					if test.serve != nil {
						test.serve(in, c, at)
						return
					}
					_, _ = io.Copy(io.Discard, in)
				})
				r := newRequest(ctx, t, "GET", address, "")
				if test.scheme != "" {
					r.URL.Scheme = test.scheme
				}
				if test.change != nil {
					test.change(r, at)
				}
				response, err := newTestTransport(t, o).RoundTrip(r)
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
				}
				if test.name == "write" {
					close(over)
				}
				if !errors.Is(err, errStopped) {
					t.Errorf("the error is %v", err)
				}
			})
			if err := goleak.Find(existing); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCancelWhileAnnounced: whoever is told of the connection may cancel there.
func TestCancelWhileAnnounced(t *testing.T) {
	address, _ := answering(t, okay, false)
	rt := newTestTransport(t, TransportOptions{})
	for range 2 {
		ctx, cancel := context.WithCancelCause(t.Context())
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { cancel(errStopped) },
		})
		if o := send(rt, newRequest(ctx, t, "GET", address, "")); !o.Refused && o.Body != "ok" {
			t.Errorf("%+v", o)
		}
		if o := send(rt, newRequest(t.Context(), t, "GET", address, "")); o.Body != "ok" {
			t.Errorf("%+v", o)
		}
	}
}
