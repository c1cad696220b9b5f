package h2

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// TestFloods: what costs us and is of no use to the client ends its connection.
func TestFloods(t *testing.T) {
	const many = 20_000
	for _, test := range []struct {
		name string
		send func(c *client, i uint32) error
	}{
		{"rapid reset", func(c *client, i uint32) error { // CVE-2023-44487
			c.headers(2*i+1, true, get("/")...)
			return c.framer.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		}},
		{"reset by us", func(c *client, i uint32) error { // CVE-2025-8671
			c.headers(2*i+1, true, get("/")...)
			return c.framer.WriteWindowUpdate(2*i+1, maxWindow)
		}},
		{"malformed", func(c *client, i uint32) error {
			c.headers(2*i+1, true, get("/", "connection", "close")...)
			return nil
		}},
		{"CONTINUATION", func(c *client, i uint32) error { // CVE-2024-27316
			if i == 0 {
				return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.encode(get("/")...)})
			}
			return c.framer.WriteContinuation(1, false, c.encode("x", strings.Repeat("y", 99)))
		}},
		{"empty CONTINUATION", func(c *client, i uint32) error {
			if i == 0 {
				return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.encode(get("/")...)})
			}
			return c.framer.WriteContinuation(1, false, nil)
		}},
		{"PING", func(c *client, _ uint32) error { return c.framer.WritePing(false, [8]byte{}) }}, // CVE-2019-9512
		{"PING ack", func(c *client, _ uint32) error { return c.framer.WritePing(true, [8]byte{}) }},
		{"SETTINGS", func(c *client, _ uint32) error { return c.framer.WriteSettings() }}, // CVE-2019-9515
		{"SETTINGS ack", func(c *client, _ uint32) error { return c.framer.WriteSettingsAck() }},
		{"many settings", func(c *client, _ uint32) error {
			var settings []http2.Setting
			for range 1000 {
				settings = append(settings, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 9})
			}
			return c.framer.WriteSettings(settings...)
		}},
		{"empty DATA", func(c *client, i uint32) error { // CVE-2019-9518
			if i == 0 {
				c.headers(1, false, post("/wait")...)
			}
			return c.framer.WriteData(1, false, nil)
		}},
		{"WINDOW_UPDATE", func(c *client, _ uint32) error { return c.framer.WriteWindowUpdate(0, 1) }},
		{"WINDOW_UPDATE of a stream", func(c *client, i uint32) error {
			if i == 0 {
				c.headers(1, false, post("/wait")...)
			}
			return c.framer.WriteWindowUpdate(1, 1)
		}},
		{"PRIORITY", func(c *client, i uint32) error { // CVE-2019-9513
			return c.framer.WritePriority(2*i+1, http2.PriorityParam{StreamDep: 2*i + 3})
		}},
		{"unknown", func(c *client, _ uint32) error { return c.framer.WriteRawFrame(0xee, 0, 0, nil) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			s.HeaderBytes = 64 << 10
			c := dial(t, s)
			for i := range uint32(many) {
				if test.send(c, i) != nil {
					break
				}
			}
			if e := c.take(func(e event) bool { return strings.HasPrefix(e.text, "GOAWAY") }); e.text != "closed" &&
				!strings.HasSuffix(e.text, "ENHANCE_YOUR_CALM") {
				t.Errorf("%s", e.text)
			}
			c.want(0, "closed")
		})
	}
}

// TestSmallReadsAreNoFlood: a client that reads in small pieces gives each of them back, twice; also those that it
// finds in its own buffers, when the answer has long ended.
func TestSmallReadsAreNoFlood(t *testing.T) {
	for _, length := range []int{3 << 20, 16 << 20} { // in the client's window, and through it
		s := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, length)) })
		client := &http.Client{Transport: transportTo(t, s)}
		for _, piece := range []int{512, 4 << 10, 8 << 10, 32 << 10} {
			t.Run(fmt.Sprint(length, " by ", piece), func(t *testing.T) {
				answer, err := client.Get("http://a.example/")
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				read := struct{ io.Writer }{io.Discard} // without its own buffer
				if n, err := io.CopyBuffer(read, answer.Body, make([]byte, piece)); err != nil || n != int64(length) {
					t.Errorf("%d bytes of %d: %v", n, length, err)
				}
			})
		}
	}
}
