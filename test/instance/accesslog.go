package instance

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Line is one of the access log, as far as suites look at it.
type Line struct {
	EntryPoint, Method, Path, Proto, Reason string
	Status                                  int
	DurationMs                              float64
}

// AwaitLine waits until the access log has a line that is as wanted: lines are written a moment after the answer.
func (i *Instance) AwaitLine(t testing.TB, what string, wanted func(Line) bool) {
	t.Helper()
	if err := i.await("logging "+what, func() bool { return i.logged(t, wanted) }); err != nil {
		t.Error(err)
	}
}

func (i *Instance) logged(t testing.TB, wanted func(Line) bool) bool {
	file, err := os.Open(i.File("access.log"))
	if err != nil {
		return false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line Line
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("a line of the access log: %v", err)
		}
		if wanted(line) {
			return true
		}
	}
	return false
}

// accessLog returns the last lines of the access log.
func (i *Instance) accessLog() string {
	content, err := os.ReadFile(i.File("access.log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.SplitAfter(string(content), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "")
}
