package middleware

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/fairlead/fairlead/internal/model"
)

// claimed is a ResponseWriter that keeps claims, as the proxy's does.
type claimed struct {
	http.ResponseWriter
	of map[string]any
}

func (c *claimed) SetClaims(of map[string]any) { c.of = of }
func (c *claimed) Claims() map[string]any      { return c.of }

// Policies that run here: what each makes of GET /a?b=c with X-A: 1 from somebody whose token says that sub is ann and
// level 7.
func TestPolicy(t *testing.T) {
	here := func(rules string) model.OPA { return model.OPA{Policy: "package a\n" + rules} }
	group := map[string]string{"x-group": "data.a.group"}
	for name, c := range map[string]struct {
		spec   model.OPA
		status int
		group  string
	}{
		"its own rule": {here(`allow if { input.method == "GET"; input.headers["X-A"] == "1" }`), 200, ""},
		"the query":    {here(`allow if input.query == "b=c"`), 200, ""},
		"a no":         {here(`allow if input.method == "POST"`), 403, ""},
		"a default no": {here("default allow = false\nallow { input.path == \"/b\" }"), 403, ""},
		"of before 1.0": {
			model.OPA{Policy: "package a\nallow { input.path == \"/a\" }", Allow: "data.a.allow"}, 200, "",
		},
		"claims":        {here(`allow if { input.claims.sub == "ann"; input.claims.level > 6 }`), 200, ""},
		"another rule":  {model.OPA{Policy: "package a\nallow := true\nother := false", Allow: "data.a.other"}, 403, ""},
		"an expression": {model.OPA{Policy: "package a\nlevel := 3", Allow: "data.a.level > 2"}, 200, ""},
		"an object":     {here(`allow := {"allow": false, "status": 404}`), 404, ""},
		"a field": {
			model.OPA{
				Policy:  "package a\nallow := {\"allow\": true, \"headers\": {\"X-Group\": \"staff\"}}",
				Decided: []string{"X-Group"},
			}, 200, "staff",
		},
		"derived":        {model.OPA{Policy: "package a\ngroup := input.claims.sub", Forward: group}, 200, "ann"},
		"a derived list": {model.OPA{Policy: "package a\ngroup := [1, input.claims.level]", Forward: group}, 200, "1,7"},
		"none derived":   {model.OPA{Policy: "package a", Forward: group}, 200, ""},
		"text":           {here(`allow := "true"`), 503, ""},
		"too long": {
			model.OPA{
				Policy: "package a\nallow if count([1 |\n" +
					"numbers.range(1, 3000)[_] == numbers.range(1, 3000)[_]]) > 0",
				Timeout: time.Millisecond,
			}, 503, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := NewSet(Options{}).Build(&model.Middleware{OPA: &c.spec}, Use{})
			if err != nil {
				t.Fatal(err)
			}
			var group []string
			w := httptest.NewRecorder()
			f(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { group = r.Header["X-Group"] })).ServeHTTP(
				&claimed{w, claims{"sub": "ann", "level": json.Number("7")}}, request("/a?b=c", "X-A: 1", "X-Group: root"))
			if w.Code != c.status || strings.Join(group, "|") != c.group && c.spec.Decided != nil {
				t.Errorf("status %d, group %v", w.Code, group)
			}
			if (c.spec.Forward != nil || c.spec.Decided != nil) && strings.Join(group, "|") != c.group {
				t.Errorf("the service sees %v", group)
			}
		})
	}
}

// A policy that cannot be understood, or that would reach out of itself, is no policy.
func TestBadPolicy(t *testing.T) {
	for _, text := range []string{
		"package a\nallow if", "package a\nallow if http.send({}).a", "package a\nallow if net.lookup_ip_addr(\"a\")",
		"package a\nallow if opa.runtime().env.HOME", "package a\nallow if unknown(1)",
	} {
		_, err := NewSet(Options{}).Build(&model.Middleware{OPA: &model.OPA{Policy: text}}, Use{})
		if err == nil || !strings.HasPrefix(err.Error(), "opa.policy: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, archive := range []string{"no archive", archiveOf(t, map[string]string{"a.rego": "package"})} {
		_, err := NewSet(Options{}).Build(&model.Middleware{OPA: &model.OPA{Archive: archive, Allow: "data.a"}}, Use{})
		if err == nil || !strings.HasPrefix(err.Error(), "opa.bundlePath: ") {
			t.Errorf("%v", err)
		}
	}
	if err := fits(archiveOf(t, map[string]string{"data.json": strings.Repeat(" ", maxUnpacked)})); err == nil {
		t.Error("a bomb is unpacked")
	}
}

// A policy that may ask others asks those that it may.
func TestPolicyAsks(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	text := fmt.Sprintf("package a\nallow if http.send({\"method\": \"get\", \"url\": %q}).status_code == 200", server.URL)
	for host, want := range map[string]int{"127.0.0.1": 200, "a.example": 403} {
		asked = 0
		spec := model.OPA{Policy: text, Builtins: []string{"http.send"}, Hosts: []string{host}}
		w, _ := exchange(build(t, NewSet(Options{}), model.Middleware{OPA: &spec}), request("/"))
		if w.Code != want || (asked > 0) != (want == 200) {
			t.Errorf("it may ask %s: status %d, asked %d times", host, w.Code, asked)
		}
	}
}

// archiveOf makes a bundle that is not signed.
func archiveOf(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: "/" + name, Mode: 0o600, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, files[name])
	}
	_, _ = w.Close(), z.Close()
	return b.String()
}

