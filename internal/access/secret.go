package access

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/fairlead/fairlead/internal/model"
)

// maxSecretFile is how many bytes a secret's file may have.
const maxSecretFile = 64 << 10

// Resolve reads the secret that a reference in the configuration leads to:
//
//   - "file:/path": the content of a file, without the white space around it. A file that everybody may read is
//     refused.
//   - "env:NAME": the value of an environment variable.
//
// An empty secret is an error. Errors repeat neither the secret nor a reference that is not understood: that might be
// the secret itself, written where the reference should be.
func Resolve(ref string) (model.Secret, error) {
	kind, rest, _ := strings.Cut(ref, ":")
	switch {
	case kind == "file" && rest != "":
		text, err := readSecret(rest)
		if err != nil {
			return model.Secret{}, fmt.Errorf("reading a secret: %w", err)
		}
		return model.NewSecret(text), nil
	case kind == "env" && rest != "":
		text := strings.TrimSpace(os.Getenv(rest))
		if text == "" {
			return model.Secret{}, fmt.Errorf("reading a secret: the environment variable %s is not set or empty", rest)
		}
		return model.NewSecret(text), nil
	}
	return model.Secret{}, errors.New(`a secret is given as "file:/path" or "env:NAME", not as its own text`)
}

// readSecret reads a secret's file.
func readSecret(path string) (text string, err error) {
	info, err := os.Stat(path) // before opening, which would wait for the other end of a named pipe
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("%s may be read or written by everybody (mode %04o): chmod o= %s", path, mode, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return "", err
	}
	if len(content) > maxSecretFile {
		return "", fmt.Errorf("%s has more than %d bytes", path, maxSecretFile)
	}
	text = strings.TrimSpace(string(content))
	if text == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return text, nil
}
