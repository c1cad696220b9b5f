package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// behaviour is one that httputil.ReverseProxy documents, or that its users rely on. Each is played through the whole
// proxy and, where it behaves so, through ReverseProxy, so that a case that asks for something else is seen.
type behaviour struct {
	must  string
	alone string // why ReverseProxy does not; "": it does
	play  func(t *testing.T, via func(http.HandlerFunc) string)
}

func behaviours() []behaviour {
	return []behaviour{
		{"fields of one connection stay there, on the way to the service", "", hopFieldsOfRequests},
		{"fields of one connection stay there, on the way back", "", hopFieldsOfAnswers},
		{"TE: trailers passes, and nothing else of TE", "", onlyTrailersOfTE},
		{"no User-Agent is added", "", noUserAgent},
		{"a query passes as it came, with semicolons and what is no escape", "", rawQuery},
		{"what a client says in X-Forwarded-* is not believed", "", forwardingFields},
		{"a request without a body has none behind, either", "", emptyBodies},
		{"a body shorter than its length is not whole behind, either", "", shortBodies},
		{"a part of an answer is not taken for the whole", "", abortedAnswers},
		{"server-sent events and answers of unknown length are not held back", "", promptAnswers},
		{"informational answers pass, each with its own fields", "", informationalAnswers},
		{"trailers of answers pass, announced or not", "", trailersOfAnswers},
		{"trailers of requests pass, announced or not", "it copies them before they have come", trailersOfRequests},
		{"an upgrade carries both ways; who ends may still listen", "", halfClosedUpgrades},
		{"an upgrade to something else than was asked for is none", "", wrongUpgrades},
		{"a client that leaves ends the service's request", "", leaving},
		{"a service need not read a body", "", unreadBodies},
		{"a head without end is not an answer", "", endlessHeads},
	}
}

func TestReverseProxyBehaviours(t *testing.T) {
	proxies := []struct {
		name  string
		start func(t *testing.T, service string) string
	}{
		{"Fairlead", func(t *testing.T, service string) string { return start(t, to(service)).url }},
		{"ReverseProxy", startReference},
	}
	for _, b := range behaviours() {
		t.Run(b.must, func(t *testing.T) {
			for i, p := range proxies {
				if i > 0 && b.alone != "" {
					continue
				}
				t.Run(p.name, func(t *testing.T) {
					b.play(t, func(h http.HandlerFunc) string { return p.start(t, serve(t, h)) })
				})
			}
		})
	}
}

// startReference starts ReverseProxy, as its documentation advises.
func startReference(t *testing.T, service string) string {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	s := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Transport: transport, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: service})
			r.SetXForwarded()
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
	})
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.Start()
	t.Cleanup(func() { transport.CloseIdleConnections(); s.CloseClientConnections(); s.Close() })
	return s.URL
}

// say opens a connection and sends bytes. What comes back is read from the second.
func say(t *testing.T, to, raw string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(to, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn), bufio.NewReader(conn)
}

// hear says something and reads the answer, whole.
func hear(t *testing.T, to, raw string) *http.Response {
	t.Helper()
	_, in := say(t, to, raw)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer
}

// seenThrough returns the request that the service sees where raw is sent.
func seenThrough(t *testing.T, via func(http.HandlerFunc) string, raw string) *http.Request {
	t.Helper()
	seen := make(chan *http.Request, 1)
	hear(t, via(func(_ http.ResponseWriter, r *http.Request) { seen <- r }), raw)
	return <-seen
}

func hopFieldsOfRequests(t *testing.T, via func(http.HandlerFunc) string) {
	r := seenThrough(t, via, "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n"+
		"Proxy-Connection: close\r\nProxy-Authorization: x\r\nX-End: 1\r\n\r\n")
	for _, name := range []string{"X-Hop", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Connection"} {
		if len(r.Header[name]) > 0 {
			t.Errorf("%s: %q", name, r.Header[name])
		}
	}
	if r.Header.Get("X-End") != "1" {
		t.Errorf("%v", r.Header)
	}
}

