// Package h2spec runs h2spec, which tries a server against RFC 9113 and RFC 7541, case by case.
package h2spec_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/test/instance"
)

// cases is how many h2spec v2.2.1 has with --strict. Fewer would mean that it gave up.
const cases = 146

func TestH2spec(t *testing.T) {
	if testing.Short() {
		t.Skip("runs another program")
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(strings.Repeat("an answer that fills a window", 10)))
	}))
	t.Cleanup(service.Close)
	fairlead := instance.Start(t, "", map[string]string{"SERVICE": service.URL})
	h2spec := instance.Tool(t, "github.com/summerwind/h2spec/cmd/h2spec")
	for name, flags := range map[string][]string{"plain": nil, "secure": {"--tls", "--insecure"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time it waits
			report := filepath.Join(t.TempDir(), "report.xml")
			args := append([]string{"--strict", "--junit-report", report, "--timeout", "2",
				"--port", strconv.Itoa(fairlead.Port(t, name))}, flags...)
			out, err := exec.Command(h2spec, args...).CombinedOutput()
			if err != nil && !errors.As(err, new(*exec.ExitError)) { // an exit code says that cases failed
				t.Fatal(err)
			}
			failed, ran := read(t, report)
			if ran != cases {
				t.Errorf("%d cases were run, not %d:\n%s", ran, cases, out)
			}
			compare(t, failed, "testdata/"+name+".txt")
			t.Logf("%d of %d", ran-len(failed), ran)
		})
	}
}

// read returns the cases that failed, and how many there were.
func read(t *testing.T, report string) (failed []string, ran int) {
	content, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Suites []struct {
			Cases []struct {
				Section string    `xml:"package,attr"`
				What    string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(content, &suites); err != nil {
		t.Fatal(err)
	}
	for _, suite := range suites.Suites {
		for _, c := range suite.Cases {
			ran++
			if c.Failure != nil || c.Error != nil || c.Skipped != nil {
				failed = append(failed, fmt.Sprintf("%s: %s", c.Section, c.What))
			}
		}
	}
	slices.Sort(failed)
	return failed, ran
}

// compare holds what failed against a list (none: nothing may fail), which must be exactly right: a case that is mended
// leaves it.
func compare(t *testing.T, failed []string, list string) {
	content, err := os.ReadFile(list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var known []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			known = append(known, line)
		}
	}
	slices.Sort(known)
	if !slices.Equal(known, failed) {
		t.Errorf("what fails is not what %s has (-want +got):\n%s", list, cmp.Diff(known, failed))
	}
}
