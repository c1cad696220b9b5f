// Package slowhttp attacks the program with slowhttptest: hundreds of clients that send or read a little at a time, for
// ever. They must be cut off by the entry point's timeouts, and others must be served meanwhile.
package slowhttp_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

func TestSlowHTTP(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	slowhttptest := instance.Need(t, "slowhttptest", "slowhttptest")
	// More than fits between the service and a client that does not read: socket buffers grow to several MB each.
	large := bytes.Repeat([]byte("a large answer fills what a slow reader has room for\n"), 600_000)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(large)
	}))
	t.Cleanup(func() { service.CloseClientConnections(); service.Close() })
	fairlead := instance.Start(t, "testdata", map[string]string{"SERVICE": service.URL})
	url := "http://" + fairlead.Address(t, "plain") + "/"
	for name, attack := range map[string][]string{
		"slow head":   {"-H", "-i", "1"},
		"slow upload": {"-B", "-i", "1", "-s", "100000"},
		"slow reader": {"-X", "-w", "256", "-y", "512", "-n", "2", "-z", "16", "-k", "3"},
		"ranges":      {"-R", "-a", "10", "-b", "3000"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			// 200 clients, 100 new ones a second, one minute at most, and one that behaves and waits 5 s at most.
			args := slices.Concat(attack, []string{"-c", "200", "-r", "100", "-l", "60", "-p", "5", "-u", url})
			out, err := exec.CommandContext(ctx, slowhttptest, args...).CombinedOutput()
			plain := regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`).ReplaceAllString(string(out), "")
			if err != nil {
				t.Fatalf("slowhttptest: %v\n%s", err, plain)
			}
			if name == "slow reader" { // it still reads, for hours, what the kernel had taken before it was cut off
				fairlead.AwaitLine(t, "a client cut off long before it left", func(line instance.Line) bool {
					return line.Reason == "client_gone" && line.DurationMs < 30_000
				})
			} else if !regexp.MustCompile(`Exit status:\s+No open connections left`).MatchString(plain) {
				t.Errorf("the clients were not cut off:\n%s", plain)
			}
			served := regexp.MustCompile(`service available:\s+YES`).MatchString(plain)
			if !served || regexp.MustCompile(`service available:\s+NO`).MatchString(plain) {
				t.Errorf("others were not served meanwhile:\n%s", plain)
			}
		})
	}
}
