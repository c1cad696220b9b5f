package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

const bufferSize = 4 << 10

// buffers are what readers and writers take their memory from, and give it back to: in three sizes; what is larger is
// made when needed. The zero value is ready.
type buffers struct {
	pools  [3]sync.Pool // of *buffer: 4, 16 and 64 KiB
	poison bool         // overwrite what is given back, so that whoever kept a part of it sees it
	count  bool         // keep out, for tests
	out    atomic.Int64 // taken and not given back
}

type buffer struct{ b []byte }

// take returns a buffer of at least size bytes.
func (p *buffers) take(size int) *buffer {
	if p.count {
		p.out.Add(1)
	}
	class := bufferSize
	for i := range p.pools {
		if size <= class {
			if b, ok := p.pools[i].Get().(*buffer); ok {
				return b
			}
			return &buffer{make([]byte, class)}
		}
		class *= 4
	}
	return &buffer{make([]byte, size)}
}

func (p *buffers) give(b *buffer) {
	if p.count {
		p.out.Add(-1)
	}
	if p.poison {
		for i := range b.b {
			b.b[i] = 0xdb
		}
	}
	class := bufferSize
	for i := range p.pools {
		if len(b.b) == class {
			p.pools[i].Put(b)
			return
		}
		class *= 4
	}
}

// reader reads a connection through a buffer that it has only while there is something in it.
type reader struct {
	src  io.Reader
	pool *buffers
	buf  *buffer // nil: none
	r, w int     // what is buffered: buf.b[r:w]
	err  error   // of src, to be told after what is buffered
}

func (r *reader) reset(src io.Reader, pool *buffers) {
	r.release()
	*r = reader{src: src, pool: pool}
}

// buffered returns what was read and not consumed. It is valid until the next fill or release.
func (r *reader) buffered() []byte {
	if r.buf == nil {
		return nil
	}
	return r.buf.b[r.r:r.w]
}

// discard consumes n bytes of what is buffered.
func (r *reader) discard(n int) { r.r += n }

// release forgets what is buffered and gives the buffer back.
func (r *reader) release() {
	if r.buf != nil {
		r.pool.give(r.buf)
		r.buf, r.r, r.w = nil, 0, 0
	}
}

// rest gives the buffer back if nothing is in it: to be called before waiting.
func (r *reader) rest() {
	if r.r == r.w {
		r.release()
	}
}

// room makes sure that there is space to read into, and returns it.
func (r *reader) room() []byte {
	switch {
	case r.buf == nil:
		r.buf = r.pool.take(bufferSize)
	case r.r == r.w:
		r.r, r.w = 0, 0
	case r.w < len(r.buf.b):
	case r.r > 0:
		r.w = copy(r.buf.b, r.buf.b[r.r:r.w])
		r.r = 0
	default:
		larger := r.pool.take(2 * len(r.buf.b))
		copy(larger.b, r.buf.b)
		r.pool.give(r.buf)
		r.buf = larger
	}
	return r.buf.b[r.w:]
}

// fill reads once. What buffered returned before is not valid any more. Without an error there is more than before.
func (r *reader) fill() error {
	if r.err != nil {
		return r.err
	}
	into := r.room()
	for range 100 {
		n, err := r.src.Read(into)
		r.w += n
		r.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Read takes from the buffer, or reads past it when it is empty.
func (r *reader) Read(p []byte) (int, error) {
	if r.r == r.w {
		if len(p) >= bufferSize && r.err == nil {
			return r.src.Read(p)
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf.b[r.r:r.w])
	r.r += n
	return n, nil
}

// head reads until a whole head is buffered, and returns it with its empty line; it is for the caller to discard it. At
// the end of the connection the error is io.EOF if nothing had come, otherwise io.ErrUnexpectedEOF.
func (r *reader) head(l limits) ([]byte, error) {
	from := 0
	for {
		b := r.buffered()
		end, next, err := endOfHead(b, from)
		if err != nil {
			return nil, err
		}
		from = next
		if end > l.bytes || end == 0 && len(b) >= l.bytes {
			return nil, tooLong(b)
		}
		if end > 0 {
			return b[:end], nil
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && len(b) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// tooLong says which part of a head that is over the limit is to blame.
func tooLong(b []byte) error {
	if bytes.IndexByte(b, '\n') < 0 {
		return &ProtocolError{http.StatusRequestURITooLong, "RFC 9112 §3", "the first line is too long"}
	}
	return &ProtocolError{http.StatusRequestHeaderFieldsTooLarge, "RFC 6585 §5", "the head is too long"}
}

var errLine = errors.New("wire: the line is too long")

// line reads and consumes a line of less than so many bytes, and returns it with its CRLF. It is valid until the next
// fill.
func (r *reader) line(most int) ([]byte, error) {
	for {
		b := r.buffered()
		i := bytes.IndexByte(b, '\n')
		switch {
		case i >= most || i < 0 && len(b) >= most:
			return nil, errLine
		case i == 0 || i > 0 && b[i-1] != '\r':
			return nil, malformed("RFC 9112 §2.2", "a line ends without CR")
		case i > 0:
			r.discard(i + 1)
			return b[:i+1], nil
		}
		if err := r.fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

// unexpected is for an end that comes in the middle of something.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
