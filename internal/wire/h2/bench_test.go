package h2

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const batch = 32 // streams that are asked for at once

// BenchmarkServer compares the engines on requests as a browser's, answered with 128 bytes; an operation is a request.
func BenchmarkServer(b *testing.B) {
	body := bytes.Repeat([]byte{'x'}, 128)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header["Content-Type"], header["Content-Length"] = []string{"text/plain"}, []string{"128"}
		_, _ = w.Write(body)
	})
	for name, serve := range map[string]func(net.Conn) func(){
		"h2": func(conn net.Conn) func() {
			s := &Server{Handler: h}
			s.ServeConn(conn)
			return func() { _ = s.Close() }
		},
		"nethttp": func(conn net.Conn) func() {
			s := &http.Server{Handler: h, Protocols: new(http.Protocols)} //nolint:gosec // one client, ours
			s.Protocols.SetUnencryptedHTTP2(true)
			go func() { _ = s.Serve(&single{conn: conn, closed: make(chan struct{})}) }()
			return func() { _ = s.Close() }
		},
	} {
		b.Run(name, func(b *testing.B) {
			ours, theirs := connection(b)
			defer serve(theirs)()
			defer func() { _ = ours.Close() }()
			b.ReportAllocs()
			ask(b, ours, b.N)
		})
	}
}

// ask sends n requests, batch by batch, and reads the answers without looking at more than it must.
func ask(b *testing.B, conn net.Conn, n int) {
	b.Helper()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	encode := func() []byte {
		block.Reset()
		for i, f := 0, get("/", "accept", "text/html", "user-agent", "bench", "accept-encoding", "gzip"); i < len(f); i += 2 {
			_ = e.WriteField(hpack.HeaderField{Name: f[i], Value: f[i+1]})
		}
		return block.Bytes()
	}
	var out bytes.Buffer
	w := http2.NewFramer(&out, nil)
	out.WriteString(http2.ClientPreface)
	_ = w.WriteSettings()
	header, payload, stream := make([]byte, frameHeader), make([]byte, maxFrame), uint32(1)
	b.ResetTimer()
	for n > 0 {
		asked := min(n, batch)
		n -= asked
		for range asked {
			_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: encode(), EndStream: true,
				EndHeaders: true})
			stream += 2
		}
		_ = w.WriteWindowUpdate(0, 128*batch)
		if _, err := conn.Write(out.Bytes()); err != nil {
			b.Fatal(err)
		}
		out.Reset()
		for asked > 0 {
			if _, err := io.ReadFull(conn, header); err != nil {
				b.Fatal(err)
			}
			size := int(binary.BigEndian.Uint32(header) >> 8)
			if _, err := io.ReadFull(conn, payload[:size]); err != nil {
				b.Fatal(err)
			}
			if t := http2.FrameType(header[3]); t <= http2.FrameHeaders && header[4]&1 == 1 {
				asked--
			}
		}
	}
}
