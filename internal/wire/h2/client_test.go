package h2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// client speaks frames, right or wrong.
type client struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	fields *hpack.Encoder
	block  bytes.Buffer

	mu     sync.Mutex
	came   *sync.Cond
	events []event // what came and was not asked for yet
}

// event is a frame that came, as text, or the end of the connection.
type event struct {
	stream uint32
	text   string // "HEADERS :status=200 end", "DATA hello", "RST_STREAM PROTOCOL_ERROR", "GOAWAY 1 NO_ERROR", "closed"
	data   string
	end    bool // of its stream
	credit int  // WINDOW_UPDATE
}

// dial connects a client to the server, and sends the preface.
func dial(t *testing.T, s *Server, settings ...http2.Setting) *client {
	t.Helper()
	ours, theirs := connection(t)
	s.ServeConn(theirs)
	return greet(t, ours, settings...)
}

// dialPipe is dial for virtual time.
func dialPipe(t *testing.T, s *Server, settings ...http2.Setting) *client {
	t.Helper()
	ours, theirs := net.Pipe()
	s.ServeConn(theirs)
	return greet(t, ours, settings...)
}

func greet(t *testing.T, conn net.Conn, settings ...http2.Setting) *client {
	c := newClient(t, conn)
	c.send(func() error {
		_, err := io.WriteString(conn, http2.ClientPreface)
		return errors.Join(err, c.framer.WriteSettings(settings...))
	})
	c.want(0, "SETTINGS")
	return c
}

// connection returns both ends of a TCP connection.
func connection(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

func newClient(t *testing.T, conn net.Conn) *client {
	c := &client{t: t, conn: conn}
	c.came = sync.NewCond(&c.mu)
	c.framer = http2.NewFramer(conn, conn)
	c.framer.AllowIllegalWrites = true
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.fields = hpack.NewEncoder(&c.block)
	done := make(chan struct{})
	go func() { defer close(done); c.read() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return c
}

func (c *client) read() {
	for {
		f, err := c.framer.ReadFrame()
		c.mu.Lock()
		if err != nil {
			c.events = append(c.events, event{text: "closed"})
			c.came.Broadcast()
			c.mu.Unlock()
			return
		}
		c.events = append(c.events, toEvent(f))
		c.came.Broadcast()
		c.mu.Unlock()
	}
}

func toEvent(f http2.Frame) event {
	h := f.Header()
	e := event{stream: h.StreamID, text: h.Type.String()}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		var fields []string
		for _, field := range f.Fields {
			if field.Name != "date" {
				fields = append(fields, " "+field.Name+"="+field.Value)
			}
		}
		slices.Sort(fields)
		e.text += strings.Join(fields, "")
		e.end = f.StreamEnded()
	case *http2.DataFrame:
		e.data, e.end = string(f.Data()), f.StreamEnded()
		e.text += " " + e.data
	case *http2.RSTStreamFrame:
		e.text, e.end = e.text+" "+f.ErrCode.String(), true
	case *http2.GoAwayFrame:
		e.text += fmt.Sprintf(" %d %s", f.LastStreamID, f.ErrCode)
	case *http2.WindowUpdateFrame:
		e.credit = int(f.Increment)
	case *http2.PingFrame:
		if f.IsAck() {
			e.text += " ack"
		}
	case *http2.SettingsFrame:
		if f.IsAck() {
			e.text += " ack"
		}
	}
	if e.end && h.Type != http2.FrameRSTStream {
		e.text += " end"
	}
	return e
}

// send writes frames. That the server has closed meanwhile is seen elsewhere.
func (c *client) send(write func() error) {
	c.t.Helper()
	if err := write(); err != nil && !errors.As(err, new(net.Error)) && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Log(err)
	}
}

// encode makes a block of name, value, name, value …
func (c *client) encode(fields ...string) []byte {
	c.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = c.fields.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(c.block.Bytes())
}

func get(path string, more ...string) []string {
	return append([]string{":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", path}, more...)
}

func post(path string, more ...string) []string {
	return append([]string{":method", "POST", ":scheme", "http", ":authority", "a.test", ":path", path}, more...)
}

func (c *client) headers(stream uint32, end bool, fields ...string) {
	c.t.Helper()
	block := c.encode(fields...)
	first := block[:min(len(block), maxFrame)]
	rest := block[len(first):]
	c.send(func() error {
		return c.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(rest) == 0,
		})
	})
	for len(rest) > 0 {
		part := rest[:min(len(rest), maxFrame)]
		rest = rest[len(part):]
		c.send(func() error { return c.framer.WriteContinuation(stream, len(rest) == 0, part) })
	}
}

func (c *client) data(stream uint32, end bool, text string) {
	c.t.Helper()
	c.send(func() error { return c.framer.WriteData(stream, end, []byte(text)) })
}

// take returns the next event that fits, and forgets it and those before it that are of its stream.
func (c *client) take(fits func(event) bool) event {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for i, e := range c.events {
			if fits(e) || e.text == "closed" {
				if e.text != "closed" {
					c.events = append(c.events[:i:i], c.events[i+1:]...)
				}
				return e
			}
		}
		c.came.Wait()
	}
}

// want waits for a frame of the stream that begins with text.
func (c *client) want(stream uint32, text string) event {
	c.t.Helper()
	e := c.take(func(e event) bool { return e.stream == stream && strings.HasPrefix(e.text, text) })
	if !strings.HasPrefix(e.text, text) {
		c.t.Fatalf("stream %d: %s, want %s", stream, e.text, text)
	}
	return e
}

// answer collects what comes on a stream until it ends, as text.
func (c *client) answer(stream uint32) string {
	c.t.Helper()
	var all []string
	for {
		e := c.take(func(e event) bool { return e.stream == stream && !strings.HasPrefix(e.text, "WINDOW_UPDATE") })
		if n := len(all); n > 0 && e.data != "" && strings.HasPrefix(all[n-1], "DATA ") {
			all[n-1] += strings.TrimPrefix(e.text, "DATA ")
		} else {
			all = append(all, e.text)
		}
		if e.end || e.text == "closed" {
			return strings.Join(all, "\n")
		}
	}
}

func handler(f http.HandlerFunc) *Server {
	return &Server{Handler: f, Log: discard(), Poison: true}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newServer returns a server that is closed with the test.
func newServer(t *testing.T, f http.HandlerFunc) *Server {
	s := handler(f)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// transportTo returns net/http's transport, whose connections the server serves.
func transportTo(t testing.TB, s *Server) *http.Transport {
	transport := &http.Transport{Protocols: new(http.Protocols),
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := connection(t)
			s.ServeConn(theirs)
			return ours, nil
		}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
