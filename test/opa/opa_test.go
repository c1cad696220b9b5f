// Package opa runs an instance whose requests an Open Policy Agent decides about, or bundles that the agent's own tool
// makes and signs. The agent, and the server of the bundles, are stopped and started while the instance serves.
package opa_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/instance"
)

const (
	secret = "the secret of the suite, which is long enough for HS256"
	limit  = 30 * time.Second
)

// agent is the program of the Open Policy Agent.
type agent struct{ program, folder string }

// policy lays the policy, with a level, and returns the folder that it is in.
func (a agent) policy(t *testing.T, level string) string {
	t.Helper()
	folder := filepath.Join(a.folder, level)
	values := map[string]string{"LEVEL": level, "SERVICE": "http://127.0.0.1:1"}
	if err := instance.Lay(folder, "testdata/server", values); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "authz.rego")
}

// start runs it as a server.
func (a agent) start(t *testing.T, address, policy string) (stop func()) {
	t.Helper()
	cmd := exec.Command(a.program, "run", "--server", "--disable-telemetry", "--log-level", "error", "--addr", address,
		policy)
	cmd.Stderr = os.Stderr
	stop = instance.Serve(t, cmd)
	instance.AwaitListener(t, limit, address)
	return stop
}

// build makes a bundle; more are options of the tool.
func (a agent) build(t *testing.T, policy string, more ...string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "bundle.tar.gz")
	args := append([]string{"build", "--bundle", "--output", name}, more...)
	cmd := exec.Command(a.program, append(args, filepath.Dir(policy))...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("opa build: %v\n%s", err, out)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// shelf serves the bundles that lie in a folder, as any web server would.
type shelf struct{ folder, address string }

func (s shelf) put(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := instance.Replace(filepath.Join(s.folder, name), string(data)); err != nil {
		t.Fatal(err)
	}
}

func (s shelf) start(t *testing.T) (stop func()) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(s.folder))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if data, err := os.ReadFile(filepath.Join(s.folder, filepath.Base(r.URL.Path))); err == nil {
			w.Header().Set("Etag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		}
		files.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return func() { _ = server.Close() }
}

// token is one of somebody with a level.
func token(sub string, level int) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	text := part(`{"alg":"HS256","typ":"JWT"}`) + "." +
		part(fmt.Sprintf(`{"sub":%q,"level":%d,"exp":%d}`, sub, level, time.Now().Add(time.Hour).Unix()))
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// world is what the suite has to do with.
type world struct {
	*instance.Instance
	plain string
}

// ask returns the status, and the group that the service sees.
func (w world) ask(t *testing.T, host, path, token string) string {
	t.Helper()
	return instance.NewCustomer(t, w.plain, host+".example").Told(path, func(r *http.Request) {
		r.Header.Set("X-Group", "root")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

// await asks until the answer is so.
func (w world) await(t *testing.T, host, path, token, want string) {
	t.Helper()
	got := ""
	instance.Await(t, limit, host+path+" is "+want, func() bool {
		got = w.ask(t, host, path, token)
		return got == want
	})
}

func TestOPA(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "group "+r.Header.Get("X-Group"))
	}))
	t.Cleanup(service.Close)
	a := agent{instance.Tool(t, "github.com/open-policy-agent/opa"), t.TempDir()}
	three, five := a.policy(t, "3"), a.policy(t, "5")
	address := instance.FreeAddress(t)
	stop := a.start(t, address, three)
	bundles := shelf{t.TempDir(), instance.FreeAddress(t)}
	sign := []string{"--signing-key", secret, "--signing-alg", "HS256"}
	bundles.put(t, "bundle.tar.gz", a.build(t, three))
	bundles.put(t, "signed.tar.gz", a.build(t, three, sign...))
	lay := bundles.start(t)
	i := instance.Start(t, "testdata/instance", map[string]string{
		"OPA": address, "BUNDLES": bundles.address, "SERVICE": service.URL, "SECRET": secret,
	})
	w := world{i, i.Address(t, "plain")}
	const refused, away = "403 refused_by_opa", "503 auth_unreachable"
	check := func(when string, table [][4]string) {
		t.Helper()
		for _, c := range table {
			if got := w.ask(t, c[0], c[1], c[2]); got != c[3] {
				t.Errorf("%s: %s%s: %s, want %s", when, c[0], c[1], got, c[3])
			}
		}
	}
	low, high := token("ann", 3), token("bob", 5)
	check("at first", [][4]string{
		{"asked", "/open", "", "group nobody"},
		{"asked", "/", "", refused},
		{"asked", "/hidden", "", "404 refused_by_opa"},
		{"named", "/", low, "group ann"},
		{"named", "/", token("carl", 2), refused},
		{"bundle", "/", low, "group ann"},
		{"bundle", "/", token("carl", 2), refused},
		{"bundle", "/hidden", token("carl", 2), "404 refused_by_opa"},
		{"signed", "/", low, "group ann"},
		{"file", "/open", "", "group root"}, // it is nobody's field here
		{"file", "/", "", refused},
	})

	// The agent is killed: whoever asks it refuses everybody. It is back with another policy: that decides.
	stop()
	check("the agent was killed", [][4]string{{"named", "/", high, away}, {"bundle", "/", low, "group ann"}})
	a.start(t, address, five)
	w.await(t, "named", "/", high, "group bob")
	check("the agent is back", [][4]string{{"named", "/", low, refused}})

	// Bundles change. One that nobody signed is not taken; the one before decides.
	bundles.put(t, "bundle.tar.gz", a.build(t, five))
	w.await(t, "bundle", "/", low, refused)
	bundles.put(t, "signed.tar.gz", a.build(t, five))
	instance.Await(t, limit, "the log tells of the bundle that is not signed", func() bool {
		return strings.Contains(i.Log(), "cannot get a bundle")
	})
	check("not signed", [][4]string{{"signed", "/", low, "group ann"}})
	bundles.put(t, "signed.tar.gz", a.build(t, five, sign...))
	w.await(t, "signed", "/", low, refused)

	// Their server is stopped: what is known decides. It is back with another bundle.
	lay()
	check("no bundles", [][4]string{{"bundle", "/", high, "group bob"}, {"bundle", "/", low, refused}})
	bundles.put(t, "bundle.tar.gz", a.build(t, three))
	bundles.start(t)
	w.await(t, "bundle", "/", low, "group ann")

	// A policy in a file is read again when it changes.
	if err := instance.Replace(i.File("policy.rego"), "package shop\n\nallow if input.path == \"/\"\n"); err != nil {
		t.Fatal(err)
	}
	w.await(t, "file", "/", "", "group root")
	check("another file", [][4]string{{"file", "/open", "", refused}})
	if log := i.Log(); strings.Contains(log, secret) {
		t.Errorf("the log has the secret in it:\n%s", log)
	}
}
