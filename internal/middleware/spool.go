package middleware

import (
	"bytes"
	"io"
	"os"
)

// spool keeps what is written to it: so much in memory, the rest in a file that has no name.
type spool struct {
	memory int64 // how much is kept in memory, in bytes
	size   int64 // of all
	err    error // of the file; nothing is kept after it

	head bytes.Buffer
	file *os.File // nil: it all fits
}

func (s *spool) Write(p []byte) (int, error) {
	room := max(min(s.memory-int64(s.head.Len()), int64(len(p))), 0)
	if s.file != nil {
		room = 0
	}
	s.head.Write(p[:room])
	s.size += room
	if int(room) == len(p) {
		return len(p), nil
	}
	n, err := s.spill(p[room:])
	return int(room) + n, err
}

func (s *spool) spill(p []byte) (n int, err error) {
	if s.file == nil && s.err == nil {
		if s.file, s.err = os.CreateTemp("", "fairlead-buffer-*"); s.err == nil {
			s.err = os.Remove(s.file.Name()) // it is gone when it is closed, also after a crash
		}
	}
	if s.err != nil {
		return 0, s.err
	}
	n, s.err = s.file.Write(p)
	s.size += int64(n)
	return n, s.err
}

// reader reads all from the start.
func (s *spool) reader() io.Reader {
	memory := bytes.NewReader(s.head.Bytes())
	if s.file == nil {
		return memory
	}
	return io.MultiReader(memory, io.NewSectionReader(s.file, 0, s.size-int64(s.head.Len())))
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // it has been read, or nobody wants it
		s.file = nil
	}
}