func hopFieldsOfAnswers(t *testing.T, via func(http.HandlerFunc) string) {
	at := via(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Keep-Alive", "Proxy-Authenticate", "X-Hop", "X-End"} {
			w.Header().Set(name, "1")
		}
		w.Header().Set("Connection", "X-Hop")
	})
	h := hear(t, at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").Header
	for _, name := range []string{"Keep-Alive", "Proxy-Authenticate", "X-Hop", "Connection"} {
		if len(h[name]) > 0 {
			t.Errorf("%s: %q", name, h[name])
		}
	}
	if h.Get("X-End") != "1" {
		t.Errorf("%v", h)
	}
}

func onlyTrailersOfTE(t *testing.T, via func(http.HandlerFunc) string) {
	for sent, want := range map[string]string{"trailers": "trailers", "gzip;q=1, trailers": "trailers", "gzip": ""} {
		r := seenThrough(t, via, "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: "+sent+"\r\n\r\n")
		if got := r.Header.Get("Te"); got != want {
			t.Errorf("%q: %q", sent, got)
		}
	}
}

func noUserAgent(t *testing.T, via func(http.HandlerFunc) string) {
	if r := seenThrough(t, via, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); len(r.Header["User-Agent"]) > 0 {
		t.Errorf("%q", r.Header["User-Agent"])
	}
}

func rawQuery(t *testing.T, via func(http.HandlerFunc) string) {
	const query = "a=1;b=2&c=%zz&&=&d=%2f+"
	if r := seenThrough(t, via, "GET /?"+query+" HTTP/1.1\r\nHost: a\r\n\r\n"); r.URL.RawQuery != query {
		t.Errorf("%q", r.URL.RawQuery)
	}
}

