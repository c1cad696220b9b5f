package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// What the API answers to each of the questions in testdata.
func TestAnswers(t *testing.T) {
	b := newBench(t)
	b.set(files())
	b.set(paris())
	const file = "testdata/answers.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key := b.key("api:read")
	for i := range archive.Files {
		question := &archive.Files[i]
		var got bytes.Buffer
		if err := json.Indent(&got, b.call("GET", question.Name, key, "").Body.Bytes(), "", "  "); err != nil {
			t.Fatalf("%s: %v", question.Name, err)
		}
		got = *bytes.NewBuffer(changed.ReplaceAll(got.Bytes(), []byte(`"changed": "now"`)))
		if *update {
			question.Data = got.Bytes()
		}
		if diff := cmp.Diff(string(question.Data), got.String()); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", question.Name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// changed is when a source changed last: whenever the test ran.
var changed = regexp.MustCompile(`"changed": "[^"]+"`)

func TestETag(t *testing.T) {
	b := newBench(t)
	b.set(files())
	tag := b.call("GET", "/api/v1/routes", b.admin, "").Header().Get("ETag")
	if tag == "" {
		t.Fatal("a list has no ETag")
	}
	for _, known := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		w := b.call("GET", "/api/v1/routes", b.admin, "", "If-None-Match", known)
		if w.Code != http.StatusNotModified || w.Body.Len() > 0 || w.Header().Get("ETag") != tag {
			t.Errorf("If-None-Match %s: %d %s", known, w.Code, w.Body)
		}
	}
	b.set(paris())
	if w := b.call("GET", "/api/v1/routes", b.admin, "", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("after a change: %d", w.Code)
	}
}

// Where nothing is known yet, lists are empty, not absent, and nothing fails.
func TestBeforeTheFirstGeneration(t *testing.T) {
	b := newBench(t)
	for _, e := range new(server).endpoints() {
		if e.method != "GET" || !strings.HasPrefix(e.path, base) || strings.HasSuffix(e.path, "/events") ||
			strings.Contains(e.path, "{") {
			continue
		}
		w := b.call("GET", e.path+map[string]string{base + "/explain": "?url=http://a.example/"}[e.path], b.admin, "")
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "null") {
			t.Errorf("GET %s: %d %s", e.path, w.Code, w.Body)
		}
	}
}

func TestReady(t *testing.T) {
	b := newBench(t)
	if w := b.call("GET", "/healthz", "", ""); w.Code != http.StatusOK {
		t.Errorf("alive: %d", w.Code)
	}
	w := b.call("GET", "/readyz", "", "")
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"awaited":["file/main"]`) {
		t.Errorf("before: %d %s", w.Code, w.Body)
	}
	b.options.Catalog.Set(files())
	if w := b.call("GET", "/readyz", "", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("known, not served: %d %s", w.Code, w.Body)
	}
	b.options.Proxy.Apply(b.options.Catalog.Current(), true)
	if w := b.call("GET", "/readyz", "", ""); w.Code != http.StatusOK {
		t.Errorf("served: %d %s", w.Code, w.Body)
	}
}

func TestBadQuestions(t *testing.T) {
	b := newBench(t)
	b.set(files())
	const explain = "/api/v1/explain?url="
	for _, test := range []struct {
		method, target, body string
		status               int
		says                 string
	}{
		{"GET", "/api/v1/nothing", "", 404, "/api/v1/openapi.json"},
		{"GET", "/", "", 404, ""},
		{"PUT", "/api/v1/routes", "", 405, "there is: GET"},
		{"PATCH", "/api/v1/keys/x", "", 405, "there is: DELETE, GET"},
		{"GET", "/api/v1/routes?nam=x", "", 400, `unknown parameter \"nam\"; there are: cluster, name`},
		{"GET", "/api/v1/version?x", "", 400, "there are none here"},
		{"GET", "/api/v1/routes?name=%zz", "", 400, "the query cannot be read"},
		{"GET", "/api/v1/routes?name=" + strings.Repeat("x", maxQuery), "", 414, "longer than 16 KiB"},
		{"GET", "/api/v1/explain", "", 400, "url: "},
		{"GET", explain + "ftp://a.example", "", 400, "url: "},
		{"GET", explain + "/path", "", 400, "url: "},
		{"GET", explain + "http://a.example/a/%252e%252e/b", "", 400, "escaped dot segments"},
		{"GET", explain + "http://a.example&method=A%20B", "", 400, "method: "},
		{"GET", explain + "http://a.example&header=nonsense", "", 400, "header: "},
		{"GET", explain + "http://a.example&clientIP=me", "", 400, "clientIP: "},
		{"GET", explain + "http://a.example&entryPoint=none", "", 400, "there are: web, admin"},
		{"POST", "/api/v1/keys", "", 400, "there is no body"},
		{"POST", "/api/v1/keys", `{"owner":1}`, 400, "owner"},
		{"POST", "/api/v1/keys", `{"owner":"a","scope":["admin"]}`, 400, `unknown field \"scope\"`},
		{"POST", "/api/v1/keys", `{"owner":"a","scopes":["admin"]}{}`, 400, "more after the object"},
		{"POST", "/api/v1/keys", `{"owner":"a","scopes":["all"]}`, 422, "no scope or role"},
		{"POST", "/api/v1/keys", `{"owner":"` + strings.Repeat("x", maxBody) + `"}`, 413, "larger than 64 KiB"},
		{"POST", "/api/v1/keys/aaaaaaaaaaaa/rotate", `{"overlap":"soon"}`, 400, "overlap: "},
		{"POST", "/api/v1/keys/aaaaaaaaaaaa/rotate", `{"overlap":"999h"}`, 422, "overlap"},
		{"POST", "/api/v1/keys/aaaaaaaaaaaa/rotate", `{}`, 404, "no such key"},
		{"GET", "/api/v1/keys/aaaaaaaaaaaa", "", 404, "no such key"},
		{"DELETE", "/api/v1/keys/aaaaaaaaaaaa", "", 404, "no such key"},
	} {
		w := b.call(test.method, test.target, b.admin, test.body)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%s %.80s: %d %s", test.method, test.target, w.Code, w.Body)
		}
		if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
			t.Errorf("%s %.80s answers with %s", test.method, test.target, kind)
		}
	}
	if w := b.call("POST", "/api/v1/keys", b.admin, "owner=a", "Content-Type", "text/plain"); w.Code != 415 {
		t.Errorf("a form: %d", w.Code)
	}
}
