package rfctest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/http2/hpack"
)

// This file speaks HTTP/3 frame by frame, as a client. QUIC is quic-go's, and so is QPACK, without its table.

// Types of frames and streams (RFC 9114 §7.2, §6.2).
const (
	data3, headers3, settings3 = 0x0, 0x1, 0x4
	control3                   = 0x0
)

// frame3 writes a frame.
func frame3(kind uint64, payload []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(payload))), payload...)
}

// fields3 writes a HEADERS frame.
func fields3(fields []string) []byte {
	var block bytes.Buffer
	enc := qpack.NewEncoder(&block)
	for _, f := range fields {
		name, value := cutPseudo(f)
		_ = enc.WriteField(qpack.HeaderField{Name: lowerUnlessMarked(name), Value: value})
	}
	return frame3(headers3, block.Bytes())
}

// encode3 writes a request as what a stream has.
func encode3(m message) []byte {
	if m.raw != "" {
		return []byte(m.raw)
	}
	b := fields3(headFields(m, "https"))
	for rest := m.body; rest != ""; {
		n := min(len(rest), 1000)
		b = append(b, frame3(data3, []byte(rest[:n]))...)
		rest = rest[n:]
	}
	if len(m.trailers) > 0 {
		b = append(b, fields3(m.trailers)...)
	}
	return b
}

// client3 sends a request over HTTP/3, on a connection of its own, and returns the answer.
func client3(t *testing.T, from netip.Addr, to net.Addr, m message) (received, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: from.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	at := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to.String()))
	conn, err := quic.Dial(ctx, socket, at, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseWithError(0, "") }()
	control, err := conn.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	_, err = control.Write(append([]byte{control3}, frame3(settings3, nil)...))
	stream, opened := conn.OpenStreamSync(ctx)
	if err = errors.Join(err, opened); err != nil {
		return received{}, err
	}
	_ = stream.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = stream.Write(encode3(m))
	_ = stream.Close()
	got, failed := read3(stream)
	if failed != nil && err != nil { // the server has its reasons, which reading tells
		return got, errors.Join(err, failed)
	}
	return got, failed
}

// read3 reads frames until the answer is complete.
func read3(stream io.Reader) (r received, err error) {
	in := bufio.NewReader(stream)
	var interim []received
	for n := 0; ; n++ {
		kind, payload, err := readFrame3(in)
		switch {
		case errors.Is(err, io.EOF) && r.line != "":
			r.whole = true
			return r, nil
		case err != nil:
			return r, err
		}
		switch kind {
		case headers3:
			fields, err := decode3(payload)
			switch {
			case err != nil:
				return r, err
			case r.line != "":
				r.addTrailers(fields)
				r.bare = false
				continue
			}
			r.addHead(fields)
			if r.line != "" && r.line[0] == '1' {
				interim, r = append(interim, r), received{}
				continue
			}
			r.interim, r.bare = interim, true
		case data3:
			if r.line == "" || r.trailers != nil {
				r.wrong = "content where none may be"
			}
			r.body, r.bare = r.body+string(payload), false
		default:
			r.wrong = fmt.Sprintf("a frame of type %#x", kind)
		}
	}
}

func readFrame3(in *bufio.Reader) (kind uint64, payload []byte, err error) {
	if kind, err = quicvarint.Read(in); err != nil {
		return 0, nil, err
	}
	n, err := quicvarint.Read(in)
	if err != nil {
		return 0, nil, fmt.Errorf("in the head of a frame: %s", err.Error()) // which is not the end
	}
	payload, err = io.ReadAll(io.LimitReader(in, int64(n)))
	if err == nil && uint64(len(payload)) < n {
		err = io.ErrUnexpectedEOF
	}
	return kind, payload, err
}

func decode3(block []byte) (fields []hpack.HeaderField, err error) {
	next := qpack.NewDecoder().Decode(block)
	for {
		f, err := next()
		if errors.Is(err, io.EOF) {
			return slices.Clip(fields), nil
		}
		if err != nil {
			return nil, err
		}
		fields = append(fields, hpack.HeaderField{Name: f.Name, Value: f.Value})
	}
}
