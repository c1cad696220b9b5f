package h2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// FuzzLikeNetHTTP sends the same bytes after the preface to both engines. Whatever ours hands to a handler, net/http's
// hands to one, too, and the same; and where both answer a stream, they answer alike. (Ours may refuse more.)
func FuzzLikeNetHTTP(f *testing.F) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	script := func(write func(w *http2.Framer, encode func(...string) []byte)) {
		var out bytes.Buffer
		e = hpack.NewEncoder(&block)
		write(http2.NewFramer(&out, nil), func(fields ...string) []byte {
			block.Reset()
			for i := 0; i+1 < len(fields); i += 2 {
				_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
			}
			return bytes.Clone(block.Bytes())
		})
		f.Add(out.Bytes())
	}
	for _, b := range requestsOf() {
		script(func(w *http2.Framer, encode func(...string) []byte) {
			_ = w.WriteSettings()
			_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(b.fields...),
				EndHeaders: true, EndStream: b.body == nil})
			for i, part := range b.body {
				_ = w.WriteData(1, i == len(b.body)-1 && b.trailer == nil, []byte(part))
			}
			if b.trailer != nil {
				_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(b.trailer...),
					EndHeaders: true, EndStream: true})
			}
			_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: encode(get("/")...), EndHeaders: true,
				EndStream: true})
		})
	}
	for _, m := range malformedRequests() {
		script(func(w *http2.Framer, encode func(...string) []byte) {
			_ = w.WriteSettings()
			_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(m.fields...), EndHeaders: true,
				EndStream: m.body == ""})
			_ = w.WriteData(1, true, []byte(m.body))
		})
	}
	f.Fuzz(func(t *testing.T, frames []byte) {
		synctest.Test(t, func(t *testing.T) {
			theirs, ours := play(t, frames, serveReference), play(t, frames, serveOurs)
			for request := range ours.requests {
				if !theirs.requests[request] && !theirs.ended {
					t.Errorf("net/http hands none of these to a handler:\n%s", request)
				}
			}
			for stream, answer := range ours.answers {
				their := theirs.answers[stream]
				if theirs.ended {
					their = their[:min(len(their), len(answer))]
					answer = answer[:len(their)]
				}
				if strings.HasPrefix(answer, "HEADERS :status=200") && strings.HasPrefix(their, "HEADERS") && their != answer {
					t.Errorf("stream %d: net/http:\n%s\nh2:\n%s", stream, their, answer)
				}
			}
		})
	})
}

// played is what came of a script.
type played struct {
	mu       sync.Mutex
	requests map[string]bool // that handlers got whole
	answers  map[uint32]string
	ended    bool // the server ended the connection: whether a handler was done before is chance
}

func serveOurs(conn net.Conn, h http.Handler) func() {
	s := &Server{Handler: h, IdleTimeout: time.Second, ReadTimeout: time.Second}
	s.ServeConn(conn)
	return func() { _ = s.Close() }
}

func serveReference(conn net.Conn, h http.Handler) func() {
	s := &http.Server{Handler: h, Protocols: new(http.Protocols), IdleTimeout: time.Second, ReadTimeout: time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	s.Protocols.SetUnencryptedHTTP2(true)
	l := &single{conn: conn, closed: make(chan struct{})}
	go func() { _ = s.Serve(l) }()
	return func() { _ = s.Close(); _ = conn.Close() }
}

// play sends the frames, and collects what came of them until the server has no more to say.
func play(t *testing.T, frames []byte, serve func(net.Conn, http.Handler) func()) *played {
	p := &played{requests: make(map[string]bool), answers: make(map[uint32]string)}
	ours, theirs := net.Pipe()
	end := serve(theirs, http.HandlerFunc(p.serve))
	var all sync.WaitGroup
	all.Go(func() { p.read(http2.NewFramer(io.Discard, ours)); _, _ = io.Copy(io.Discard, ours) })
	_, err := ours.Write(append([]byte(http2.ClientPreface), frames...))
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Log(err)
	}
	time.Sleep(5 * time.Second)
	end()
	_ = ours.Close()
	all.Wait()
	return p
}

func (p *played) serve(w http.ResponseWriter, r *http.Request) {
	announced := maps.Clone(r.Trailer)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whether it was whole is for the other to say, too
	}
	maps.DeleteFunc(r.Trailer, func(key string, _ []string) bool { // net/http drops what was not announced
		_, ok := announced[key]
		return !ok
	})
	if len(r.Trailer) == 0 {
		r.Trailer = nil
	}
	delete(r.Header, "Host")
	delete(r.Header, "Expect")
	text := fmt.Sprintf("%s %s %q %d %q %v %v", r.Method, r.RequestURI, r.Host, r.ContentLength, body, r.Header, r.Trailer)
	p.mu.Lock()
	p.requests[text] = true
	p.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, text)
}

func (p *played) read(framer *http2.Framer) {
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			return
		}
		e := toEvent(f)
		p.mu.Lock()
		switch f.(type) {
		case *http2.MetaHeadersFrame:
			p.answers[e.stream] += strings.TrimSuffix(e.text, " end") + "\n"
		case *http2.DataFrame:
			p.answers[e.stream] += e.data
		case *http2.GoAwayFrame:
			p.ended = p.ended || !strings.HasSuffix(e.text, " NO_ERROR")
		}
		p.mu.Unlock()
	}
}
