package instance

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
)

// Node is one of Node's programs that runs beside the program, until the test ends.
type Node struct {
	In  io.Writer
	Out *bufio.Reader
}

// NeedNode returns where node is, and fails if it or a library of the test's folder is missing.
func NeedNode(t testing.TB, library string) string {
	t.Helper()
	node := Need(t, "node", "nodejs")
	if _, err := os.Stat("node_modules/" + library); err != nil {
		t.Fatalf("%s is needed; in this folder: npm ci", library)
	}
	return node
}

// StartNode starts a script of the test's folder.
func StartNode(t testing.TB, node, script string) Node {
	t.Helper()
	cmd := exec.Command(node, script)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return Node{in, bufio.NewReader(out)}
}
