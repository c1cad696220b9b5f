package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pair returns the two ends of a TCP connection.
func pair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a = dial(t, l.Addr().String())
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	return a, accepted.(*net.TCPConn)
}

// However a body is cut into pieces, chunks and reads, it arrives as it was, over TCP (where pieces are joined) and
// otherwise; and no buffer stays.
func TestChunkedBodiesArrive(t *testing.T) {
	a, b := pair(t)
	rapid.Check(t, func(t *rapid.T) {
		pool := &buffers{count: true, poison: true}
		pieces := rapid.SliceOfN(rapid.IntRange(0, 9000), 0, 8).Draw(t, "pieces")
		var want []byte
		var memory bytes.Buffer
		plain := rapid.Bool().Draw(t, "plain")
		w := &writer{dst: &memory, pool: pool}
		if plain {
			w.reset(a, pool)
		}
		for i, size := range pieces {
			piece := bytes.Repeat([]byte{byte('a' + i)}, size)
			want = append(want, piece...)
			if n, err := w.writeChunk(piece); n != size || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, size, err)
			}
			if i%3 == 2 {
				must(w.flush())
			}
		}
		must(w.writeLastChunk(http.Header{"Sum": {"1"}}))
		must(w.flush())
		var in reader
		in.reset(&memory, pool)
		if plain {
			in.reset(b, pool)
		}
		var body bodyReader
		body.reset(&in, lengthChunked, limits{1000, 10})
		got := readIn(t, &body, rapid.IntRange(1, 10000).Draw(t, "read size"))
		if !bytes.Equal(got, want) || body.trailer.Get("Sum") != "1" || !body.ended() {
			t.Fatalf("%d bytes, not %d; trailer %v", len(got), len(want), body.trailer)
		}
		in.rest()
		if out := pool.out.Load(); out != 0 {
			t.Fatalf("%d buffers were not given back", out)
		}
	})
}

// readIn reads to the end, so many bytes at a time; none: by WriteTo.
func readIn(t *rapid.T, from *bodyReader, size int) []byte {
	var got bytes.Buffer
	if size > 9000 {
		if _, err := from.WriteTo(&got); err != nil {
			t.Fatal(err)
		}
		return got.Bytes()
	}
	b := make([]byte, size)
	for {
		n, err := from.Read(b)
		got.Write(b[:n])
		if err == io.EOF {
			return got.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Bodies that are cut short are errors, and stay so.
func TestBodiesCutShort(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		length    int64
		want      error
	}{
		{"fixed", "hell", 5, io.ErrUnexpectedEOF},
		{"fixed, whole", "hello", 5, nil},
		{"until close", "hello", lengthUntilClose, nil},
		{"no chunk", "", lengthChunked, io.ErrUnexpectedEOF},
		{"in a chunk", "5\r\nhell", lengthChunked, io.ErrUnexpectedEOF},
		{"after a chunk", "5\r\nhello\r", lengthChunked, io.ErrUnexpectedEOF},
		{"in the size", "5", lengthChunked, io.ErrUnexpectedEOF},
		{"before the trailer", "5\r\nhello\r\n0\r\n", lengthChunked, io.ErrUnexpectedEOF},
		{"in the trailer", "5\r\nhello\r\n0\r\nA: b", lengthChunked, io.ErrUnexpectedEOF},
		{"whole", "5\r\nhello\r\n0\r\nA: b\r\n\r\n", lengthChunked, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var pool buffers
			var in reader
			in.reset(strings.NewReader(c.raw), &pool)
			var body bodyReader
			body.reset(&in, c.length, limits{100, 10})
			got, err := io.ReadAll(&body)
			if !errors.Is(err, c.want) || c.want == nil && string(got) != "hello" {
				t.Errorf("%q %v", got, err)
			}
			if _, again := body.Read(make([]byte, 1)); c.want != nil && !errors.Is(again, c.want) {
				t.Errorf("then %v", again)
			}
		})
	}
}
