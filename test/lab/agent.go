package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// agent is a server that is one program with an API over HTTP, whose files outlive it.
type agent struct {
	t       testing.TB
	folder  string
	address string // of its API
	header  string // that a token is in
	token   string // of who may do anything; "": everybody may
	args    []string
	stop    func()
}

// Address is that of the agent's API, host:port.
func (a *agent) Address() string { return a.address }

// run starts the program, whose log is kept.
func (a *agent) run() {
	a.t.Helper()
	log, err := os.OpenFile(filepath.Join(a.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(a.args[0], a.args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	a.stop = instance.Serve(a.t, cmd)
}

// tellLog tells the end of the log of a test that failed.
func (a *agent) tellLog() {
	if a.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(a.folder, "log"))
		a.t.Logf("the log of %s ends:\n%s", filepath.Base(a.args[0]), log[max(0, len(log)-3000):])
	}
}

// Kill ends the agent as a crash does.
func (a *agent) Kill() { a.stop() }

// Try asks the API, as who may do anything.
func (a *agent) Try(method, path, body string) (string, error) {
	r, err := http.NewRequest(method, "http://"+a.address+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if a.token != "" {
		r.Header.Set(a.header, a.token)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, bytes.TrimSpace(text))
	}
	return string(text), errors.Join(err, answer.Body.Close())
}

// Do is Try for what must succeed.
func (a *agent) Do(method, path, body string) string {
	a.t.Helper()
	text, err := a.Try(method, path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}
