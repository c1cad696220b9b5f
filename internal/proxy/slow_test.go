package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A client that takes nothing of a large answer is cut, and the service is told.
func TestSlowReadersAreCut(t *testing.T) {
	left := make(chan struct{})
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for piece := make([]byte, 1<<16); ; {
			if _, err := w.Write(piece); err != nil {
				left <- struct{}{}
				return
			}
		}
	})
	b := startSecure(t, to(addr), func(o *Options) { o.EntryPoints[0].StallTimeout = 300 * time.Millisecond })
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			answer, err := b.from(t, f).http.Get(b.url)
			if err != nil {
				t.Fatal(err)
			}
			<-left
			_ = answer.Body.Close()
		})
	}
}

// A client that sends nothing more of its body is cut, and the service is told.
func TestSlowBodiesAreCut(t *testing.T) {
	left := make(chan error)
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		left <- err
	})
	b := startSecure(t, to(addr), func(o *Options) { o.EntryPoints[0].ReadTimeout = time.Second })
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			body, write := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, body)
				answer, err := b.from(t, f).http.Do(r)
				if err == nil {
					_ = answer.Body.Close()
					err = fmt.Errorf("status %d", answer.StatusCode)
				}
				ended <- err
			}()
			_, _ = io.WriteString(write, "begun")
			if err := <-left; err == nil {
				t.Error("the service took a part for the whole")
			}
			_ = write.CloseWithError(errors.New("the test is over"))
			if err := <-ended; strings.Contains(err.Error(), "status 2") {
				t.Errorf("%v", err)
			}
		})
	}
}

// A head that is not completed is not waited for.
func TestSlowHeadsAreCut(t *testing.T) {
	b := startSecure(t, to("127.0.0.1:1"), func(o *Options) {
		o.EntryPoints[0].HeaderTimeout, o.EntryPoints[0].IdleTimeout = 100*time.Millisecond, time.Hour
	})
	conn, err := tls.Dial("tcp", b.Addr("web").String(), insecure())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nX-")
	_, _ = io.ReadAll(conn) // until the entry point closes it
}

// Once a service answers, the client may be silent for as long as the service allows.
func TestConversationsAreNotCut(t *testing.T) {
	stalled := make(chan struct{}, 1)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		if r.URL.Path == "/answered" {
			_ = control.Flush()
			_, _ = io.Copy(flushing{w, control}, r.Body)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		stalled <- struct{}{}
	})
	b := startSecure(t, to(addr), func(o *Options) { o.EntryPoints[0].ReadTimeout = time.Second })
	for _, f := range fronts {
		t.Run(f.name, func(t *testing.T) {
			client := b.from(t, f).http
			body, write := io.Pipe()
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/answered", body)
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			// Another one, begun later, whose service does not answer, is cut: so much time has passed at least.
			other, silent := io.Pipe()
			go func() {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, other)
				if answer, err := b.from(t, f).http.Do(r); err == nil {
					_ = answer.Body.Close()
				}
			}()
			_, _ = io.WriteString(silent, "begun")
			<-stalled
			_ = silent.CloseWithError(errors.New("the test is over"))
			if _, err := io.WriteString(write, "hello\n"); err != nil {
				t.Fatal(err)
			}
			if got, err := bufio.NewReader(answer.Body).ReadString('\n'); err != nil || got != "hello\n" {
				t.Errorf("%q %v", got, err)
			}
			_ = write.Close()
		})
	}
}

type flushing struct {
	io.Writer
	control *http.ResponseController
}

func (f flushing) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	return n, errors.Join(err, f.control.Flush())
}

// deadlines is an http.ResponseWriter that notes the deadlines it gets.
type deadlines struct {
	http.ResponseWriter
	set []string
}

func (d *deadlines) SetReadDeadline(by time.Time) error {
	name := "none"
	if !by.IsZero() {
		name = "again"
	}
	d.set = append(d.set, name)
	return nil
}

// A body gets its time again for each part that has come, until the answer begins.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		name string
		read []int // sizes; 0: the answer begins
		want []string
	}{
		{"a little", []int{1000, 1000}, nil},
		{"in time", []int{paceBytes, paceBytes - 1, 1}, []string{"again", "again"}},
		{"much at once is not saved up", []int{10 * paceBytes, 1, 1}, []string{"again"}},
		{"answered", []int{paceBytes, 0, paceBytes}, []string{"again", "none"}},
	} {
		d := new(deadlines)
		p := &pace{
			ReadCloser: io.NopCloser(bytes.NewReader(make([]byte, 20*paceBytes))), timeout: time.Hour,
			control: http.NewResponseController(d),
		}
		for _, n := range c.read {
			if n == 0 {
				p.begin()
				continue
			}
			if _, err := p.Read(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(d.set, c.want) {
			t.Errorf("%s: %v, want %v", c.name, d.set, c.want)
		}
	}
}

// Connections are counted by what they speak.
func TestConnectionsAreCounted(t *testing.T) {
	var mu sync.Mutex
	open, seen := map[string]int{}, map[string]int{}
	addr := serve(t, func(http.ResponseWriter, *http.Request) {})
	b := startSecure(t, to(addr), func(o *Options) {
		o.Connections = func(_, protocol string, change int) {
			mu.Lock()
			defer mu.Unlock()
			open[protocol] += change
			seen[protocol] = max(seen[protocol], open[protocol])
		}
	})
	for _, f := range fronts {
		b.from(t, f).get(t, "/")
	}
	mu.Lock()
	defer mu.Unlock()
	for _, protocol := range []string{"http1", "http2", "http3"} {
		if seen[protocol] == 0 {
			t.Errorf("no connection of %s was counted", protocol)
		}
	}
}

// WebSocket over HTTP/3 (RFC 9220) is the same as over HTTP/2.
func TestWebSocketOverHTTP3(t *testing.T) {
	b := startSecure(t, to(serve(t, echoing)))
	conn, err := dialHTTP3(t, b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newHTTP3Client(t).NewClientConn(conn).OpenRequestStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodConnect, b.url, nil)
	r.Proto = "websocket"
	r.Header.Set("Sec-Websocket-Version", "13")
	if err := s.SendRequestHeader(r); err != nil {
		t.Fatal(err)
	}
	answer, err := s.ReadResponse()
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", answer, err)
	}
	in := bufio.NewReader(s)
	for _, line := range []string{"one\n", "two\n", "bye\n"} {
		_, _ = io.WriteString(s, line)
		if got, err := in.ReadString('\n'); err != nil || got != line {
			t.Fatalf("%q %v, want %q", got, err, line)
		}
	}
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 { // the service has ended it
		t.Errorf("%q %v", rest, err)
	}
}
