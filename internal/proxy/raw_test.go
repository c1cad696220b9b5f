package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/middleware"
	"github.com/fairlead/fairlead/internal/model"
	"github.com/fairlead/fairlead/internal/upstream"
	"github.com/fairlead/fairlead/internal/wire"
	"github.com/fairlead/fairlead/internal/wire/h2"
)

// depths serves the same routes twice: as it is, and with the raw depth out of sight.
type depths struct {
	service *scripted
	raw     *watched
	ways    map[string]string // address by depth
	server  engine            // of the raw depth
}

// served returns how many requests the raw depth served, once it is done with all of them. Nothing can be sent after.
func (d *depths) served(tb testing.TB) int {
	tb.Helper()
	if err := d.server.Shutdown(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return int(d.raw.served.Load())
}

// agree wants the same at both depths, and the raw one to have served exactly where it should. Nothing can be sent
// after.
func (d *depths) agree(t *testing.T, raw, general [2]string, isRaw bool) {
	t.Helper()
	if raw != general {
		t.Errorf("raw:\n%.900q\n%.900q\ngeneral:\n%.900q\n%.900q", raw[0], raw[1], general[0], general[1])
	}
	if served := d.served(t) > 0; served != isRaw {
		t.Errorf("at the raw depth: %v, want %v", served, isRaw)
	}
	if raw[1] == "" {
		t.Error("no answer")
	}
}

// watched counts what the raw depth served.
type watched struct {
	*clientHandler
	served atomic.Int64
}

func (w *watched) ServeRaw(x *wire.Exchange) bool {
	done := true // unless it says otherwise: it panics where an answer is to be cut
	defer func() {
		if done {
			w.served.Add(1)
		}
	}()
	done = w.clientHandler.ServeRaw(x)
	return done
}

func newDepths(tb testing.TB, e EntryPoint, change func(*model.Snapshot)) *depths {
	tb.Helper()
	d := &depths{service: newScripted(tb), ways: make(map[string]string)}
	s := to(d.service.addr)
	if change != nil {
		change(s)
	}
	e.Name, e.Default = "web", true
	p, err := New(Options{
		EntryPoints: []EntryPoint{e}, Hosts: upstream.NewHosts(upstream.Options{}),
		Middlewares: middleware.NewSet(middleware.Options{}), Log: slog.New(slog.DiscardHandler), Poison: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	p.Apply(s, true)
	tb.Cleanup(p.builder.closeIdle)
	d.raw = &watched{clientHandler: p.clients(e).(*clientHandler)}
	d.ways["raw"], d.server = listen(tb, d.raw, true)
	d.ways["general"], _ = listen(tb, http.HandlerFunc(d.raw.ServeHTTP), true)
	return d
}

// listen serves on an address of its own until the test ends. poison spoils whatever a handler keeps.
func listen(tb testing.TB, h http.Handler, poison bool) (addr string, s engine) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(tb.Output(), nil))
	second := &h2.Server{Handler: h, Poison: poison, Log: log}
	s = &engines{&wire.Server{Handler: h, Poison: poison, Log: log, Fallback: second}, second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	tb.Cleanup(func() { _ = s.Close(); serving.Wait() })
	return l.Addr().String(), s
}

// both sends the request through both depths, and returns what the service and the client saw.
func (d *depths) both(tb testing.TB, request, answer string) (raw, general [2]string) {
	tb.Helper()
	return d.through(tb, "raw", request, answer), d.through(tb, "general", request, answer)
}

var dateLine = regexp.MustCompile(`Date: [^\r]*`)

func (d *depths) through(tb testing.TB, depth, request, answer string) [2]string {
	tb.Helper()
	d.service.set(answer)
	conn, err := net.Dial("tcp", d.ways[depth])
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, request)
	// Who ends its side before the answer has begun is taken for gone, so that must not come first.
	got := make([]byte, 1)
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	n, _ := io.ReadFull(conn, got)
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	rest, _ := io.ReadAll(conn)
	got = append(got[:n], rest...)
	return [2]string{d.service.take(), dateLine.ReplaceAllString(string(got), "Date: now")}
}

// scripted is a service that records what comes, and answers each request with the same bytes.
type scripted struct {
	addr   string
	closes bool // after each answer that ends so; else only after those without a length
	mu     sync.Mutex
	answer string
	got    bytes.Buffer
}

func newScripted(tb testing.TB) *scripted {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &scripted{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.talk(conn) })
		}
	})
	tb.Cleanup(func() { _ = l.Close(); all.Wait() })
	return s
}

