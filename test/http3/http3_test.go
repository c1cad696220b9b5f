// Package http3 has ngtcp2's client, which shares no line with the program, ask over HTTP/3.
package http3_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

const size = 3_000_000

// Cases with a translator in between.
const (
	translated = "an address translator"
	forgotten  = "an address translator that forgets"
)

func TestHTTP3(t *testing.T) {
	if testing.Short() {
		t.Skip("runs another program")
	}
	gtlsclient := instance.Need(t, "gtlsclient", "ngtcp2-client")
	content := bytes.Repeat([]byte("what is sent is what is received"), size/32)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			sum := sha256.New()
			_, _ = io.Copy(sum, r.Body)
			_, _ = io.WriteString(w, hex.EncodeToString(sum.Sum(nil)))
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(service.Close)
	fairlead := instance.Start(t, "", map[string]string{"SERVICE": service.URL})
	upload := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(upload, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	port := strconv.Itoa(fairlead.Port(t, "secure"))
	for _, c := range []struct {
		name  string
		flags []string
		paths []string
		want  []byte
	}{
		{"download", nil, []string{"one"}, content},
		{"streams at once", nil, []string{"a", "b", "c", "d", "e", "f", "g", "h"}, content},
		{"upload", []string{"-m", "POST", "-d", upload}, []string{"sum"}, []byte(hex.EncodeToString(sum[:]))},
		{"packets are lost", []string{"--rx-loss", "0.02", "--tx-loss", "0.02"}, []string{"lossy"}, content},
		{"small windows", []string{"--max-data", "64K", "--max-stream-data-bidi-local", "32K", "--max-window", "64K",
			"--max-stream-window", "32K"}, []string{"narrow"}, content},
		{"a new key", []string{"--key-update", "1ms"}, []string{"key"}, content},
		{"a new address", []string{"--change-local-addr", "1ms"}, []string{"moved"}, content},
		{translated, nil, []string{"nat"}, content},
		{forgotten, []string{"-m", "POST", "-d", upload}, []string{"nat-sum"}, []byte(hex.EncodeToString(sum[:]))},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			folder := t.TempDir()
			args := append([]string{"-q", "--exit-on-all-streams-close", "--download", folder}, c.flags...)
			to := port
			if c.name == translated || c.name == forgotten {
				to = translator(t, port, c.name == forgotten)
			}
			args = append(args, "127.0.0.1", to)
			for _, path := range c.paths {
				args = append(args, fmt.Sprintf("https://localhost:%s/%s", to, path))
			}
			if out, err := exec.CommandContext(ctx, gtlsclient, args...).CombinedOutput(); err != nil {
				t.Fatalf("gtlsclient: %v\n%s", err, out)
			}
			for _, path := range c.paths {
				got, err := os.ReadFile(filepath.Join(folder, path))
				if err != nil || !bytes.Equal(got, c.want) {
					t.Errorf("%s: %d bytes, not the %d that were sent: %v", path, len(got), len(c.want), err)
				}
				fairlead.AwaitLine(t, path, func(line instance.Line) bool {
					return strings.HasPrefix(line.Proto, "HTTP/3") && line.Path == "/"+path && line.Status == http.StatusOK
				})
			}
		})
	}
}
