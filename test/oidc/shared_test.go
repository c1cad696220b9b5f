package oidc_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
)

const password = "the-password-of-the-suite"

// store runs Redis on an address until stop is called.
func store(t *testing.T, address string) (stop func()) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	stop = instance.Serve(t, exec.Command(instance.Need(t, "redis-server", "redis-server"), "--bind", host, "--port", port,
		"--save", "", "--appendonly", "no", "--requirepass", password, "--dir", t.TempDir()))
	instance.AwaitListener(t, patience, address)
	return stop
}

// Sessions in Redis are those of two instances, and end on both.
func TestSharedSessions(t *testing.T) {
	if testing.Short() {
		t.Skip("runs other programs")
	}
	address := instance.FreeAddress(t)
	stop := store(t, address)
	w := newWorld(t, fmt.Sprintf("{store: {redis: {endpoints: [%q], password: %s}}}", address, password))

	amy, bob, eve := w.person(), w.person(), w.person()
	for name, p := range map[string]*person{"amy": amy, "bob": bob, "eve": eve} {
		p.signIn(name)
		p.open(w.elsewhere + "/")
		p.sees(name, "/")
		if cookies := p.cookies(); len(cookies) != 1 || len(cookies[0].Value) != 26 {
			t.Errorf("%s has %v", name, cookies)
		}
		p.isOf(name)
	}
	tellsNothing(t, address, amy.cookies()[0].Value)

	amy.open(w.issuer + "/session/end") // the provider tells the first instance
	amy.submit(url.Values{"logout": {"yes"}})
	amy.isOut("the provider has ended the session")
	thief := w.person()
	thief.take(planted(bob.cookies())...)
	bob.open(w.elsewhere + "/logout")
	thief.isOut("a copy of a session that has ended elsewhere")
	eve.isOf("eve")

	stop()
	for what, p := range map[string]*person{"somebody signed in": eve, "a stranger": w.person()} {
		for _, at := range []string{w.secure, w.elsewhere} {
			head := p.open(at + "/")
			if p.status != http.StatusServiceUnavailable || head.Get("Retry-After") == "" {
				t.Errorf("%s, while Redis is away: %d, %v", what, p.status, head)
			}
		}
	}
	if w.fairlead.Read(t)[`fairlead_problems{code="unreachable"}`] == 0 {
		t.Error("that Redis is away is no problem")
	}
	store(t, address) // it has forgotten all of it
	instance.Await(t, patience, "a login is wanted", eve.isStranger)
	eve.submit(url.Values{})
	eve.isOf("eve")
}

// isOf looks at both instances.
func (p *person) isOf(name string) {
	p.t.Helper()
	for _, at := range []string{p.secure, p.elsewhere, p.secure} {
		p.open(at + "/")
		p.sees(name, "/")
	}
}

func (p *person) isOut(what string) {
	p.t.Helper()
	for _, at := range []string{p.secure, p.elsewhere} {
		p.open(at + "/api")
		p.isRefused(what, http.StatusUnauthorized)
	}
}

// tellsNothing looks at all that is in Redis: no token, nobody's name, and nothing that is a cookie.
func tellsNothing(t *testing.T, address, cookie string) {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	ask := func(arguments ...string) string {
		t.Helper()
		client := exec.Command(instance.Need(t, "redis-cli", "redis-tools"), append([]string{"-h", host, "-p", port},
			arguments...)...)
		client.Env = append(client.Environ(), "REDISCLI_AUTH="+password)
		out, err := client.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	sessions := 0
	for key := range strings.Lines(ask("KEYS", "*")) {
		key = strings.TrimSpace(key)
		value := ask("GET", key)
		if strings.Contains(key, ":session:") {
			sessions++
		}
		readable := regexp.MustCompile(`eyJ|amy|bob|eve"|"sub"|` + regexp.QuoteMeta(cookie))
		sealed := regexp.MustCompile(`^([A-Za-z0-9_-]{300,}|1?)$`) // or who renews a session
		if readable.MatchString(key) || !sealed.MatchString(value) {
			t.Errorf("%s is %s", key, value)
		}
		if ask("PTTL", key) == "-1" {
			t.Errorf("%s never ends", key)
		}
	}
	if sessions != 3 {
		t.Errorf("there are %d sessions, want 3", sessions)
	}
}