// talk takes an empty line, and the body that the head declares, for the end of a request.
func (s *scripted) talk(conn net.Conn) {
	defer conn.Close()
	in := make([]byte, 64<<10)
	var text []byte
	for {
		n, err := conn.Read(in)
		if text = append(text, in[:n]...); err != nil {
			return
		}
		head, body, whole := bytes.Cut(text, []byte("\r\n\r\n"))
		chunked := bytes.Contains(head, []byte("chunked")) && !bytes.HasSuffix(body, []byte("0\r\n\r\n"))
		if !whole || chunked || len(body) < declared(string(head)) {
			continue
		}
		s.mu.Lock()
		s.got.Write(text)
		answer := s.answer
		s.mu.Unlock()
		text = text[:0]
		_, err = io.WriteString(conn, answer)
		if err != nil || s.closes && endsByClose(answer) || !strings.Contains(answer, "Content-Length") {
			return
		}
	}
}

// endsByClose reports whether an answer ends with its connection, or says too little to know.
func endsByClose(answer string) bool {
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	if err != nil {
		return true
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return err != nil || r.Close || r.ContentLength < 0 && r.TransferEncoding == nil
}

func declared(head string) (n int) {
	_, rest, _ := strings.Cut(strings.ToLower(head), "content-length: ")
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}

func (s *scripted) set(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *scripted) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.got.Reset()
	return s.got.String()
}

const plainAnswer = "HTTP/1.1 200 OK\r\nserver: s\r\nDate: x\r\nX-b: 2\r\nX-A: 1\r\nx-b: 3\r\n" +
	"Content-Length: 2\r\n\r\nok"

