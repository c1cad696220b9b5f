package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fairlead/fairlead/internal/config"
)

// runCommand runs a command line in this process.
func runCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&errs)
	code = run(t.Context(), root, args)
	return code, out.String(), errs.String()
}

// runningInstance starts an instance from the files of an archive (fairlead.yaml and what it names) until the test
// ends, and points the commands at it. It returns the folder.
func runningInstance(t *testing.T, files []txtar.File) string {
	t.Helper()
	dir := unpack(t, files)
	c, err := config.Load(filepath.Join(dir, "fairlead.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	i, err := newInstance(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := i.ensureAdmin(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := i.Run(ctx); err != nil {
			t.Errorf("the instance: %v", err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	<-i.catalog.Ready()
	t.Setenv(envAPI, "http://"+i.services[0].net.Addr().String())
	t.Setenv(envTokenFile, i.adminKeyPath())
	return dir
}

func unpack(t *testing.T, files []txtar.File) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What commands write is in testdata/commands: an archive's first files make an instance, the others are named as a
// command line and hold what it writes. DIR stands for the instance's folder.
func TestCommands(t *testing.T) {
	const file = "testdata/commands.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const setup = 2
	dir := runningInstance(t, archive.Files[:setup])
	settled(t)
	for i := range archive.Files[setup:] {
		f := &archive.Files[setup+i]
		code, stdout, stderr := runCommand(t, fields(strings.ReplaceAll(f.Name, "DIR", dir))...)
		got := strings.ReplaceAll(stdout+stderr, dir, "DIR")
		if code != 0 {
			got += fmt.Sprintf("[exit code %d]\n", code)
		}
		if *update {
			f.Data = []byte(got)
		}
		if diff := cmp.Diff(string(f.Data), got); diff != "" {
			t.Errorf("fairlead %s (-want +got):\n%s", f.Name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// settled waits until the instance serves what its files say.
func settled(t *testing.T) {
	t.Helper()
	client, err := addAPIFlags(newVersion()).client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for change, err := range client.Watch(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if change.Version > 0 {
			return
		}
	}
}

// fields cuts a command line at white space that is not quoted.
func fields(line string) (args []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		args = append(args, strings.Fields(part)...)
	}
	return args
}

// Where and with which key an instance is asked.
func TestConnection(t *testing.T) {
	dir := runningInstance(t, []txtar.File{{Name: "fairlead.yaml", Data: []byte(
		"entryPoints: {web: {address: 127.0.0.1:0}}\nstore: {path: data}\napi: {address: 127.0.0.1:0}\n")}})
	api, key := os.Getenv(envAPI), os.Getenv(envTokenFile)
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.key")
	if err := os.WriteFile(bad, bytes.Replace(good, []byte("flk_"), []byte("flk_a"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open.key")
	if err := os.WriteFile(open, good, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		env  map[string]string
		args []string
		code int
		says string
	}{
		{"flags", nil, []string{"--api", api, "--token-file", key}, 0, ""},
		{"the store", nil, []string{"--api", api, "--store", filepath.Dir(key)}, 0, ""},
		{"environment", map[string]string{envAPI: api, envTokenFile: key}, nil, 0, ""},
		{"a key in the environment", map[string]string{envAPI: api, envToken: string(good)}, nil, 0, ""},
		{"a flag first", map[string]string{envAPI: api, envTokenFile: bad}, []string{"--token-file", key}, 0, ""},
		{"a bad key", nil, []string{"--api", api, "--token-file", bad}, 1, "the API key is refused"},
		{"a key that everybody sees", nil, []string{"--api", api, "--token-file", open}, 1, "read or written by everybody"},
		{"no key", nil, []string{"--api", api}, 1, "no API key: there is no fairlead-data/admin.key"},
		{"nobody there", nil, []string{"--api", "http://127.0.0.1:1", "--token-file", key}, 1, "connection refused"},
		{"in plain text", nil, []string{"--api", "http://192.0.2.1:9080", "--token-file", key}, 2, "use https"},
		{"no URL", nil, []string{"--api", "here"}, 2, "is no URL"},
		{"no CA", nil, []string{"--api", api, "--token-file", key, "--ca", key}, 1, "holds no certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{envAPI, envToken, envTokenFile} {
				t.Setenv(name, test.env[name])
			}
			code, _, stderr := runCommand(t, append([]string{"get", "routes"}, test.args...)...)
			if code != test.code || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			if strings.Contains(stderr, strings.Split(string(good), "_")[2]) {
				t.Errorf("the key is shown: %s", stderr)
			}
		})
	}
}

// A watch writes what is there, and again when a file has changed; it ends with the command.
func TestGetWatch(t *testing.T) {
	routes := func(names ...string) []byte {
		text := "http:\n  routers:\n"
		for _, n := range names {
			text += fmt.Sprintf("    %s: {rule: Host(`%s.example`), service: app}\n", n, n)
		}
		return []byte(text + "  services: {app: {loadBalancer: {servers: [{url: http://10.0.0.1:80}]}}}\n")
	}
	dir := runningInstance(t, []txtar.File{
		{Name: "fairlead.yaml", Data: []byte("entryPoints: {web: {address: 127.0.0.1:0}}\nstore: {path: data}\n" +
			"api: {address: 127.0.0.1:0}\nproviders: {file: {filename: routes.yaml}}\n")},
		{Name: "routes.yaml", Data: routes("one")},
	})
	settled(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	root := newRoot()
	r, w := io.Pipe()
	root.SetOut(w)
	root.SetErr(w)
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, root, []string{"get", "routes", "-w"}); _ = w.Close() }()
	expectLine(t, r, "one")
	if err := os.WriteFile(filepath.Join(dir, "routes.yaml"), routes("one", "two"), 0o600); err != nil {
		t.Fatal(err)
	}
	expectLine(t, r, "two")
	cancel()
	_, _ = io.Copy(io.Discard, r)
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// expectLine reads until a line begins with a word.
func expectLine(t *testing.T, r io.Reader, word string) {
	t.Helper()
	var read []byte
	for one := make([]byte, 1); !bytes.Contains(append([]byte("\n"), read...), []byte("\n"+word+" ")); {
		if _, err := r.Read(one); err != nil {
			t.Fatalf("%v after %s", err, read)
		}
		read = append(read, one...)
	}
}
