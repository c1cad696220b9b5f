package h2

import "time"

const (
	smallRead = 1 << 10
	chunkSize = 16 << 10
)

// chunk is a piece of memory for what comes: frames, bodies.
type chunk struct {
	b    [chunkSize]byte
	r, w int // of a body: what is in it, b[r:w]
}

func (s *Server) takeChunk() *chunk {
	if k, ok := s.chunks.Get().(*chunk); ok {
		return k
	}
	return new(chunk)
}

func (s *Server) giveChunk(k *chunk) {
	if s.Poison {
		for i := range k.b {
			k.b[i] = 0xdb
		}
	}
	k.r, k.w = 0, 0
	s.chunks.Put(k)
}

// reader reads a connection. It waits with its own small buffer, where what a client usually sends at once has room;
// when that was full, there may be more, and it takes a chunk.
type reader struct {
	conn    *conn
	small   [smallRead]byte
	chunk   *chunk
	r, w    int
	full    bool // the last reading filled the buffer
	frame   int  // bytes of the frame that is being read
	data    bool // that frame is DATA: its stream's deadline is enough
	lingers bool
}

func (r *reader) memory() []byte {
	if r.chunk != nil {
		return r.chunk.b[:]
	}
	return r.small[:]
}

func (r *reader) empty() bool      { return r.r == r.w }
func (r *reader) buffered() []byte { return r.memory()[r.r:r.w] }
func (r *reader) discard(n int)    { r.r += n }

func (r *reader) frameBegins() {
	r.frame, r.data = 0, false
	if !r.conn.block.open && r.conn.deadlines.partial.Load() != 0 {
		r.conn.deadlines.partial.Store(0)
	}
}

func (r *reader) release() {
	if r.chunk != nil {
		r.conn.server.giveChunk(r.chunk)
		r.chunk = nil
	}
	r.r, r.w = 0, 0
}

// fill reads once. It is called when the buffer is empty.
func (r *reader) fill() error {
	if r.full && r.chunk == nil {
		r.chunk = r.conn.server.takeChunk()
	} else if !r.full {
		r.release()
	}
	if (r.frame > 0 && !r.data || r.conn.block.open) && !r.lingers {
		r.conn.waits()
	}
	b := r.memory()
	n, err := r.conn.net.Read(b)
	r.r, r.w, r.full = 0, n, n == len(b)
	if n > 0 {
		return nil
	}
	return err
}

func (r *reader) Read(p []byte) (int, error) {
	if r.empty() {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buffered())
	r.discard(n)
	r.frame += n
	return n, nil
}

// waits is told when the client has to send the rest of a frame, or of a block of fields.
func (c *conn) waits() {
	if c.deadlines.partial.Load() != 0 || c.server.headerTimeout() == 0 {
		return
	}
	by := time.Now().Add(c.server.headerTimeout())
	c.deadlines.partial.Store(by.UnixNano())
	c.mu.Lock()
	c.deadlines.due(by)
	c.mu.Unlock()
}
