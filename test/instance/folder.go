package instance

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed usual
var usual embed.FS

// Lay writes an instance's folder: the usual files, then those of from ("": none), with ${NAME} replaced by values, and
// a certificate for this machine (cert.pem, key.pem).
func Lay(folder, from string, values map[string]string) error {
	files, err := fs.Sub(usual, "usual")
	if err != nil {
		return err
	}
	err = layFiles(folder, files, values)
	if from != "" {
		err = errors.Join(err, layFiles(folder, os.DirFS(from), values))
	}
	return errors.Join(err, layCertificate(folder))
}

// LayOther is Lay without the usual files, for what is no instance; its certificate is for *.shop.example, too.
func LayOther(folder, from string, values map[string]string) error {
	return errors.Join(layFiles(folder, os.DirFS(from), values), layCertificate(folder, "*.shop.example"))
}

func layFiles(folder string, files fs.FS, values map[string]string) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		unknown := ""
		filled := os.Expand(string(content), func(name string) string {
			value, ok := values[name]
			if !ok {
				unknown = name
			}
			return value
		})
		if unknown != "" {
			return fmt.Errorf("%s wants a value for %s", name, unknown)
		}
		return Replace(filepath.Join(folder, filepath.FromSlash(name)), filled)
	})
}

// Replace writes a file in one step, so that who watches it never sees a part of it.
func Replace(name, content string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	whole := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)) // instances leave out what begins with a dot
	if err := os.WriteFile(whole, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(whole, name)
}

// File returns the path of a file in the instance's folder.
func (i *Instance) File(name string) string { return filepath.Join(i.folder, name) }