// What a service and a client get is the same at both depths, to the byte.
func TestDepths(t *testing.T) {
	const host = "Host: a.example\r\n"
	large := strings.Repeat("0123456789abcdef", 5000)
	for _, c := range []struct {
		name, request, answer string
		raw                   bool
	}{
		{"plain", "GET /a/b?c=d%20e HTTP/1.1\r\n" + host + "user-agent: x\r\nACCEPT: */*\r\n\r\n", plainAnswer, true},
		{"order, case, several of one", "GET / HTTP/1.1\r\nb: 1\r\nA: 2\r\n" + host + "B: 3\r\nc: \r\n\r\n",
			plainAnswer, true},
		{"a port", "GET / HTTP/1.1\r\nHost: A.example:8080\r\n\r\n", plainAnswer, true},
		{"close", "GET / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n", plainAnswer, true},
		{"two in a row", strings.Repeat("GET /x HTTP/1.1\r\n"+host+"\r\n", 2), plainAnswer, true},
		{"fields that stay behind", "GET / HTTP/1.1\r\n" + host + "Fairlead-Service: x\r\nX-Forwarded-For: 1.2.3.4\r\n" +
			"Forwarded: for=x\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\nX-Real-IP: 9.9.9.9\r\n\r\n", plainAnswer, true},
		{"post", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Type: a/b\r\n\r\nhello", plainAnswer, true},
		{"post nothing", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", plainAnswer, true},
		{"a large body", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 80000\r\n\r\n" + large, plainAnswer, true},
		{"head", "HEAD / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 7\r\n\r\n", true},
		{"no date, odd status", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 299 Whatever\r\nContent-Length: 0\r\n\r\n", true},
		{"204", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 204 No Content\r\nDate: x\r\nX: Content-Length\r\n\r\n", true},
		{"304", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 304 Not Modified\r\nDate: x\r\nContent-Length: 5\r\nContent-Type: a/b\r\nEtag: 1\r\n\r\n", true},
		{"fields that stay here", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 200 OK\r\nDate: x\r\nFairlead-Reason: x\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n", true},
		{"already signed", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 200 OK\r\nDate: x\r\nVia: 1.1 b\r\nVia: 1.1 c\r\nContent-Length: 0\r\n\r\n", true},
		{"10 KiB", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 10000\r\n\r\n" + large[:10000], true},
		{"larger than what is read whole", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 80000\r\n\r\n" + large, true},
		{"of an HTTP/1.0 service", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.0 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok", true},
		{"chunks", "GET / HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 200 OK\r\nX-c: 1\r\nDate: x\r\nb: 2\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
		{"until the end", "GET / HTTP/1.1\r\n" + host + "\r\n", "HTTP/1.1 200 OK\r\nDate: x\r\n\r\nok", true},
		{"an answer about its connection", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 200 OK\r\nDate: x\r\nConnection: X-Gone\r\nX-Gone: 1\r\nContent-Length: 0\r\n\r\n", true},
		{"informational", "GET / HTTP/1.1\r\n" + host + "\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + plainAnswer, true},
		{"no answer", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nx", "", true},
		{"half an answer", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nx",
			"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", true},

		{"escapes", "GET /%41 HTTP/1.1\r\n" + host + "\r\n", plainAnswer, false},
		{"dots", "GET /a/../b HTTP/1.1\r\n" + host + "\r\n", plainAnswer, false},
		{"Connection names fields", "GET / HTTP/1.1\r\n" + host + "Connection: X-A\r\nX-A: 1\r\n\r\n", plainAnswer, false},
		{"trailers wanted", "GET / HTTP/1.1\r\n" + host + "TE: trailers\r\n\r\n", plainAnswer, false},
		{"absolute", "GET http://a.example/ HTTP/1.1\r\n" + host + "\r\n", plainAnswer, false},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n" + host + "\r\n", plainAnswer, false},
		{"chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
			plainAnswer, false},
		{"expects", "POST / HTTP/1.1\r\n" + host + "Expect: x\r\nContent-Length: 1\r\n\r\na", plainAnswer, false},
		{"signed", "GET / HTTP/1.1\r\n" + host + "Via: 1.0 x\r\n\r\n", plainAnswer, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDepths(t, EntryPoint{Via: Via{Name: "f", Answers: true}}, nil)
			raw, general := d.both(t, c.request, c.answer)
			d.agree(t, raw, general, c.raw)
		})
	}
}

// So it is where a request chooses among services, and cookies tell where it went.
func TestDepthsOfServices(t *testing.T) {
	sticky := func(name string) *model.Sticky { return &model.Sticky{Name: name, Path: "/", HTTPOnly: true} }
	uses := func(s *model.Snapshot) {
		app := s.Services[0]
		app.Sticky = sticky("host")
		version := choice("version", model.ByWeight, "app")
		version.Sticky = sticky("version")
		shop := choice("shop", model.Failover, "version", "app")
		shop.FailOn = &model.FailOn{Status: []model.StatusRange{{From: 500, To: 599}}}
		s.Services = []*model.Service{app, version, shop}
		s.Routes[0].Backends[0].Service = shop.Ref()
		s.Sort()
	}
	for _, fields := range []string{"", "Cookie: host=1; version=\"x\"\r\n", "Cookie: a=b\r\ncookie: host=zz\r\n"} {
		for _, answer := range []string{
			plainAnswer,
			"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nDate: x\r\nContent-Length: 0\r\nSet-Cookie: c=d\r\n\r\n",
			"HTTP/1.1 503 No\r\nDate: x\r\nContent-Length: 2\r\n\r\nno",
		} {
			d := newDepths(t, EntryPoint{Via: Via{Name: "f", Answers: true}}, uses)
			raw, general := d.both(t, "GET / HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n", answer)
			if raw != general || d.served(t) == 0 || !strings.Contains(raw[1], "\r\nSet-Cookie: host=") {
				t.Errorf("raw:\n%.900q\n%.900q\ngeneral:\n%.900q\n%.900q", raw[0], raw[1], general[0], general[1])
			}
		}
	}
}

// A rule that asks for more than the head's first lines is served at the general depth, and so is what a trusted proxy
// forwards.
func TestRawDepthIsNotForAll(t *testing.T) {
	asks := model.Match{Op: model.All, Of: []model.Match{{Test: model.Header, Key: "X-A", Value: "1", Op: model.Is}}}
	for name, c := range map[string]struct {
		entry  EntryPoint
		change func(*model.Snapshot)
	}{
		"a rule on a field": {EntryPoint{}, func(s *model.Snapshot) { s.Routes[0].Match = asks }},
		"a middleware": {EntryPoint{}, func(s *model.Snapshot) {
			m := &model.Middleware{Name: model.Name{Name: "m"}, Source: "file/test", StripPrefix: &model.StripPrefix{}}
			s.Middlewares = []*model.Middleware{m}
			s.Routes[0].Middlewares = []model.Ref{m.Ref()}
		}},
		"a trusted proxy":  {EntryPoint{TrustAll: true}, nil},
		"a limit in total": {EntryPoint{}, func(s *model.Snapshot) { s.Routes[0].Timeouts.Total = time.Minute }},
		"a field too many": {EntryPoint{Headers: 2}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDepths(t, c.entry, c.change)
			raw, general := d.both(t, "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n", plainAnswer)
			if served := d.served(t); raw != general || served > 0 {
				t.Errorf("raw: %q, general: %q, served raw: %d", raw, general, served)
			}
		})
	}
}

// FuzzDepths: whatever a client sends and a service answers, both get the same at both depths.
func FuzzDepths(f *testing.F) {
	f.Add("GET", "/a", "X-A: 1\r\nb: 2\r\n", "", "server: x\r\nX: 1\r\n", "ok")
	f.Add("POST", "/?", "Connection: keep-alive\r\nVIA: x\r\n", "body", "Connection: close\r\n", "")
	f.Add("HEAD", "/%2e", "Cookie: a\r\nCookie: b\r\nHost: c\r\n", "", "Set-Cookie: a\r\nset-cookie: b\r\n", "x")
	f.Add("PUT", "/a/./b", "X-Forwarded-Proto: https\r\nTe: trailers\r\n", "b", "Trailer: X\r\nVia: 1.1 y\r\n", "x")
	d := newDepths(f, EntryPoint{Via: Via{Name: "f", Answers: true}}, nil)
	f.Fuzz(func(t *testing.T, method, target, fields, body, answered, content string) {
		length := "Content-Length: "
		request := method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + fields
		if body != "" {
			request += length + strconv.Itoa(len(body)) + "\r\n"
		}
		answer := "HTTP/1.1 200 OK\r\nDate: x\r\n" + answered + length + strconv.Itoa(len(content)) + "\r\n\r\n" + content
		if raw, general := d.both(t, request+"\r\n"+body, answer); raw != general {
			t.Errorf("raw:\n%q\n%q\ngeneral:\n%q\n%q", raw[0], raw[1], general[0], general[1])
		}
	})
}

// When the client goes, the service is told, at both depths: the connection to it is cut.
func TestDepthsClientGone(t *testing.T) {
	for _, depth := range []string{"raw", "general"} {
		t.Run(depth, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			d := newDepths(t, EntryPoint{}, func(s *model.Snapshot) {
				s.Services[0].Endpoints[0].Addr = l.Addr().String()
			})
			client, err := net.Dial("tcp", d.ways[depth])
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			service, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer service.Close()
			_ = service.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := service.Read(make([]byte, 4096)); err != nil {
				t.Fatal(err)
			}
			_ = client.Close()
			if n, err := service.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
}
