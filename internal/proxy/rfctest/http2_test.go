package rfctest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// This file speaks HTTP/2 frame by frame. What it does not need, it does not know.

// encode2 writes a message's head as a field block.
func encode2(m message, scheme string) []byte { return encodeFields(headFields(m, scheme)) }

// headFields is a message's head as HTTP/2 and HTTP/3 have it. Pseudo fields that are given count instead of those of
// the line.
func headFields(m message, scheme string) []string {
	var fields []string
	words := strings.Fields(m.line)
	given := len(m.fields) > 0 && strings.HasPrefix(m.fields[0], ":")
	authority, rest := "a.example", []string{}
	for _, f := range m.fields {
		name, value := cutPseudo(f)
		if strings.EqualFold(name, "host") && !given {
			authority = value
			continue
		}
		rest = append(rest, f)
	}
	switch {
	case given:
	case len(words) == 1:
		fields = append(fields, ":status: "+m.line)
	default:
		fields = append(fields, ":method: "+words[0], ":scheme: "+scheme, ":path: "+words[1], ":authority: "+authority)
	}
	return append(fields, rest...)
}

// cutPseudo is cutField for names that may begin with a colon.
func cutPseudo(f string) (name, value string) {
	if pseudo, ok := strings.CutPrefix(f, ":"); ok {
		name, value = cutField(pseudo)
		return ":" + name, value
	}
	return cutField(f)
}

func encodeFields(fields []string) []byte {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range fields {
		name, value := cutPseudo(f)
		_ = enc.WriteField(hpack.HeaderField{Name: lowerUnlessMarked(name), Value: value})
	}
	return block.Bytes()
}

// lowerUnlessMarked makes a name one of HTTP/2's; one that begins with an exclamation mark stays as it is after it.
func lowerUnlessMarked(name string) string {
	if exact, ok := strings.CutPrefix(name, "!"); ok {
		return exact
	}
	return strings.ToLower(name)
}

// conn2 is one end of a connection.
type conn2 struct {
	*http2.Framer
	net.Conn

	window, initial int64            // what may be sent on the connection, and on a stream when it begins
	more            map[uint32]int64 // than initial, on a stream
}

func newConn2(conn net.Conn) *conn2 {
	c := &conn2{
		Framer: http2.NewFramer(conn, conn), Conn: conn, window: 65535, initial: 65535, more: make(map[uint32]int64),
	}
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.SetMaxReadFrameSize(1 << 20)
	c.AllowIllegalWrites = true
	return c
}

const clientPreface = http2.ClientPreface

// client2 sends a request over HTTP/2 and returns the answer.
func client2(conn net.Conn, m message, scheme string) (received, error) {
	c := newConn2(conn)
	if _, err := io.WriteString(conn, clientPreface); err != nil {
		return received{}, err
	}
	if err := c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24}); err != nil {
		return received{}, err
	}
	if err := c.write(1, m, encode2(m, scheme)); err != nil {
		return received{}, err
	}
	return c.read(1)
}

// write writes a message on a stream.
func (c *conn2) write(stream uint32, m message, block []byte) error {
	noBody := m.body == "" && len(m.trailers) == 0
	err := c.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block, EndStream: noBody, EndHeaders: true,
	})
	if noBody || err != nil {
		return err
	}
	for rest := m.body; rest != ""; {
		n := min(len(rest), 16<<10)
		if err := c.WriteData(stream, n == len(rest) && len(m.trailers) == 0, []byte(rest[:n])); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if len(m.trailers) == 0 {
		return nil
	}
	return c.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: encodeFields(m.trailers), EndStream: true, EndHeaders: true,
	})
}

// errReset is the end of a stream or a connection by the peer. Where it is one, an answer is none.
type errReset struct {
	code       http2.ErrCode
	connection bool
}

func (e errReset) Error() string {
	return fmt.Sprintf("reset: %v (connection: %v)", e.code, e.connection)
}

// read reads frames until the answer on a stream is complete.
func (c *conn2) read(stream uint32) (received, error) {
	var r received
	var interim []received
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return r, err
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID != stream {
				return r, fmt.Errorf("headers on stream %d", f.StreamID)
			}
			if r.line != "" {
				r.addTrailers(f.Fields)
			} else {
				r.addHead(f.Fields)
			}
			if r.line != "" && r.line[0] == '1' {
				interim, r = append(interim, r), received{}
				continue
			}
			r.interim, r.whole, r.bare = interim, f.StreamEnded(), f.StreamEnded() && r.trailers == nil
		case *http2.DataFrame:
			r.body += string(f.Data())
			r.whole = f.StreamEnded()
			if err := c.grant(f); err != nil {
				return r, err
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return r, errReset{f.ErrCode, false}
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return r, errReset{f.ErrCode, true}
			}
		default:
			if err := c.housekeeping(f); err != nil {
				return r, err
			}
		}
		if r.whole {
			return r, nil
		}
	}
}

