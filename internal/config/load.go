package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/document"
	"github.com/fairlead/fairlead/internal/model"
)

// Errors are the mistakes of a file, in the order of their lines.
type Errors []document.Mistake

// Error returns one line for each mistake: "file:line: field: message".
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, mistake := range e {
		lines[i] = mistake.Error()
	}
	return strings.Join(lines, "\n")
}

// Load reads the instance's file; the extension of its name says whether it is YAML, TOML or JSON. The error is Errors
// when the file could be read but is mistaken.
func Load(file string) (*Config, error) {
	data, err := read(file)
	if err != nil {
		return nil, fmt.Errorf("reading the instance file: %w", err)
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("finding the instance file: %w", err)
	}
	return parse(file, folder, data)
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, document.MaxSize+1)) // one more than is parsed, so that too much is told
}

// parse reads a file's content. Relative paths in it are relative to folder.
func parse(file, folder string, data []byte) (*Config, error) {
	root, err := document.Parse(file, data)
	if err != nil {
		if syntax, ok := errors.AsType[*document.SyntaxError](err); ok {
			return nil, Errors{{At: syntax.At, Message: syntax.Message}}
		}
		return nil, Errors{{At: document.Position{File: file}, Message: err.Error()}}
	}
	l := &loader{root: root, folder: folder}
	c := l.config()
	if len(l.mistakes) > 0 {
		slices.SortStableFunc(l.mistakes, func(a, b document.Mistake) int {
			return cmp.Or(cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column))
		})
		return nil, l.mistakes
	}
	for _, p := range l.problems {
		p.Object.Name.Name = c.Cluster
		c.Problems = append(c.Problems, p)
	}
	slices.SortFunc(c.Problems, model.Problem.Compare)
	return c, nil
}
