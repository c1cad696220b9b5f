package middleware

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// guest compiles the plug-in in testdata/guest.
func guest(t testing.TB) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, "./testdata/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	code, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(code)
}

func TestWASM(t *testing.T) {
	var log bytes.Buffer
	s := NewSet(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	f := build(t, s, model.Middleware{WASM: &model.WASM{
		Code: guest(t), Sum: "1", Config: model.NewSecret("the config"), MemoryBytes: 32 << 20, Timeout: 5 * time.Second,
	}})
	t.Cleanup(func() { closeAll(s) })
	h := f(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Header.Get("X-Config")+"|"+string(body))
	}))
	ask := func(path, body string) (int, string, string) {
		w := &reasons{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		return w.Code, w.Body.String(), w.reason + w.Header().Get("X-From")
	}
	const failed = "Internal Server Error\n"
	for _, c := range []struct {
		path, body string
		status     int
		want, why  string
	}{
		{"/", "a", 200, "[the config|a]", "plugin"},
		{"/body", "shout", 200, "[the config|SHOUT]", "plugin"},
		{"/deny", "", 403, "denied", "answered_by_wasmplugin"},
		{"/loop", "", 500, failed, "wasm_failed"},
		{"/grow", "", 500, failed, "wasm_failed"},
		{"/panic", "", 500, failed, "wasm_failed"},
		{"/smuggle", "", 500, failed, "wasm_failed"},
		{"/split", "", 500, failed, "wasm_failed"},
		{"/outside", "", 500, failed, "wasm_failed"},
		{"/", "after all that", 200, "[the config|after all that]", "plugin"},
	} {
		if status, body, why := ask(c.path, c.body); status != c.status || body != c.want || why != c.why {
			t.Errorf("%s: got %d %q %q, want %d %q %q", c.path, status, body, why, c.status, c.want, c.why)
		}
	}
	if strings.Contains(log.String(), "the config") || strings.Count(log.String(), "a plug-in failed") != 6 {
		t.Errorf("the log:\n%s", &log)
	}
	var all sync.WaitGroup // each in an instance of its own
	for range 20 {
		all.Go(func() {
			if _, body, _ := ask("/", "b"); body != "[the config|b]" {
				t.Errorf("got %q", body)
			}
		})
	}
	all.Wait()
}

func closeAll(s *Set) {
	for _, k := range s.states {
		k.close()
	}
}

func TestBuildSaysWhatIsWrongWithPlugins(t *testing.T) {
	checkBad(t, map[string]badSpec{
		"no module": {model.Middleware{WASM: &model.WASM{Code: "a"}}, "wasm.file: the plug-in cannot be used: "},
		"no handler": {
			model.Middleware{WASM: &model.WASM{Code: "\x00asm\x01\x00\x00\x00"}},
			"wasm.file: the plug-in cannot be used: it exports",
		},
		"memory":  {model.Middleware{WASM: &model.WASM{MemoryBytes: 1}}, "wasm.memoryBytes: "},
		"timeout": {model.Middleware{WASM: &model.WASM{Timeout: -1}}, "wasm.timeout: "},
	})
}
