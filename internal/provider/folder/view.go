package folder

import (
	"fmt"
	"io/fs"
	"maps"

	"github.com/fairlead/fairlead/internal/model"
)

// View is what a path led to at one moment. It is never changed.
type View[T any] struct {
	files    []string // sorted
	contents map[string]*content[T]
	attached map[string]attachment // by the name that documents use
}

// Documents returns the last good content of every file, in the order of their names.
func (v View[T]) Documents() []*T {
	var docs []*T
	for _, path := range v.files {
		if c := v.contents[path]; c.good != nil {
			docs = append(docs, c.good)
		}
	}
	return docs
}

// Problems returns what is wrong with files as a whole.
func (v View[T]) Problems() []model.Problem {
	var problems []model.Problem
	for _, path := range v.files {
		if c := v.contents[path]; c.bad != nil {
			problems = append(problems, *c.bad)
		}
	}
	return problems
}

// Attachment returns a file that a document names, as it was read last.
func (v View[T]) Attachment(name string) ([]byte, error) {
	a, ok := v.attached[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return a.data, a.err
}

func (v View[T]) differs(last View[T]) bool {
	if len(v.files) != len(last.files) || !maps.EqualFunc(v.attached, last.attached, attachment.same) {
		return true
	}
	for path, c := range v.contents {
		if was, ok := last.contents[path]; !ok || !was.same(c) {
			return true
		}
	}
	return false
}
