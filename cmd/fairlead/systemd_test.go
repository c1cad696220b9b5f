package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/config"
)

// The service manager is told when everything is served, and when that is about to end.
func TestServiceManager(t *testing.T) {
	dir, err := os.MkdirTemp("", "fl") // the name of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	file := filepath.Join(dir, "fairlead.yaml")
	text := "entryPoints: {web: {address: '127.0.0.1:0'}}\nstore: {path: data}\n" +
		"providers: {file: {filename: routes.yaml}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "routes.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", socket)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, c, slog.New(slog.DiscardHandler)) }()
	for _, want := range []string{"READY=1", "STOPPING=1"} {
		message := make([]byte, 100)
		if err := manager.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := manager.Read(message)
		if err != nil || string(message[:n]) != want {
			t.Fatalf("told %q, %v, want %s", message[:n], err, want)
		}
		stop()
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