func forwardingFields(t *testing.T, via func(http.HandlerFunc) string) {
	h := seenThrough(t, via, "GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=x\r\n"+
		"X-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n\r\n").Header
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "shop.example", "X-Forwarded-Proto": "http", "Forwarded": "",
	} {
		if got := strings.Join(h[name], "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func emptyBodies(t *testing.T, via func(http.HandlerFunc) string) {
	for head, want := range map[string]string{"GET / HTTP/1.1\r\n": "", "POST / HTTP/1.1\r\nContent-Length: 0\r\n": "0"} {
		r := seenThrough(t, via, head+"Host: a\r\n\r\n")
		if got := r.Header.Get("Content-Length"); got != want || r.ContentLength != 0 || r.TransferEncoding != nil {
			t.Errorf("%q: %q %v", head, got, r.TransferEncoding)
		}
	}
}

func shortBodies(t *testing.T, via func(http.HandlerFunc) string) {
	for _, rest := range []string{"Content-Length: 10\r\n\r\nshort", "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"} {
		read := make(chan error, 1)
		at := via(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			read <- err
		})
		conn, in := say(t, at, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"+rest)
		if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != http.StatusContinue {
			t.Fatalf("%v %v", answer, err) // the service reads
		}
		_ = conn.Close()
		if err := <-read; err == nil {
			t.Errorf("%q: taken for the whole", rest)
		}
	}
}

func abortedAnswers(t *testing.T, via func(http.HandlerFunc) string) {
	for _, length := range []string{"", "100"} {
		at := via(func(w http.ResponseWriter, _ *http.Request) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			_, _ = io.WriteString(w, "a part")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		_, in := say(t, at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		answer, err := http.ReadResponse(in, nil)
		if err != nil || answer.StatusCode == http.StatusBadGateway { // nothing of it had been sent
			continue
		}
		if body, err := io.ReadAll(answer.Body); err == nil {
			t.Errorf("length %q: %q was taken for the whole", length, body)
		}
	}
}

func promptAnswers(t *testing.T, via func(http.HandlerFunc) string) {
	for _, kind := range []string{"text/event-stream", "text/plain"} {
		next := make(chan struct{})
		at := via(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for range 3 {
				_, _ = io.WriteString(w, "data\n")
				_ = http.NewResponseController(w).Flush()
				<-next
			}
		})
		_, in := say(t, at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := io.ReadFull(answer.Body, make([]byte, len("data\n"))); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			next <- struct{}{}
		}
	}
}

func informationalAnswers(t *testing.T, via func(http.HandlerFunc) string) {
	at := via(func(w http.ResponseWriter, _ *http.Request) {
		for n := range 2 {
			w.Header().Set("Link", fmt.Sprint(n))
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Del("Link")
	})
	_, in := say(t, at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, want := range []string{"103 0", "103 1", "200 "} {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(answer.StatusCode, " ", answer.Header.Get("Link")); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func trailersOfAnswers(t *testing.T, via func(http.HandlerFunc) string) {
	at := via(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Announced", "1")
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	})
	got := hear(t, at, "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n").Trailer
	if got.Get("X-Announced") != "1" || got.Get("X-Late") != "2" {
		t.Errorf("%v", got)
	}
}

func trailersOfRequests(t *testing.T, via func(http.HandlerFunc) string) {
	seen := make(chan http.Header, 1)
	at := via(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen <- r.Trailer
	})
	hear(t, at, "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Announced\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"2\r\nok\r\n0\r\nX-Announced: 1\r\nX-Late: 2\r\n\r\n")
	if got := <-seen; got.Get("X-Announced") != "1" || got.Get("X-Late") != "2" {
		t.Errorf("%v", got)
	}
}

// upgrading changes to "echo" and hands the connection over.
func upgrading(then func(conn net.Conn, in io.Reader)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		then(conn, in)
	}
}

func halfClosedUpgrades(t *testing.T, via func(http.HandlerFunc) string) {
	heard := make(chan string, 1)
	for who, service := range map[string]func(net.Conn, io.Reader){
		"client": func(conn net.Conn, in io.Reader) { // ends first, and is answered
			all, _ := io.ReadAll(in)
			heard <- string(all)
			_, _ = io.WriteString(conn, "answer")
		},
		"service": func(conn net.Conn, in io.Reader) {
			_, _ = io.WriteString(conn, "answer")
			_ = conn.(*net.TCPConn).CloseWrite()
			all, _ := io.ReadAll(in)
			heard <- string(all)
		},
	} {
		conn, in := say(t, via(upgrading(service)),
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v %v", answer, err)
		}
		read := func() {
			if all, err := io.ReadAll(in); err != nil || string(all) != "answer" {
				t.Errorf("the %s ends first: %q %v", who, all, err)
			}
		}
		if who == "service" {
			read()
		}
		_, _ = io.WriteString(conn, "late")
		_ = conn.CloseWrite()
		if got := <-heard; got != "late" {
			t.Errorf("the %s ends first: the service heard %q", who, got)
		}
		if who == "client" {
			read()
		}
	}
}

func wrongUpgrades(t *testing.T, via func(http.HandlerFunc) string) {
	at := via(upgrading(func(net.Conn, io.Reader) {}))
	answer := hear(t, at, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
	if answer.StatusCode != http.StatusBadGateway {
		t.Errorf("%d", answer.StatusCode)
	}
}

func leaving(t *testing.T, via func(http.HandlerFunc) string) {
	arrived, left := make(chan struct{}), make(chan error, 1)
	at := via(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		left <- r.Context().Err()
	})
	conn, _ := say(t, at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	_ = conn.Close()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func unreadBodies(t *testing.T, via func(http.HandlerFunc) string) {
	at := via(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no need") })
	answer := hear(t, at, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100_000))
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%d", answer.StatusCode)
	}
}

func endlessHeads(t *testing.T, via func(http.HandlerFunc) string) {
	at := via(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		field := "X-Field: " + strings.Repeat("x", 4000) + "\r\n"
		for err == nil {
			_, err = io.WriteString(conn, field)
		}
	})
	if status := hear(t, at, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").StatusCode; status != http.StatusBadGateway {
		t.Errorf("%d", status)
	}
}
