package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

const okay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// TestStaleConnection has a service close a connection at the worst moment: when the second request is there.
func TestStaleConnection(t *testing.T) {
	for _, test := range []struct {
		method, body string
		partly       bool // a part of an answer comes before the end
		again        bool // the request is sent again
	}{
		{"GET", "", false, true},
		{"PUT", "small", false, true},
		{"PUT", strings.Repeat("large", 10_000), false, true}, // by GetBody
		{"POST", "small", false, false},
		{"POST", "", false, false},
		{"GET", "", true, false},
	} {
		t.Run(fmt.Sprintf("%s %d %v", test.method, len(test.body), test.partly), func(t *testing.T) {
			address := service(t, func(c net.Conn, in *bufio.Reader, number int) {
				if request(in) == nil {
					return
				}
				_, _ = io.WriteString(c, okay)
				request(in)
				if number > 1 {
					_, _ = io.WriteString(c, okay)
				} else if test.partly {
					_, _ = io.WriteString(c, "HTTP/1.1 2")
				}
			})
			rt := newTestTransport(t, TransportOptions{})
			send(rt, newRequest(t.Context(), t, "GET", address, ""))
			if o := send(rt, newRequest(t.Context(), t, test.method, address, test.body)); o.Refused == test.again {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestSilence: what a service closed or spoiled while nobody used it is not used again, not even for a request that
// could not be sent twice. (net/http looks from another goroutine, which may come too late.)
func TestSilence(t *testing.T) {
	for name, spoil := range map[string]func(net.Conn){
		"closed":  func(c net.Conn) { _ = c.Close() },
		"spoiled": func(c net.Conn) { _, _ = io.WriteString(c, okay) },
	} {
		t.Run(name, func(t *testing.T) {
			rt := newTestTransport(t, TransportOptions{})
			spoilt, now := make(chan struct{}), make(chan struct{})
			address := service(t, func(c net.Conn, in *bufio.Reader, number int) {
				request(in)
				_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", number)
				if number == 1 {
					<-now
					spoil(c)
					close(spoilt)
				}
				request(in)
			})
			if o := send(rt, newRequest(t.Context(), t, "POST", address, "a")); o.Body != "1" {
				t.Fatalf("%+v", o)
			}
			close(now)
			<-spoilt
			if o := send(rt, newRequest(t.Context(), t, "POST", address, "a")); o.Body != "2" {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestInterim(t *testing.T) {
	eachEngine(t, func(t *testing.T, rt http.RoundTripper, _ bool) {
		const hints = "HTTP/1.1 103 Early Hints\r\nLink: a\r\nLink: b\r\n\r\n"
		address, _ := answering(t, hints+"HTTP/1.1 102 Processing\r\n\r\n"+okay, false)
		var seen []string
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				seen = append(seen, fmt.Sprint(code, h["Link"]))
				return nil
			},
		})
		if o := send(rt, newRequest(ctx, t, "GET", address, "")); o.Body != "ok" || len(o.Header["Link"]) > 0 {
			t.Errorf("%+v", o)
		}
		if got := strings.Join(seen, ","); got != "103 [a b],102 []" {
			t.Errorf("saw %s", got)
		}
	})
}

func TestInterimRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, rt http.RoundTripper, _ bool) {
		address, _ := answering(t, "HTTP/1.1 103 Early Hints\r\n\r\n"+okay, false)
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error { return io.ErrClosedPipe },
		})
		_, err := rt.RoundTrip(newRequest(ctx, t, "GET", address, ""))
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v", err)
		}
	})
}

func TestFloods(t *testing.T) {
	for name, piece := range map[string]string{
		"interim": "HTTP/1.1 102 Processing\r\n\r\n",
		"fields":  "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 2000),
		"bytes":   "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 300<<10),
		"trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 2000),
	} {
		t.Run(name, func(t *testing.T) {
			address := service(t, func(c net.Conn, in *bufio.Reader, _ int) {
				request(in)
				for {
					if _, err := io.WriteString(c, piece); err != nil {
						return
					}
				}
			})
			o := send(newTestTransport(t, TransportOptions{}), newRequest(t.Context(), t, "GET", address, ""))
			if !o.Refused && !o.Broken {
				t.Errorf("accepted")
			}
		})
	}
}

// TestEarlyAnswer: an answer that does not wait for the body is seen, and the rest of the body is not sent.
func TestEarlyAnswer(t *testing.T) {
	eachEngine(t, func(t *testing.T, rt http.RoundTripper, _ bool) {
		address := service(t, func(c net.Conn, in *bufio.Reader, _ int) {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
			_, _ = io.Copy(io.Discard, in)
		})
		body, feed := io.Pipe()
		fed := make(chan struct{})
		go func() {
			defer close(fed)
			for {
				if _, err := feed.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
		}()
		r := newRequest(t.Context(), t, "POST", address, "")
		r.Body, r.ContentLength = body, -1
		if o := send(rt, r); o.Status != 413 || o.Body != "no" {
			t.Errorf("%+v", o)
		}
		<-fed
	})
}

// TestAnswerWithoutTheBody: a service may answer for good while the body does not come. The body is closed then.
func TestAnswerWithoutTheBody(t *testing.T) {
	for _, answer := range []string{
		okay, "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		address := service(t, func(c net.Conn, in *bufio.Reader, _ int) {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			_, _ = io.WriteString(c, answer)
			if n, err := io.Copy(io.Discard, in); n > 0 && err == nil {
				t.Errorf("%d bytes came after the answer", n)
			}
		})
		body := stuck{make(chan struct{})}
		r := newRequest(t.Context(), t, "POST", address, "")
		r.Body, r.ContentLength = body, -1
		if o := send(newTestTransport(t, TransportOptions{}), r); o.Refused || o.Broken {
			t.Errorf("%+v", o)
		}
		<-body.closed
	}
}

