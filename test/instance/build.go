package instance

import (
	"bytes"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
)

// Program builds fairlead from this tree and returns the path of its binary. flags are those of go build.
func Program(t testing.TB, flags ...string) string {
	t.Helper()
	return build(t, "../..", "./cmd/fairlead", flags...)
}

// Tool builds a command of another project, at the version that go.mod names, and returns the path of its binary.
func Tool(t testing.TB, command string) string {
	t.Helper()
	return build(t, ".", command)
}

// build expects to run in the folder of a suite, as tests do.
func build(t testing.TB, module, command string, flags ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), path.Base(command))
	args := append([]string{"build", "-C", module, "-o", binary}, flags...)
	if out, err := exec.Command("go", append(args, command)...).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", command, err, bytes.TrimSpace(out))
	}
	return binary
}

// Need returns the path of a program that the suite needs. Where it is missing, the suite fails and says how to get it.
func Need(t testing.TB, program, debian string) string {
	t.Helper()
	found, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(missing(program, debian))
	}
	return found
}

func missing(program, debian string) string {
	return fmt.Sprintf("%s is needed and was not found; on Debian: apt-get install %s", program, debian)
}
