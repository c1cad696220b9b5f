// Package browser has Chromium visit a page through the program, over each version of HTTP: downloads, uploads, many
// requests at once, server-sent events that must arrive one by one, and a WebSocket.
package browser_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/test/instance"
)

func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a browser")
	}
	chromium := instance.Need(t, "chromium", "chromium")
	sum := sha256.Sum256(content())
	for _, c := range []struct {
		protocol   string // as the browser calls it
		entryPoint string
		flags      []string
		socket     string // what its WebSocket came over: HTTP/3 has none in browsers
	}{
		{"http/1.1", "plain", nil, "HTTP/1.1"},
		{"h2", "secure", []string{"--disable-quic"}, "HTTP/2.0"},
		{"h3", "secure", nil, "HTTP/1.1"},
	} {
		t.Run(c.protocol, func(t *testing.T) {
			service, url := serve(t)
			fairlead := instance.Start(t, "", map[string]string{"SERVICE": url})
			origin := fmt.Sprintf("localhost:%d", fairlead.Port(t, c.entryPoint))
			flags := slices.Concat(c.flags, []string{"--ignore-certificate-errors-spki-list=" + fairlead.KeyHash(t)})
			scheme := "http"
			if c.entryPoint == "secure" {
				scheme = "https"
			}
			if c.protocol == "h3" {
				flags = append(flags, "--origin-to-force-quic-on="+origin)
			}
			want := report{
				Protocol: c.protocol, Downloaded: len(content()), Uploaded: hex.EncodeToString(sum[:]), Many: 50,
				Events: "event 1 event 2 event 3",
				Socket: "fairlead.test|permessage-deflate|grüße|1048576 of 7||4002|bye",
			}
			if diff := cmp.Diff(want, visit(t, chromium, scheme+"://"+origin+"/", flags, service.reports)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			fairlead.AwaitLine(t, "the WebSocket over "+c.socket, func(line instance.Line) bool {
				return line.EntryPoint == c.entryPoint && line.Path == "/socket" && line.Proto == c.socket
			})
		})
	}
}

// visit opens a page and returns what it tells. The browser asks nobody else.
func visit(t *testing.T, chromium, url string, flags []string, reports <-chan report) report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // patience; it takes seconds
	cmd := exec.CommandContext(ctx, chromium, slices.Concat(instance.Chromium(t.TempDir()), flags, []string{url})...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, 10*time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cancel(); <-ended })
	select {
	case told := <-reports:
		return told
	case err := <-ended:
		ended <- nil
		t.Fatalf("the page told nothing, and the browser ended: %v\n%s", err, out.Bytes())
	}
	return report{}
}
