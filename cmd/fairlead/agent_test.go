package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAgentUsage(t *testing.T) {
	for _, args := range [][]string{
		{"agent"}, {"agent", "--cert", "a", "--key", "b"}, {"agent", "x", "--cert", "a", "--key", "b", "--token-file", "c"},
	} {
		root := newRoot()
		root.SetErr(t.Output())
		if code := run(t.Context(), root, args); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d", args, code, exitUsage)
		}
	}
}

// A token that is replaced is used soon; one that others may read, or could guess, is none.
func TestAgentTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		o := agentOptions{tokens: []string{file}}
		tokens := o.tokenReader()
		first, second := strings.Repeat("a", shortestToken), strings.Repeat("b", shortestToken)
		for _, c := range []struct {
			text string
			mode os.FileMode
			want string
		}{
			{first + "\n", 0o600, first}, {second, 0o640, second}, {first, 0o644, ""}, {first[1:], 0o600, ""},
			{first, 0o600, first},
		} {
			write(c.text, c.mode)
			time.Sleep(keyFreshness)
			got, err := tokens()
			if c.want == "" && err == nil || c.want != "" && (err != nil || len(got) != 1 || got[0] != c.want) {
				t.Errorf("%q (%04o): %v, %v", c.text, c.mode, got, err)
			}
		}
	})
}
