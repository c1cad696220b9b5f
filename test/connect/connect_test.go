package connect_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

const module = "connectrpc.com/conformance/cmd/"

func TestConnect(t *testing.T) {
	if testing.Short() {
		t.Skip("runs other programs")
	}
	suite, server := instance.Tool(t, module+"connectconformance"), instance.Tool(t, module+"referenceserver")
	program := instance.Program(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, cases := range map[string]int{"http1": 331, "h2c": 799} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, suite, "--mode", "server", "--conf", "testdata/"+name+".yaml", "--", self)
			cmd.Env = append(os.Environ(), envProgram+"="+program, envServer+"="+server)
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends what it started
			cmd.WaitDelay = 10 * time.Second
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("connectconformance: %v", err)
			}
			if total, passed := score(out); total != cases || passed != cases {
				t.Errorf("%d of %d passed, where %d of %d should:\n%s", passed, total, cases, cases, out)
			}
		})
	}
}

// score reads the last lines of the suite's report.
func score(out []byte) (total, passed int) {
	return number(out, `Total cases: (\d+)`), number(out, `(\d+) passed, 0 failed`)
}

func number(out []byte, pattern string) int {
	found := regexp.MustCompile(pattern).FindSubmatch(out)
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(found[1])) // digits only
	return n
}
