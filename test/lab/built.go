package lab

import (
	"os"
	"path/filepath"
	"testing"
)

// Built returns the path of a server that Debian does not have: .ci/run builds it from the Go modules that NAME.mod
// lists.
func Built(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../.lab/bin/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is needed and was not found; build it, once, with: .ci/run servers", name)
	}
	return path
}
