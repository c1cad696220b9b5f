//go:build linux

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The tests' program is the service, too, as the benchmark's is.
func TestMain(m *testing.M) {
	if os.Getenv(serviceVariable) != "" {
		_ = serve(os.Stdout)
		os.Exit(exitFailed)
	}
	os.Exit(m.Run())
}

// One short round against Fairlead, with the load that needs no other program, and a change under load.
func TestSmoke(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	binary := filepath.Join(dir, "fairlead")
	if _, err := runToEnd(ctx, "go", "build", "-o", binary, "github.com/fairlead/fairlead/cmd/fairlead"); err != nil {
		t.Fatal(err)
	}
	found, _, err := findProxies(ctx, binary, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLab(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	p := plan{rounds: 1, duration: 100 * time.Millisecond, idle: 1000, reloads: 2}
	for _, name := range []string{"handshake", "idle", "reload"} {
		c := allCases()[slices.IndexFunc(allCases(), func(c benchCase) bool { return c.name == name })]
		results, err := l.runCase(ctx, c, found[:1], p, t.Logf)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range results {
			if r.Case != name || r.Proxy != "fairlead" || r.Requests == 0 || r.Failed != 0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}
