package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairlead/fairlead/internal/access"
	"github.com/fairlead/fairlead/internal/api"
)

// keyLife makes a key, sees it, rotates and revokes it.
func keyLife(t *testing.T, flags ...string) {
	t.Helper()
	key := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := runCommand(t, append(append([]string{"key"}, args...), flags...)...)
		if code != 0 {
			t.Fatalf("key %v: exit code %d: %s", args, code, stderr)
		}
		return stdout
	}
	made := key("create", "--owner", "the edge", "--scope", "link:read,link:traffic", "--expires", "60h")
	made = strings.TrimSpace(made)
	id, ok := access.ID(made)
	if !ok {
		t.Fatalf("made %q", made)
	}
	if list := key("list"); !strings.Contains(list, id) || !strings.Contains(list, "link:read,link:traffic") ||
		!strings.Contains(list, "in 2d") || strings.Contains(list, strings.Split(made, "_")[2]) {
		t.Errorf("the list: %s", list)
	}
	rotated := strings.TrimSpace(key("rotate", id))
	if other, _ := access.ID(rotated); other != id || rotated == made {
		t.Errorf("rotated: %q", rotated)
	}
	key("revoke", id)
	var list []api.Key
	if err := json.Unmarshal([]byte(key("list", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	last := list[len(list)-1]
	if last.ID != id || last.State != "revoked" || last.Owner != "the edge" {
		t.Errorf("the list: %+v", last)
	}
	if code, _, stderr := runCommand(t, append([]string{"key", "rotate", id}, flags...)...); code != exitFailed {
		t.Errorf("rotating a revoked key: exit code %d: %s", code, stderr)
	}
}

func TestKeyCommands(t *testing.T) {
	dir := runningInstance(t, []txtar.File{{Name: "fairlead.yaml", Data: []byte(
		"entryPoints: {web: {address: 127.0.0.1:0}}\nstore: {path: data}\napi: {address: 127.0.0.1:0}\n")}})
	keyLife(t)
	code, _, stderr := runCommand(t, "key", "list", "--offline", "--store", filepath.Join(dir, "data"))
	if code != exitFailed || !strings.Contains(stderr, "another instance uses the store") {
		t.Errorf("offline beside a running instance: exit code %d: %s", code, stderr)
	}
	code, stdout, _ := runCommand(t, "__complete", "key", "revoke", "")
	if code != 0 || !strings.Contains(stdout, "\tadmin") {
		t.Errorf("completion: %s", stdout)
	}
}

func TestKeyCommandsOffline(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	keyLife(t, "--offline", "--store", dir)
	if info, err := os.Stat(filepath.Join(dir, "store.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the store: %v %v", info, err)
	}
}

func TestKeyUsage(t *testing.T) {
	for _, args := range []string{
		"key create", "key create --owner a", "key create --scope admin", "key create --owner a --scope b --expires -1h",
		"key rotate", "key revoke", "key make", "key list x", "key list -o xml",
	} {
		if code, _, stderr := runCommand(t, strings.Fields(args)...); code != exitUsage {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
	}
}