// TestDuplex: a service may answer while it reads.
func TestDuplex(t *testing.T) {
	eachEngine(t, func(t *testing.T, rt http.RoundTripper, _ bool) {
		s := standard(t, func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			_ = c.EnableFullDuplex()
			_ = c.Flush()
			line := bufio.NewScanner(r.Body)
			for line.Scan() {
				_, _ = fmt.Fprintf(w, "%s!\n", line.Text())
				_ = c.Flush()
			}
		})
		body, feed := io.Pipe()
		r := newRequest(t.Context(), t, "POST", s.Listener.Addr().String(), "")
		r.Body, r.ContentLength = body, -1
		response, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		answers := bufio.NewReader(response.Body)
		for _, word := range []string{"one", "two", "three"} {
			_, _ = io.WriteString(feed, word+"\n")
			if got, err := answers.ReadString('\n'); got != word+"!\n" {
				t.Fatalf("%q, %v", got, err)
			}
		}
		_ = feed.Close()
		if _, err := answers.ReadByte(); err != io.EOF {
			t.Error(err)
		}
	})
}

func TestExpectContinue(t *testing.T) {
	for _, test := range []struct {
		name, before, after string // what the service says before it has read the body, and after
		reads               bool
		status              int
	}{
		{"continue", "HTTP/1.1 100 Continue\r\n\r\n", okay, true, 200},
		{"no word", "", okay, true, 200},
		{"refused", "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", "", false, 417},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, rt http.RoundTripper, ours bool) {
				address := service(t, func(c net.Conn, in *bufio.Reader, _ int) {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.WriteString(c, test.before)
					if body, err := io.ReadAll(r.Body); ours && test.reads != (err == nil && string(body) == "hello") {
						t.Errorf("body: %q, %v", body, err)
					}
					_, _ = io.WriteString(c, test.after)
				})
				r := newRequest(t.Context(), t, "POST", address, "hello")
				r.Header.Set("Expect", "100-continue")
				if o := send(rt, r); o.Status != test.status {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

func TestUpgrade(t *testing.T) {
	eachEngine(t, func(t *testing.T, rt http.RoundTripper, _ bool) {
		address := service(t, func(c net.Conn, in *bufio.Reader, _ int) {
			request(in)
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi ")
			_, _ = io.Copy(c, in)
		})
		r := newRequest(t.Context(), t, "GET", address, "")
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		response, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		both := response.Body.(io.ReadWriteCloser)
		_, _ = io.WriteString(both, "there")
		got := make([]byte, 8)
		if _, err := io.ReadFull(both, got); string(got) != "hi there" {
			t.Errorf("%q, %v", got, err)
		}
		waiting := make(chan error)
		go func() { _, err := both.Read(got); waiting <- err }()
		if err := both.Close(); err != nil {
			t.Error(err)
		}
		if err := <-waiting; err == nil {
			t.Error("no error after Close")
		}
	})
}

// TestClose: Close ends a Read that waits.
func TestCloseWhileReading(t *testing.T) {
	for _, head := range []string{"Content-Length: 9", "Transfer-Encoding: chunked", "X: until close"} {
		eachEngine(t, func(t *testing.T, rt http.RoundTripper, _ bool) {
			address := service(t, func(c net.Conn, in *bufio.Reader, _ int) {
				request(in)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head+"\r\n\r\n")
				_, _ = io.Copy(io.Discard, in)
			})
			response, err := rt.RoundTrip(newRequest(t.Context(), t, "GET", address, ""))
			if err != nil {
				t.Fatal(err)
			}
			waiting := make(chan error)
			go func() { _, err := response.Body.Read(make([]byte, 1)); waiting <- err }()
			_ = response.Body.Close()
			if err := <-waiting; err == nil {
				t.Error("no error after Close")
			}
		})
	}
}

// TestUnread: closing a short rest keeps the connection, closing a long one does not.
func TestUnread(t *testing.T) {
	for _, test := range []struct{ size, connections int }{{100, 1}, {40 << 10, 1}, {1 << 20, 2}} {
		address, connections := answering(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", test.size,
			strings.Repeat("x", test.size)), false)
		rt := newTestTransport(t, TransportOptions{})
		for range 2 {
			response, err := rt.RoundTrip(newRequest(t.Context(), t, "GET", address, ""))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if _, err := response.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Error(err)
			}
		}
		if connections() != test.connections {
			t.Errorf("%d bytes: %d connections", test.size, connections())
		}
	}
}

func TestErrorsOfDialling(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	eachEngine(t, func(t *testing.T, rt http.RoundTripper, _ bool) {
		touched := false
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { touched = true }})
		_, err := rt.RoundTrip(newRequest(ctx, t, "GET", l.Addr().String(), ""))
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" || touched {
			t.Errorf("%v, touched %v", err, touched)
		}
	})
}
