package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const staticPage = "../../docs/traefik-static.md"

const staticHead = `# Traefik's static configuration, key by key

` + "```yaml" + `
entryPoints:
  web: {address: ":80"}
providers:
  docker: {exposedByDefault: false}
log: {level: INFO}
` + "```" + `

The [instance file](configuration.md) has many of the keys of Traefik v3's static configuration, and with them whoever
has such a file begins. This page lists every key of it, and what becomes of it here; [another](traefik.md) does so for
routes. It is made by giving each key to the program, so it is true of this version.

- **yes**: it means here what it means there.
- **not needed**: the instance starts, and does without it what those who wrote it rely on; a
  [problem](routes.md#problems), ` + "`not_needed`" + `, says so with this message, and the file and line of the key.
- **no**: the start stops, with the file and line of the key and this message, so that nobody relies on what is not
  there. Sections that are refused as a whole, with all below them, are one line.

Passwords and tokens do not stand in the file: where Traefik has the text itself, the same key has
` + "`file:/path`" + ` or ` + "`env:NAME`" + `.

| key | taken | note |
|---|---|---|
`

// docs/traefik-static.md says which keys of Traefik's static configuration are taken. It is made by loading each.
func TestTraefikStaticPage(t *testing.T) {
	got := bytes.NewBufferString(staticHead)
	text, err := os.ReadFile("testdata/traefik.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := append(strings.Split(line, "\t"), "")
		fmt.Fprintf(got, "| `%s` | %s | %s |\n", parts[0], taken(t, parts[0], parts[1]), parts[2])
	}
	if *update {
		if err := os.WriteFile(staticPage, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(staticPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("go test ./internal/config -run TestTraefikStaticPage -update writes it anew (-page +code):\n%s", diff)
	}
}

// besides are what must stand beside a key, by what it begins with; all that fit.
var besides = map[string]string{
	"": `{"entryPoints": {"web": {"address": ":80"}}}`,
	"entryPoints.NAME.http3": `{"entryPoints": {"web": {"tls": {"certificates": [
		{"certFile": "a", "keyFile": "b"}]}}}}`,
	"metrics.prometheus.":                      `{"metrics": {"prometheus": {"address": "127.0.0.1:9090"}}}`,
	"providers.file.debug":                     `{"providers": {"file": {"directory": "a"}}}`,
	"providers.file.watch":                     `{"providers": {"file": {"directory": "a"}}}`,
	"providers.http.":                          `{"providers": {"http": {"endpoint": "https://a/b.yaml"}}}`,
	"providers.redis.sentinel":                 `{"providers": {"redis": {"sentinel": {"masterName": "main"}}}}`,
	"providers.nomad.endpoint.tls":             `{"providers": {"nomad": {"endpoint": {"address": "https://a:1"}}}}`,
	"providers.consulCatalog.connectByDefault": `{"providers": {"consulCatalog": {"connectAware": true}}}`,
	"providers.docker.tls":                     `{"providers": {"docker": {"endpoint": "tcp://a:1"}}}`,
	"providers.swarm.tls":                      `{"providers": {"swarm": {"endpoint": "tcp://a:1"}}}`,
	"tracing.":                                 `{"tracing": {"otlp": {}}}`,
}

// partners are keys that go together.
var partners = map[string]string{"cert": "key", "key": "cert", "password": "username"}

// taken says in the words of the page what becomes of a key.
func taken(t *testing.T, key, value string) string {
	t.Helper()
	root := map[string]any{}
	for prefix, text := range besides {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		var more map[string]any
		if err := json.Unmarshal([]byte(text), &more); err != nil {
			t.Fatal(err)
		}
		join(root, more)
	}
	path := strings.Split(strings.Replace(key, "entryPoints.NAME", "entryPoints.web", 1), ".")
	at := root
	for _, name := range path[:len(path)-1] {
		below, ok := at[name].(map[string]any)
		if !ok {
			below = map[string]any{}
			at[name] = below
		}
		at = below
	}
	last := path[len(path)-1]
	if partner, ok := partners[last]; ok {
		at[partner] = "a"
	}
	at[last] = json.RawMessage(value)
	if path[0] == "tracing" && len(path) > 1 && path[1] != "otlp" {
		join(root, map[string]any{"tracing": map[string]any{"otlp": map[string]any{"http": map[string]any{}}}})
	}
	data, err := json.Marshal(root)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	c, err := parse("fairlead.json", "/etc/fairlead", data)
	mistakes, _ := errors.AsType[Errors](err)
	switch {
	case err == nil && len(c.Problems) == 0:
		return "yes"
	case err == nil && len(c.Problems) == 1:
		_, why, _ := strings.Cut(c.Problems[0].Message, "not needed: ")
		return "not needed: " + strings.TrimSuffix(why, "; remove it")
	case len(mistakes) == 1 && told(mistakes[0].Message):
		return "no: " + mistakes[0].Message
	}
	t.Errorf("%s: %s: %v", key, data, err)
	return ""
}

// told reports whether a message is about a key, not about its value.
func told(message string) bool {
	return strings.HasSuffix(message, "; remove it") || strings.Contains(message, "; did you mean ")
}

// join adds what is in more.
func join(into, more map[string]any) {
	for key, value := range more {
		was, ok := into[key].(map[string]any)
		if below, also := value.(map[string]any); ok && also {
			join(was, below)
			continue
		}
		maps.Copy(into, map[string]any{key: value})
	}
}
