package folder

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// attachment is a file that a document names: users, keys. Unlike a document it does not keep its last good content:
// who removes a list of users means that nobody may come in.
type attachment struct {
	data []byte
	err  error
}

func (a attachment) same(b attachment) bool {
	return bytes.Equal(a.data, b.data) && (a.err == nil) == (b.err == nil)
}

// attach reads the files that the documents name, and adds the folders that have a say in them to those to watch. A
// relative name starts in the configured folder, or in the folder of the configured file.
func (r *Reader[T]) attach(v View[T], found *tree) map[string]attachment {
	if r.config.Names == nil {
		return nil
	}
	base := r.root
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		base = filepath.Dir(base)
	}
	attached := map[string]attachment{}
	for _, c := range v.contents {
		if c.good == nil {
			continue
		}
		for _, name := range r.config.Names(c.good) {
			if _, ok := attached[name]; ok {
				continue
			}
			path := name
			if !filepath.IsAbs(path) {
				path = filepath.Join(base, name)
			}
			data, _, err := readFile(path)
			attached[name] = attachment{data, brief(err)}
			real, folders, err := trail(path)
			found.folders = append(found.folders, folders...)
			if err == nil {
				found.folders = append(found.folders, filepath.Dir(real))
			}
		}
	}
	slices.Sort(found.folders)
	found.folders = slices.Compact(found.folders)
	return attached
}

// brief leaves the path out of an error: whoever reads it is told the short name.
func brief(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