// grant lets the peer send as much again.
func (c *conn2) grant(f *http2.DataFrame) error {
	if f.Length == 0 {
		return nil
	}
	if err := c.WriteWindowUpdate(0, f.Length); err != nil || f.StreamEnded() {
		return err
	}
	return c.WriteWindowUpdate(f.StreamID, f.Length)
}

func (c *conn2) housekeeping(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
			c.initial = int64(v)
		}
		if !f.IsAck() {
			return c.WriteSettingsAck()
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.window += int64(f.Increment)
		} else {
			c.more[f.StreamID] += int64(f.Increment)
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.WritePing(true, f.Data)
		}
	}
	return nil
}

// addHead notes the fields of a head. The line is made of the pseudo fields, :authority becomes a field.
func (r *received) addHead(fields []hpack.HeaderField) {
	pseudo := make(map[string]string)
	for _, h := range fields {
		if h.IsPseudo() {
			if _, twice := pseudo[h.Name]; twice {
				r.wrong = "twice " + h.Name
			}
			pseudo[h.Name] = h.Value
			continue
		}
		r.add(&r.fields, h)
	}
	r.line = pseudo[":status"]
	if method, ok := pseudo[":method"]; ok {
		r.line = method + " " + pseudo[":path"]
		if authority, ok := pseudo[":authority"]; ok {
			r.fields = append(r.fields, field("host", authority))
		}
	}
}

func (r *received) addTrailers(fields []hpack.HeaderField) {
	for _, h := range fields {
		if h.IsPseudo() {
			r.wrong = "pseudo field in a trailer"
		}
		r.add(&r.trailers, h)
	}
}

// add notes a field, and whether HTTP/2 and HTTP/3 may have it (RFC 9113 §8.2, RFC 9114 §4.2).
func (r *received) add(to *[]string, h hpack.HeaderField) {
	switch name := h.Name; {
	case strings.ToLower(name) != name:
		r.wrong = "capitals in " + name
	case name == "connection", name == "proxy-connection", name == "keep-alive", name == "transfer-encoding",
		name == "upgrade", name == "te" && h.Value != "trailers":
		r.wrong = name + " in HTTP/2"
	case strings.ContainsAny(h.Value, "\r\n\x00"):
		r.wrong = "a line end in " + name
	}
	*to = append(*to, field(h.Name, h.Value))
}

// serve2 is a service that speaks HTTP/2 on a connection.
func (s *service) serve2(conn net.Conn) {
	if _, err := io.ReadFull(conn, make([]byte, len(clientPreface))); err != nil {
		return
	}
	c := newConn2(conn)
	if c.WriteSettings() != nil {
		return
	}
	streams := make(map[uint32]*received)
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return
		}
		id, ended := f.Header().StreamID, false
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if r := streams[id]; r != nil {
				r.addTrailers(f.Fields)
			} else {
				streams[id] = new(received)
				streams[id].addHead(f.Fields)
			}
			if strings.HasSuffix(streams[id].line, " /flood") && s.flood != nil {
				s.flood(flood{conn, c, id})
				return
			}
			ended = f.StreamEnded()
		case *http2.DataFrame:
			if r := streams[id]; r != nil {
				r.body += string(f.Data())
			}
			ended = f.StreamEnded()
			err = c.grant(f)
		case *http2.RSTStreamFrame:
			if r := streams[id]; r != nil {
				r.wrong = "cut"
				s.record(*r)
				delete(streams, id)
			}
		default:
			err = c.housekeeping(f)
		}
		if ended && streams[id] != nil {
			r := streams[id]
			delete(streams, id)
			r.whole = true
			err = c.reply(id, s.record(*r))
		}
		if err != nil {
			return
		}
	}
}

// reply answers on a stream.
func (c *conn2) reply(stream uint32, m message) error {
	for _, interim := range m.interim {
		if err := c.WriteHeaders(http2.HeadersFrameParam{
			StreamID: stream, BlockFragment: encode2(interim, ""), EndHeaders: true,
		}); err != nil {
			return err
		}
	}
	if err := c.write(stream, m, encode2(m, "")); err != nil || !m.cut {
		return err
	}
	return io.EOF
}
