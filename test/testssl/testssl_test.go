// Package testssl has testssl.sh look for what is wrong with the program's TLS, as it is when nobody configures it. The
// certificate is not looked at: it is the suite's own.
package testssl_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

func TestTLS(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	testssl := instance.Need(t, "testssl", "testssl.sh")
	service := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(service.Close)
	fairlead := instance.Start(t, "", map[string]string{"SERVICE": service.URL})
	strong, weak := strconv.Itoa(fairlead.Port(t, "secure")), startWeak(t)
	for name, scan := range map[string]struct {
		port   string
		checks []string
		wanted map[string]string // the beginning of what is found
		bad    []string          // identifiers of what is LOW or worse
	}{
		"versions and ciphers": {
			port: strong, checks: []string{"--protocols", "--fs", "--sweet32", "--rc4"},
			wanted: map[string]string{
				"SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered",
				"TLS1_2": "offered", "TLS1_3": "offered with final", "ALPN_HTTP2": "h2", "PFS": "offered",
				"SWEET32": "not vulnerable", "RC4": "not vulnerable",
			},
		},
		"attacks": {
			port: strong,
			checks: []string{
				"--heartbleed", "--ccs-injection", "--ticketbleed", "--robot", "--renegotiation", "--crime", "--tls-fallback",
			},
			wanted: map[string]string{
				"heartbleed": "not vulnerable", "CCS": "not vulnerable", "ticketbleed": "not vulnerable",
				"ROBOT": "not vulnerable", "secure_renego": "supported", "secure_client_renego": "not vulnerable",
				"CRIME_TLS": "not vulnerable", "fallback_SCSV": "no protocol below TLS 1.2 offered",
			},
		},
		"attacks on what is old": {
			port:   strong,
			checks: []string{"--breach", "--poodle", "--freak", "--logjam", "--drown", "--beast", "--lucky13"},
			wanted: map[string]string{
				"BREACH": "not vulnerable", "POODLE_SSL": "not vulnerable", "FREAK": "not vulnerable", "DROWN": "not vulnerable",
				"LOGJAM": "not vulnerable", "BEAST": "not vulnerable", "LUCKY13": "not vulnerable",
			},
		},
		"a weak server": { // the suite can fail
			port: weak, checks: []string{"--protocols", "--rc4"},
			wanted: map[string]string{"TLS1": "offered", "TLS1_3": "not offered", "RC4": "VULNERABLE"},
			bad:    []string{"RC4", "TLS1", "TLS1_1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings := look(t, testssl, scan.port, scan.checks)
			for id, wanted := range scan.wanted {
				if !strings.HasPrefix(findings[id].Finding, wanted) {
					t.Errorf("%s: %q, not %q", id, findings[id].Finding, wanted)
				}
			}
			for id, f := range findings {
				if f.bad() != slices.Contains(scan.bad, id) {
					t.Errorf("%s: %s: %s", f.Severity, id, f.Finding)
				}
			}
		})
	}
}

// startWeak starts a server that offers what nobody should, and returns its port.
func startWeak(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return address.Port()
}

// finding is an entry of testssl.sh's report.
type finding struct {
	ID, Severity, Finding string
}

func (f finding) bad() bool {
	return slices.Contains([]string{"LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL"}, f.Severity)
}

// look runs checks of testssl.sh against a port of this machine, and returns what it found by identifier. It asks
// neither the DNS nor any other machine.
func look(t *testing.T, testssl, port string, checks []string) map[string]finding {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	args := slices.Concat(checks, []string{
		"--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--jsonfile", report,
		"https://localhost:" + port + "/",
	})
	cmd := exec.CommandContext(ctx, testssl, args...)
	cmd.WaitDelay = time.Second // the programs that it started hold its output
	out, runErr := cmd.CombinedOutput()
	content, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("testssl.sh: %v, %v\n%s", runErr, err, out)
	}
	var entries []finding
	if err := json.Unmarshal(content, &entries); err != nil {
		t.Fatalf("testssl.sh: %v, %v\n%s", runErr, err, out)
	}
	findings := make(map[string]finding)
	for _, f := range entries {
		if !findings[f.ID].bad() { // an identifier may come again
			findings[f.ID] = f
		}
	}
	if f := findings["scanTime"]; f.Severity != "INFO" { // its exit code counts findings
		t.Errorf("testssl.sh did not end well: %v, %s\n%s", runErr, f.Finding, out)
	}
	return findings
}
