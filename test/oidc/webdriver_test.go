package oidc_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

// browser is Chromium, driven as a person would (https://www.w3.org/TR/webdriver2/).
type browser struct {
	t       *testing.T
	client  *http.Client
	session string // its address
}

// openBrowser starts one, until the test ends.
func openBrowser(t *testing.T, flags ...string) *browser {
	t.Helper()
	driver, chromium := instance.Need(t, "chromedriver", "chromium-driver"), instance.Need(t, "chromium", "chromium")
	address := instance.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	instance.Serve(t, exec.Command(driver, "--port="+port))
	instance.AwaitListener(t, patience, address)
	b := &browser{t: t, client: &http.Client{Timeout: 2 * time.Minute}, session: "http://" + address + "/session"}
	var made struct{ SessionID string }
	b.call(http.MethodPost, "", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"goog:chromeOptions": map[string]any{
			"binary": chromium, "args": append(instance.Chromium(t.TempDir()), flags...),
		},
	}}}, &made)
	b.session += "/" + made.SessionID
	t.Cleanup(func() { b.call(http.MethodDelete, "", nil, nil) })
	return b
}

// call sends a command, and reads what it returns into value.
func (b *browser) call(method, command string, arguments, value any) {
	b.t.Helper()
	var body io.Reader
	if arguments != nil {
		content, err := json.Marshal(arguments)
		if err != nil {
			b.t.Fatal(err)
		}
		body = bytes.NewReader(content)
	}
	r, err := http.NewRequest(method, b.session+command, body)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %s: %s (%v)", command, answer.Status, content, err)
	}
	told := struct{ Value any }{value}
	if err := json.Unmarshal(content, &told); err != nil {
		b.t.Fatalf("%s: %v: %s", command, err, content)
	}
}

func (b *browser) open(address string) {
	b.call(http.MethodPost, "/url", map[string]any{"url": address}, nil)
}
func (b *browser) back()   { b.call(http.MethodPost, "/back", struct{}{}, nil) }
func (b *browser) reload() { b.call(http.MethodPost, "/refresh", struct{}{}, nil) }

func (b *browser) at() (address string) {
	b.call(http.MethodGet, "/url", nil, &address)
	return address
}

// text is what the page shows.
func (b *browser) text() string { return b.run("return document.documentElement.innerText") }

// run has the page run a function's body, and returns what that returns, or what it promises.
func (b *browser) run(script string, arguments ...any) (result string) {
	if arguments == nil {
		arguments = []any{}
	}
	b.call(http.MethodPost, "/execute/sync", map[string]any{"script": script, "args": arguments}, &result)
	return result
}

// element is one of the page's, by its selector.
func (b *browser) element(selector string) string {
	b.t.Helper()
	var found map[string]string
	b.call(http.MethodPost, "/element", map[string]any{"using": "css selector", "value": selector}, &found)
	for _, id := range found {
		return "/element/" + id
	}
	b.t.Fatalf("%s has no %s:\n%s", b.at(), selector, b.text())
	return ""
}

func (b *browser) write(selector, text string) {
	b.t.Helper()
	b.call(http.MethodPost, b.element(selector)+"/value", map[string]any{"text": text}, nil)
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.call(http.MethodPost, b.element(selector)+"/click", struct{}{}, nil)
}

// arrives waits until the browser is where it was led to.
func (b *browser) arrives(prefix string) {
	b.t.Helper()
	instance.Await(b.t, patience, "the browser is at "+prefix, func() bool { return strings.HasPrefix(b.at(), prefix) })
}

// cookie is one as the browser has it.
type cookie struct {
	Name, Value, Path, Domain, SameSite string
	Secure, HTTPOnly                    bool
	Expiry                              int64
}

// cookies are those that the browser sends to where it is.
func (b *browser) cookies() (list []cookie) {
	b.call(http.MethodGet, "/cookie", nil, &list)
	return list
}
