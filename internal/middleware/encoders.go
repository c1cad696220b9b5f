package middleware

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoder is what the three encodings have in common.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// encoders lends encoders, which are large, to the answers that need one.
type encoders struct{ gzip, brotli, zstd sync.Pool }

// The levels are those at which an encoding costs about what gzip's default costs.
const brotliLevel = 4

// A client must be able to decode zstd in 8 MB (RFC 9659 §3); most answers are far smaller.
const zstdWindow = 1 << 20

func newEncoders() *encoders {
	e := &encoders{}
	e.gzip.New = func() any { return gzip.NewWriter(nil) }
	e.brotli.New = func() any { return brotli.NewWriterLevel(nil, brotliLevel) }
	e.zstd.New = func() any {
		z, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow)) // options are valid
		return z
	}
	return e
}

func (e *encoders) pool(encoding string) *sync.Pool {
	switch encoding {
	case "br":
		return &e.brotli
	case "zstd":
		return &e.zstd
	}
	return &e.gzip
}

func (e *encoders) lend(encoding string, w io.Writer) encoder {
	enc := e.pool(encoding).Get().(encoder)
	enc.Reset(w)
	return enc
}

func (e *encoders) giveBack(encoding string, enc encoder) {
	enc.Reset(nil)
	e.pool(encoding).Put(enc)
}