// signed signs a bundle with a secret (https://www.openpolicyagent.org/docs/management-bundles#signing).
func signed(t *testing.T, archive, secret string) string {
	t.Helper()
	b, err := bundle.NewReader(strings.NewReader(archive)).Read()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.GenerateSignature(bundle.NewSigningConfig(secret, "HS256", ""), "first", false); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSignedBundle(t *testing.T) {
	archive := archiveOf(t, map[string]string{"a.rego": "package a\nallow if data.open", "data.json": `{"open": true}`})
	secret := model.NewSecret("a secret of more than 32 bytes, for tests")
	trust := &model.OPAVerification{Keys: map[string]model.OPAKey{"first": {Algorithm: "HS256", Key: secret}}}
	good := signed(t, archive, secret.Reveal())
	for name, c := range map[string]struct {
		archive string
		good    bool
	}{
		"signed": {good, true}, "not signed": {archive, false}, "another's": {signed(t, archive, "another secret"), false},
	} {
		spec := model.OPA{Archive: c.archive, Sum: name, Allow: "data.a.allow", Verification: trust}
		_, err := NewSet(Options{}).Build(&model.Middleware{OPA: &spec}, Use{})
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bundleServer has one bundle, and answers when there is another.
type bundleServer struct {
	mu      sync.Mutex
	archive string
	changed chan struct{}
	asked   []string // If-None-Match and Prefer of each request
}

func (b *bundleServer) put(archive string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.archive = archive
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *bundleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	archive, changed := b.archive, b.changed
	b.asked = append(b.asked, r.Header.Get("If-None-Match")+" "+r.Header.Get("Prefer"))
	b.mu.Unlock()
	tag := func() string { return fmt.Sprintf(`"%d"`, len(archive)) }
	if r.Header.Get("If-None-Match") == tag() && strings.Contains(r.Header.Get("Prefer"), "wait=") {
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
		b.mu.Lock()
		archive = b.archive
		b.mu.Unlock()
	}
	w.Header().Set("Content-Type", bundleType)
	w.Header().Set("Etag", tag())
	if r.Header.Get("Authorization") != "Bearer t" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	_, _ = io.WriteString(w, archive)
}

// A bundle that is fetched: a change is in use as soon as the server tells it; a bad one is not; what was good before
// decides meanwhile, and a problem says so.
func TestBundle(t *testing.T) {
	of := func(says string) string {
		return archiveOf(t, map[string]string{"a.rego": "package a\nallow := " + says})
	}
	b := &bundleServer{archive: of("true"), changed: make(chan struct{})}
	server := httptest.NewServer(b)
	defer server.Close()
	spec := &model.OPA{
		Bundle: &model.OPABundle{URL: server.URL, Interval: 10 * time.Millisecond, LongPoll: time.Minute},
		Token:  model.NewSecret("t"), Allow: "data.a.allow",
	}
	client, err := newIdentityClient("", model.IdentityServer{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := newOwnPolicy(spec, model.Ref{}, client)
	defer p.close()
	decide := func() string {
		d, err := p.decide(context.Background(), nil)
		return fmt.Sprint(d.Allow, err == nil)
	}
	await := func(what string, holds func() bool) {
		t.Helper()
		deadline, done := time.NewTimer(time.Minute), time.NewTicker(5*time.Millisecond)
		defer deadline.Stop()
		defer done.Stop()
		for !holds() {
			select {
			case <-done.C:
			case <-deadline.C:
				t.Fatal(what)
			}
		}
	}
	if got := decide(); got != "true true" {
		t.Fatalf("the first decision: %s", got)
	}
	b.put(of("false"))
	await("the change is not in use", func() bool { return decide() == "false true" })
	b.put("no bundle at all")
	await("there is no problem", func() bool { _, wrong := p.problem(); return wrong })
	if problem, _ := p.problem(); decide() != "false true" || problem.Code != model.Unreachable ||
		!strings.Contains(problem.Message, "the policy of before decides") {
		t.Errorf("with a bad bundle: %s, %v", decide(), problem)
	}
	b.put(of("true"))
	await("the mended one is not in use", func() bool { return decide() == "true true" })
	await("the problem stays", func() bool { _, wrong := p.problem(); return !wrong })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked[0] != " modes=snapshot" || !strings.Contains(strings.Join(b.asked, "\n"), `" modes=snapshot;wait=60`) {
		t.Errorf("asked %q", b.asked)
	}
}

// Without a bundle, nobody passes.
func TestNoBundle(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	spec := model.OPA{Bundle: &model.OPABundle{URL: server.URL}, Allow: "data.a.allow"}
	set := NewSet(Options{})
	w, got := exchange(build(t, set, model.Middleware{OPA: &spec}), request("/"))
	if w.Code != http.StatusServiceUnavailable || got != nil {
		t.Errorf("status %d", w.Code)
	}
	if list := set.Problems(); len(list) != 1 || !strings.Contains(list[0].Message, "the server answers 404") {
		t.Errorf("problems %v", list)
	}
	for _, k := range set.states {
		k.close()
	}
}
