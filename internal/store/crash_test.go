package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/store"
)

// crashEnv makes the test binary a writer that never ends by itself; its value is the store's path.
const crashEnv = "FAIRLEAD_TEST_STORE"

// TestKill kills a process in the middle of its writes, again and again: what it acknowledged is there, whole.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	written := map[string]string{}
	for round := range 5 {
		for _, line := range writeAndKill(t, path, 20+30*round) {
			key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			if !ok || !strings.HasSuffix(line, "\n") {
				continue // cut off by the kill: not acknowledged
			}
			written[key] = value
		}
		b := open(t, path)
		for key, value := range written {
			item, err := b.Get(t.Context(), key)
			if err != nil || string(item.Value) != value {
				t.Errorf("round %d: %s = %q, want %q (%v)", round, key, item.Value, value, err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeAndKill starts a writer, kills it after so many acknowledged writes, and returns all that it acknowledged.
func writeAndKill(t *testing.T, path string, after int) []string {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), crashEnv+"="+path)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for reader := bufio.NewReader(output); ; {
		line, err := reader.ReadString('\n')
		lines = append(lines, line)
		if err != nil {
			break
		}
		if len(lines) == after {
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := command.Wait(); err == nil || len(lines) < after {
		t.Fatalf("the writer ended by itself (%v) after %d writes", err, len(lines))
	}
	return lines
}

// writeUntilKilled writes from several goroutines, and prints what was acknowledged. Keys are never written twice, also
// not by a later process on the same store.
func writeUntilKilled(path string) {
	b, err := store.Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var group sync.WaitGroup
	for writer := range 3 {
		group.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d/%d/%d", os.Getpid(), writer, i)
				value := strings.Repeat(key, 1+i%50)
				if _, err := b.Put(context.Background(), key, []byte(value), 0); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Printf("%s=%s\n", key, value)
			}
		})
	}
	group.Wait()
}
