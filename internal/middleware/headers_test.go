package middleware

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

func TestHeadersOfTheRequest(t *testing.T) {
	cases := map[string]struct {
		edits, want map[string]string
		host        string
	}{
		"set":          {map[string]string{"x-new": "1"}, map[string]string{"X-New": "1", "X-Old": "o"}, "example.com"},
		"replace":      {map[string]string{"X-OLD": "1"}, map[string]string{"X-Old": "1"}, "example.com"},
		"remove":       {map[string]string{"x-old": ""}, map[string]string{}, "example.com"},
		"host":         {map[string]string{"host": "b.example"}, map[string]string{"X-Old": "o"}, "b.example"},
		"host remains": {map[string]string{"Host": ""}, map[string]string{"X-Old": "o"}, "example.com"},
		"written twice": {
			map[string]string{"X-A": "1", "x-a": "2"}, map[string]string{"X-A": "2", "X-Old": "o"}, "example.com",
		},
		"nothing": {nil, map[string]string{"X-Old": "o"}, "example.com"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := build(t, NewSet(Options{}), model.Middleware{Headers: &model.Headers{Request: c.edits}})
			_, got := exchange(f, request("/", "X-Old: o"))
			fields := map[string]string{}
			for k, v := range got.Header {
				fields[k] = strings.Join(v, "|")
			}
			if diff := cmp.Diff(c.want, fields); diff != "" || got.Host != c.host {
				t.Errorf("host %q, fields (-want +got):\n%s", got.Host, diff)
			}
		})
	}
}

// A handler may write into the values that it gets: the next request must not see it.
func TestHeadersAreNotShared(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{Headers: &model.Headers{
		Request: map[string]string{"X-A": "a", "X-B": "b"},
	}})
	h := f(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if a, b := r.Header["X-A"], r.Header["X-B"]; len(a) != 1 || a[0] != "a" || len(b) != 1 || b[0] != "b" {
			t.Errorf("got %v, %v", a, b)
		}
		r.Header["X-A"][0] = "overwritten"
		r.Header.Add("X-A", "added")
		if r.Header.Get("X-B") != "b" {
			t.Errorf("adding to X-A changed X-B to %q", r.Header.Get("X-B"))
		}
	}))
	for range 2 {
		h.ServeHTTP(httptest.NewRecorder(), request("/"))
	}
}

func TestHeadersOfTheAnswer(t *testing.T) {
	spec := &model.Headers{Response: map[string]string{"server": "", "x-frame-options": "DENY"}}
	fields := func(h http.Header) { h["Server"], h["X-Frame-Options"] = []string{"app"}, []string{"a", "b"} }
	handlers := map[string]http.HandlerFunc{
		"silent": func(w http.ResponseWriter, _ *http.Request) { fields(w.Header()) },
		"status": func(w http.ResponseWriter, _ *http.Request) { fields(w.Header()); w.WriteHeader(200) },
		"body":   func(w http.ResponseWriter, _ *http.Request) { fields(w.Header()); _, _ = io.WriteString(w, "x") },
		"flush":  func(w http.ResponseWriter, _ *http.Request) { fields(w.Header()); w.(http.Flusher).Flush() },
		"control": func(w http.ResponseWriter, _ *http.Request) {
			fields(w.Header())
			_ = http.NewResponseController(w).Flush()
		},
		"copy": func(w http.ResponseWriter, _ *http.Request) {
			fields(w.Header())
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader("xyz"), 2))
		},
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			fields(w.Header())
			w.WriteHeader(200)
		},
	}
	f := build(t, NewSet(Options{}), model.Middleware{Headers: spec})
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(f(h))
			defer srv.Close()
			resp, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.Header["Server"] != nil || !cmp.Equal(resp.Header["X-Frame-Options"], []string{"DENY"}) {
				t.Errorf("fields %v", resp.Header)
			}
		})
	}
}

func TestHeadersAreChangedOnce(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{Headers: &model.Headers{Response: map[string]string{"X-A": "1"}}})
	w := httptest.NewRecorder()
	f(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(200)
		w.Header().Set("X-A", "trailer")
	})).ServeHTTP(w, request("/"))
	if got := w.Header().Get("X-A"); got != "trailer" {
		t.Errorf("changed again after the head was sent: %q", got)
	}
}

func TestHeadersWriterKeepsAbilities(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{Headers: &model.Headers{Response: map[string]string{"X-A": "1"}}})
	done := make(chan error, 1)
	srv := httptest.NewServer(f(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			done <- err
			return
		}
		conn, rw, err := rc.Hijack()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		if w.Header().Get("X-A") != "1" {
			done <- errors.New("the fields were not changed before the connection was handed over")
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		done <- rw.Flush()
	})))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err := errors.Join(err, <-done); err != nil || !strings.Contains(line, "101") {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestHeadersWrapOnlyWhereNeeded(t *testing.T) {
	f := build(t, NewSet(Options{}), model.Middleware{Headers: &model.Headers{Request: map[string]string{"X-A": "1"}}})
	w := httptest.NewRecorder()
	f(http.HandlerFunc(func(got http.ResponseWriter, _ *http.Request) {
		if got != http.ResponseWriter(w) {
			t.Errorf("the writer is wrapped in %T", got)
		}
	})).ServeHTTP(w, request("/"))
}
