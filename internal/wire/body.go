package wire

import (
	"io"
	"net/http"
)

const (
	maxChunkLine = 256      // a chunk's size and its extensions
	maxChunkFat  = 16 << 10 // how much more than its data a chunked body may weigh, in a row
)

// bodyState is where in a body we are.
type bodyState uint8

const (
	bodyFixed      bodyState = iota // left bytes follow
	bodyUntilClose                  // everything follows
	bodyChunkLine                   // a chunk's size follows
	bodyChunkData                   // left bytes of a chunk follow
	bodyChunkEnd                    // the CRLF after a chunk's data follows
	bodyTrailer                     // trailer fields, if any, and an empty line follow
	bodyEnded
)

// bodyReader reads the body of a message, as long as the head said it is. It is an io.Reader and an io.WriterTo; next
// and consume are for those who want no copy.
type bodyReader struct {
	in     *reader
	state  bodyState
	left   int64
	fat    int64 // what chunk lines weighed beyond what small chunks may
	limits limits
	err    error

	// trailer has the fields that came after the last chunk. Nil: none, or not yet.
	trailer http.Header
}

// reset prepares for the next body, of that length (lengthChunked and lengthUntilClose included). l bounds the trailer.
func (b *bodyReader) reset(in *reader, length int64, l limits) {
	*b = bodyReader{in: in, limits: l}
	switch length {
	case lengthChunked:
		b.state = bodyChunkLine
	case lengthUntilClose:
		b.state = bodyUntilClose
	case 0:
		b.state = bodyEnded
	default:
		b.left = length
	}
}

// ended reports that the body was read to its end, and what follows on the connection is another message.
func (b *bodyReader) ended() bool { return b.state == bodyEnded }

// Read reads the body. After the last byte it returns io.EOF, and the trailer is there.
func (b *bodyReader) Read(p []byte) (int, error) {
	if err := b.data(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.state != bodyUntilClose && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.in.Read(p)
	b.consumed(n)
	if err != nil {
		return n, b.fail(err)
	}
	return n, nil
}

// next returns the next piece of the body without consuming it, at least a byte, or io.EOF at the end. The piece is
// valid until anything else is called.
func (b *bodyReader) next() ([]byte, error) {
	if err := b.data(); err != nil {
		return nil, err
	}
	if len(b.in.buffered()) == 0 {
		if err := b.in.fill(); err != nil {
			return nil, b.fail(err)
		}
	}
	piece := b.in.buffered()
	if b.state != bodyUntilClose && int64(len(piece)) > b.left {
		piece = piece[:b.left]
	}
	return piece, nil
}

// consume drops n bytes of what next returned.
func (b *bodyReader) consume(n int) {
	b.in.discard(n)
	b.consumed(n)
}

// WriteTo writes what is left of the body to w, piece by piece as it comes.
func (b *bodyReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		piece, err := b.next()
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(piece)
		b.consume(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

func (b *bodyReader) consumed(n int) {
	if b.state == bodyUntilClose {
		return
	}
	b.left -= int64(n)
	switch {
	case b.left > 0:
	case b.state == bodyFixed:
		b.state = bodyEnded
	case b.state == bodyChunkData:
		b.state = bodyChunkEnd
	}
}

// fail remembers the error that reading ended with.
func (b *bodyReader) fail(err error) error {
	if b.state == bodyUntilClose && err == io.EOF {
		b.state = bodyEnded
		return io.EOF
	}
	b.err = unexpected(err)
	return b.err
}

// data goes on until data follows, past the framing of chunks. At the end it returns io.EOF.
func (b *bodyReader) data() error {
	for b.err == nil {
		var err error
		switch b.state {
		case bodyFixed, bodyUntilClose, bodyChunkData:
			return nil
		case bodyEnded:
			return io.EOF
		case bodyChunkEnd:
			if err = b.chunkEnd(); err == nil {
				b.state = bodyChunkLine
			}
		case bodyChunkLine:
			err = b.chunkLine()
		case bodyTrailer:
			if err = b.readTrailer(); err == nil {
				b.state = bodyEnded
			}
		}
		b.err = err
	}
	return b.err
}

func (b *bodyReader) chunkEnd() error {
	for len(b.in.buffered()) < 2 {
		if err := b.in.fill(); err != nil {
			return unexpected(err)
		}
	}
	if end := b.in.buffered(); end[0] != '\r' || end[1] != '\n' {
		return malformed("RFC 9112 §7.1", "a chunk is not as long as it says")
	}
	b.in.discard(2)
	return nil
}

// chunkLine reads chunk-size [ chunk-ext ] CRLF. Extensions mean nothing to us, and are dropped (RFC 9112 §7.1.1).
func (b *bodyReader) chunkLine() error {
	line, err := b.in.line(maxChunkLine)
	if err == errLine {
		return malformed("RFC 9112 §7.1", "the line of a chunk's size is too long")
	}
	if err != nil {
		return err
	}
	size, ok := parseChunkLine(line)
	if !ok {
		return malformed("RFC 9112 §7.1", "a chunk size that is none")
	}
	if b.fat = max(0, b.fat+int64(len(line))-16-min(2*size, maxChunkFat)); b.fat > maxChunkFat {
		return malformed("RFC 9112 §7.1.1", "more framing than data")
	}
	b.left, b.state = size, bodyChunkData
	if size == 0 {
		b.state = bodyTrailer
	}
	return nil
}

// parseChunkLine accepts 1*16 hexadecimal digits, and after a semicolon anything but control characters.
func parseChunkLine(line []byte) (int64, bool) {
	var size uint64
	i := 0
	for ; i < 16; i++ {
		digit, ok := hexDigit(line[i]) // the line ends with CRLF
		if !ok {
			break
		}
		size = size<<4 | digit
	}
	switch {
	case i == 0, size >= 1<<63:
		return 0, false
	case line[i] == '\r' && len(line) == i+2:
		return int64(size), true
	}
	return int64(size), line[i] == ';' && isText(line[i:])
}

func hexDigit(c byte) (uint64, bool) {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0'), true
	case 'a' <= c && c <= 'f':
		return uint64(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return uint64(c-'A') + 10, true
	}
	return 0, false
}

// readTrailer reads the trailer section.
func (b *bodyReader) readTrailer() error {
	size := 0
	for fields := 0; ; fields++ {
		line, err := b.in.line(max(2, b.limits.bytes-size) + 1)
		if err != nil && err != errLine {
			return err
		}
		if len(line) == 2 {
			return nil
		}
		if size += len(line); err != nil || fields == b.limits.fields {
			return &ProtocolError{http.StatusRequestHeaderFieldsTooLarge, "RFC 6585 §5", "too much of a trailer"}
		}
		if !isText(line) {
			return malformed("RFC 9110 §5.5", "a control character in a trailer field")
		}
		f, err := parseField(string(line[:len(line)-2]))
		if err != nil {
			return err
		}
		if !MayTrail(f.Key) {
			return malformed("RFC 9110 §6.5.1", "a trailer field that belongs into the head")
		}
		if b.trailer == nil {
			b.trailer = make(http.Header)
		}
		b.trailer[f.Key] = append(b.trailer[f.Key], f.Value)
	}
}
