package link

import (
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// The window bounds the memory that a watch costs on both sides. It spans a few hundred objects, which is what makes
// one more like them small.
const (
	encodeWindow = 256 << 10
	decodeWindow = 8 << 20 // RFC 8878 §3.1.1.1.2: what every decoder should take
)

// compressor is a stream that can be brought up to date: after Flush the other side can read all that was written.
type compressor interface {
	io.WriteCloser
	Flush() error
}

// plain is no compression.
type plain struct{ io.Writer }

func (plain) Flush() error { return nil }
func (plain) Close() error { return nil }

// compress returns the best coding that accept (an Accept-Encoding field, RFC 9110 §12.5.3) allows, and its name.
func compress(w io.Writer, accept string) (compressor, string) {
	switch {
	case accepts(accept, "zstd"):
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(encodeWindow), zstd.WithLowerEncoderMem(true))
		if err == nil { // the options are constant; an error would be the library's
			return z, "zstd"
		}
	case accepts(accept, "gzip"):
		return gzip.NewWriter(w), "gzip"
	}
	return plain{w}, ""
}

func accepts(field, coding string) bool {
	for part := range strings.SplitSeq(field, ",") {
		name, quality, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q, weighted := strings.CutPrefix(strings.TrimSpace(quality), "q=")
			return !weighted || strings.Trim(q, "0.") != ""
		}
	}
	return false
}

// decompress undoes the coding of an answer. What it returns must be closed; body is closed by the caller.
func decompress(body io.Reader, coding string) (io.ReadCloser, error) {
	switch strings.ToLower(coding) {
	case "":
		return io.NopCloser(body), nil
	case "gzip":
		return gzip.NewReader(body)
	case "zstd":
		// One at a time: the decoder must hand out each batch when it came, and not read ahead.
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(decodeWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("unknown content coding %q", coding)
}
