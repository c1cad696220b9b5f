package traefik_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/test/instance"
	"github.com/fairlead/fairlead/test/lab"
)

// guarded makes the place for a Traefik whose API wants a password.
func guarded(t *testing.T) *lab.Traefik {
	t.Helper()
	return newTraefik(t, "testdata/guarded", newService(t), "web", "websecure", "inside")
}

// open makes the place for one whose API is open to all.
func open(t *testing.T, s *service) *lab.Traefik {
	t.Helper()
	return newTraefik(t, "testdata/open", s, "web", "websecure")
}

func newTraefik(t *testing.T, files string, s *service, entryPoints ...string) *lab.Traefik {
	t.Helper()
	return lab.NewTraefik(t, files, map[string]string{"SERVICE": s.URL}, entryPoints...)
}

// asker is the address that clients have.
const asker = "127.0.0.9"

// service is what is behind a Traefik: it answers with what it was asked for. Who asks must have come along.
type service struct {
	*httptest.Server
	asked atomic.Int64 // how often
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		by := strings.Join(r.Header["X-Forwarded-For"], "+")
		if by != asker && by != asker+", 127.0.0.1" || r.Header.Get("X-Real-Ip") != asker {
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprintf(w, "asked by %s, %s", by, r.Header["X-Real-Ip"])
			return
		}
		fmt.Fprintf(w, "%s %s %s", r.Host, r.URL.Path, r.Header.Get("X-Forwarded-Proto"))
	}))
	t.Cleanup(s.Close)
	return s
}

// client asks at one address, or two: in plain text, and over TLS.
type client struct {
	t               *testing.T
	address, secure string
}

// send sends a request from the asker's address, over a new connection.
func (c client) send(r *http.Request) *http.Response {
	c.t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(asker)}, Timeout: patience}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			to := c.address
			if r.URL.Scheme == "https" {
				to = c.secure
			}
			return dialer.DialContext(ctx, network, to)
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the certificate has other names
		DisableKeepAlives: true,
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := (&http.Client{Transport: transport, Timeout: patience, CheckRedirect: stay}).Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer
}

// ask returns what one GET is answered with: the status, with the reason or place, where it is not 200.
func (c client) ask(scheme, host, path string) string {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodGet, scheme+"://"+host+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	answer := c.send(r)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	switch answer.StatusCode {
	case http.StatusOK:
		return string(body)
	case http.StatusTeapot:
		return string(body)
	}
	return strings.TrimSpace(fmt.Sprint(answer.StatusCode, " ", answer.Header.Get("Fairlead-Reason"),
		answer.Header.Get("Location")))
}

// says waits until a GET is answered so.
func (c client) says(scheme, host, path, want string) {
	c.t.Helper()
	got := ""
	defer func() {
		if got != want {
			c.t.Logf("%s://%s%s is answered with %q", scheme, host, path, got)
		}
	}()
	instance.Await(c.t, patience, fmt.Sprintf("%s://%s%s is answered with %q", scheme, host, path, want), func() bool {
		got = c.ask(scheme, host, path)
		return got == want
	})
}

// edge is an instance that follows a Traefik.
type edge struct {
	client
	*instance.Instance
	program string
}

// startEdge runs an edge before a Traefik, with other values for its files than the usual.
func startEdge(t *testing.T, program string, p *lab.Traefik, other map[string]string) *edge {
	t.Helper()
	values := map[string]string{
		"API": p.Address(), "WEB": p.EntryPoint("web"), "WEBSECURE": p.EntryPoint("websecure"), "CA": p.File("cert.pem"),
		"HOSTS": `shop.example, "*.shop.example"`,
	}
	maps.Copy(values, other)
	return startFrom(t, program, "testdata/edge", values)
}

// startFrom runs an edge with files of its own.
func startFrom(t *testing.T, program, files string, values map[string]string) *edge {
	t.Helper()
	folder := t.TempDir()
	values["SERVICE"] = "" // which the usual files want
	if err := instance.Lay(folder, files, values); err != nil {
		t.Fatal(err)
	}
	i := instance.StartIn(t, program, folder)
	return &edge{client{t, i.Address(t, "plain"), i.Address(t, "secure")}, i, program}
}

// get is what the command get says, by line.
func (e *edge) get(kind string) []string {
	e.t.Helper()
	get := exec.Command(e.program, "get", kind, "--api", "http://"+e.Address(e.t, instance.API),
		"--store", e.File("data"))
	out, err := get.CombinedOutput()
	if err != nil {
		e.t.Fatalf("get %s: %v\n%s", kind, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// awaitProblem waits until get problems has a line with all of the words.
func (e *edge) awaitProblem(words ...string) {
	e.t.Helper()
	instance.Await(e.t, patience, "the problem "+strings.Join(words, " "), func() bool {
		return slices.ContainsFunc(e.get("problems"), func(line string) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) })
		})
	})
}
