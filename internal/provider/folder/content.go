package folder

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

const maxSize = 4 << 20

// content is what one file held when it was last read. It is never changed.
type content[T any] struct {
	info fs.FileInfo // of what was read; nil where it could not be read
	read time.Time
	sum  [sha256.Size]byte
	good *T             // the last that could be understood; nil: none ever
	bad  *model.Problem // why that is not what the file holds now; nil: it is
}

// racy is how young a file may be for its time to say nothing: the clocks of file systems tick slowly, and a write in
// the same tick as a read leaves no trace.
const racy = 2 * time.Second

// settled reports whether a file that looks like this surely holds what was read. c may be nil.
func (c *content[T]) settled(now fs.FileInfo) bool {
	return c != nil && c.info != nil && os.SameFile(c.info, now) && c.info.Size() == now.Size() &&
		c.info.ModTime().Equal(now.ModTime()) && c.read.Sub(now.ModTime()) > racy
}

func (c *content[T]) empty() bool { return c.info != nil && c.info.Size() == 0 }

// same reports whether the two are told alike.
func (c *content[T]) same(o *content[T]) bool {
	if c.bad != nil && o.bad != nil {
		return *c.bad == *o.bad && c.good == o.good
	}
	return c.bad == o.bad && c.good == o.good
}

// worse reports whether next may be half of what is being written in the place of c.
func (c *content[T]) worse(next *content[T]) bool {
	return c.bad == nil && (next.bad != nil || next.empty() && !c.empty())
}

// load reads a file, unless it surely holds what it held before. Last is nil where the file is new.
func (r *Reader[T]) load(path string, last *content[T], all bool) *content[T] {
	if info, err := os.Stat(path); err == nil && !all && last.settled(info) {
		return last
	}
	next := &content[T]{read: time.Now()}
	if last != nil {
		next.good = last.good
	}
	data, info, err := readFile(path)
	if err != nil {
		next.bad = r.problem(r.short(path), fmt.Sprintf("the file cannot be read: %v", brief(err)), next.good != nil)
		return next
	}
	next.info, next.sum = info, sha256.Sum256(data)
	if last != nil && last.info != nil && last.sum == next.sum {
		next.bad = last.bad
		return next
	}
	doc, err := r.config.Decode(r.short(path), data)
	if err != nil {
		at, message := place(r.short(path), err)
		next.bad = r.problem(at, message, next.good != nil)
		return next
	}
	next.good = doc
	return next
}

func readFile(path string) ([]byte, fs.FileInfo, error) {
	// A named pipe would block when it is opened.
	if info, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat() // before it is read: a write in between then shows
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	return data, info, err
}

// short returns a file's name as problems tell it: from the folder above the configured path.
func (r *Reader[T]) short(path string) string {
	name, err := filepath.Rel(filepath.Dir(r.root), path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(name)
}

func (r *Reader[T]) problem(at, message string, good bool) *model.Problem {
	effect := "; nothing of it is served yet"
	if good {
		effect = "; its last good content is served"
	}
	return &model.Problem{
		Object: model.Object{Kind: model.KindSource, Ref: model.Ref{Source: r.config.Source}},
		Code:   model.InvalidFile, Message: message + effect, At: at,
	}
}

// place splits what a decoder says of a file, "file:line: message", into the place and the message.
func place(file string, err error) (at, message string) {
	message = err.Error()
	rest, ok := strings.CutPrefix(message, file+":")
	if !ok {
		return file, message
	}
	line, after, ok := strings.Cut(rest, ": ")
	if ok && strings.Trim(line, "0123456789") == "" {
		return file + ":" + line, after
	}
	return file, strings.TrimSpace(rest)
}
