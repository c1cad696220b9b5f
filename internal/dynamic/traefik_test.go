package dynamic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/model"
)

const traefikPage = "../../docs/traefik.md"

// docs/traefik.md says which keys of Traefik's format are served. It is made by giving each of them to Build.
func TestTraefikPage(t *testing.T) {
	got := traefikTable(t)
	if *update {
		if err := os.WriteFile(traefikPage, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(traefikPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("go test ./internal/dynamic -run TestTraefikPage -update writes it anew (-page +code):\n%s", diff)
	}
}

// sample is a key of the format, and a value for it.
type sample struct {
	key, note string
	value     any
	ours      bool // Traefik does not know it
}

func readSamples(t *testing.T) (list []sample) {
	t.Helper()
	text, err := os.ReadFile("testdata/traefik.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := append(strings.Split(line, "\t"), "")
		s := sample{note: parts[2]}
		s.key, s.ours = strings.CutPrefix(parts[0], "+")
		if err := json.Unmarshal([]byte(parts[1]), &s.value); err != nil {
			t.Fatalf("%s: %v", s.key, err)
		}
		list = append(list, s)
	}
	return list
}

// basics are what an object needs beside the key that is looked at, by what the key begins with ("+": of ours); the
// first that fits.
var basics = []struct{ prefix, object string }{
	{"http.routers.", "{\"rule\": \"Host(`a.example`)\", \"service\": \"shop\"}"},
	{"+http.services.NAME.loadBalancer.healthCheck.mode", `{"loadBalancer": {"servers": [{"url": "http://a"}],
		"healthCheck": {}}}`},
	{"http.services.NAME.loadBalancer.healthCheck", `{"loadBalancer": {"servers": [{"url": "http://a"}],
		"healthCheck": {"path": "/"}}}`},
	{"http.services.NAME.loadBalancer", `{"loadBalancer": {"servers": [{"url": "http://a"}]}}`},
	{"http.services.NAME.weighted", `{"weighted": {"services": [{"name": "a"}]}}`},
	{"http.services.NAME.highestRandomWeight", `{"highestRandomWeight": {"services": [{"name": "a"}]}}`},
	{"http.services.NAME.failover.errors",
		`{"failover": {"service": "a", "fallback": "b", "errors": {"status": ["500"]}}}`},
	{"http.services.NAME.failover", `{"failover": {"service": "a", "fallback": "b"}}`},
	{"http.services.NAME.mirroring", `{"mirroring": {"service": "a", "mirrors": [{"name": "b"}]}}`},
	{"http.services.NAME.middlewares", `{"loadBalancer": {"servers": [{"url": "http://a"}]}}`},
	{"http.middlewares.NAME.apiKey.query", `{"apiKey": {"scope": "route:a"}}`},
	{"http.middlewares.NAME.apiKey.cookie", `{"apiKey": {"scope": "route:a"}}`},
	{"http.middlewares.NAME.apiKey.hashes", `{"apiKey": {"header": "X-Key"}}`},
	{"http.middlewares.NAME.apiKey.scope", `{"apiKey": {"header": "X-Key"}}`},
	{"http.middlewares.NAME.apiKey.", `{"apiKey": {"header": "X-Key", "scope": "route:a"}}`},
	{"http.middlewares.NAME.basicAuth.users", `{}`},
	{"http.middlewares.NAME.basicAuth.", `{"basicAuth": {"usersFile": "users"}}`},
	{"http.middlewares.NAME.circuitBreaker.", `{"circuitBreaker": {"expression": "NetworkErrorRatio() > 1"}}`},
	{"http.middlewares.NAME.inFlightReq.sourceCriterion.", `{"inFlightReq": {"amount": 1, "sourceCriterion": {}}}`},
	{"http.middlewares.NAME.digestAuth.users", `{}`},
	{"http.middlewares.NAME.digestAuth.", `{"digestAuth": {"usersFile": "digests"}}`},
	{"http.middlewares.NAME.errors.status", `{"errors": {"service": "a"}}`},
	{"http.middlewares.NAME.errors.", `{"errors": {"status": ["500"], "service": "a"}}`},
	{"http.middlewares.NAME.retry.disable", `{"retry": {"attempts": 2, "status": ["500"]}}`},
	{"http.middlewares.NAME.forwardAuth.tls.cert", `{"forwardAuth": {"address": "http://a", "tls": {"key": "users"}}}`},
	{"http.middlewares.NAME.forwardAuth.tls.key", `{"forwardAuth": {"address": "http://a", "tls": {"cert": "users"}}}`},
	{"http.middlewares.NAME.rateLimit.redis.tls.cert", `{"rateLimit": {"redis": {"tls": {"key": "users"}}}}`},
	{"http.middlewares.NAME.rateLimit.redis.tls.key", `{"rateLimit": {"redis": {"tls": {"cert": "users"}}}}`},
	{"http.middlewares.NAME.wasm.", `{"wasm": {"file": "users"}}`},
	{"http.middlewares.NAME.forwardAuth.", `{"forwardAuth": {"address": "http://a"}}`},
	{"http.middlewares.NAME.jwt.signingSecretBase64Encoded",
		`{"jwt": {"signingSecret": "YSBzZWNyZXQgb2YgbW9yZSB0aGFuIDMyIGJ5dGVzLCBmb3IgdGVzdHM="}}`},
	{"http.middlewares.NAME.jwt.signingSecret", `{}`},
	{"http.middlewares.NAME.jwt.publicKey", `{}`},
	{"http.middlewares.NAME.jwt.jwks", `{}`},
	{"http.middlewares.NAME.jwt.", `{"jwt": {"publicKey": "key.pem"}}`},
	{"http.middlewares.NAME.httpSignature.keys", `{}`},
	{"http.middlewares.NAME.httpSignature.",
		`{"httpSignature": {"keys": [{"id": "a", "secret": "a secret of more than 32 bytes, for tests"}]}}`},
	{"http.middlewares.NAME.opa.policy", `{}`},
	{"http.middlewares.NAME.opa.bundle", `{"opa": {"allow": "data.a.allow"}}`},
	{"http.middlewares.NAME.opa.allow", `{"opa": {"policy": "package a"}}`},
	{"http.middlewares.NAME.opa.forwardHeaders", `{"opa": {"policy": "package a"}}`},
	{"http.middlewares.NAME.opa.", `{"opa": {"url": "http://a/v1/data/b"}}`},
	{"http.middlewares.NAME.ldap.bindDN", `{"ldap": {"url": "ldap://a", "baseDN": "dc=a", "bindPassword": "s"}}`},
	{"http.middlewares.NAME.ldap.bindP", `{"ldap": {"url": "ldap://a", "baseDN": "dc=a", "bindDN": "cn=a"}}`},
	{"http.middlewares.NAME.ldap.usernameAttribute",
		`{"ldap": {"url": "ldap://a", "baseDN": "dc=a", "searchFilter": "(uid=%s)"}}`},
	{"http.middlewares.NAME.ldap.", `{"ldap": {"url": "ldap://a", "baseDN": "dc=a"}}`},
	{"http.middlewares.NAME.oAuthIntrospection.clientID",
		`{"oAuthIntrospection": {"clientConfig": {"url": "http://a"}, "clientSecret": "s"}}`},
	{"http.middlewares.NAME.oAuthIntrospection.clientSecret",
		`{"oAuthIntrospection": {"clientConfig": {"url": "http://a"}, "clientID": "i"}}`},
	{"http.middlewares.NAME.oAuthIntrospection.", `{"oAuthIntrospection": {"clientConfig": {"url": "http://a"}}}`},
	{"http.middlewares.NAME.oAuthClientCredentials.",
		`{"oAuthClientCredentials": {"url": "http://a", "clientID": "i", "clientSecret": "s"}}`},
	{"http.middlewares.NAME.oidc.", `{"oidc": {"issuer": "http://a", "clientID": "c", "redirectUrl": "/callback",
		"clientSecret": "a client's secret of more than 32 bytes"}}`},
	{"http.middlewares.NAME.headers.sslTemporaryRedirect", `{"headers": {"sslRedirect": true}}`},
	{"http.middlewares.NAME.headers.sslHost", `{"headers": {"sslRedirect": true}}`},
	{"http.middlewares.NAME.headers.sslForceHost", `{"headers": {"sslHost": "a.example"}}`},
	{"http.middlewares.NAME.ipAllowList.", `{"ipAllowList": {"sourceRange": ["10.0.0.1"]}}`},
	{"http.middlewares.NAME.redirectScheme.", `{"redirectScheme": {"scheme": "https"}}`},
	{"http.middlewares.NAME.redirectRegex.", `{"redirectRegex": {"regex": "a", "replacement": "b"}}`},
	{"http.middlewares.NAME.replacePathRegex.", `{"replacePathRegex": {"regex": "a", "replacement": "b"}}`},
	{"http.middlewares.NAME.retry.", `{"retry": {"attempts": 2}}`},
	{"http.middlewares.NAME.stripPrefix.", `{"stripPrefix": {"prefixes": ["/a"]}}`},
	{"tcp.routers.", "{\"rule\": \"HostSNI(`a.example`)\", \"service\": \"db\", \"tls\": {}}"},
	{"tcp.services.NAME.loadBalancer", `{"loadBalancer": {"servers": [{"address": "a:1"}]}}`},
	{"tcp.services.NAME.weighted", `{"weighted": {"services": [{"name": "a"}]}}`},
	{"tls.options.NAME.clientAuth.clientAuthType", `{"clientAuth": {"caFiles": ["root.pem"]}}`},
	{"udp.routers.", `{"service": "dns"}`},
	{"udp.services.NAME.loadBalancer", `{"loadBalancer": {"servers": [{"address": "a:1"}]}}`},
	{"udp.services.NAME.weighted", `{"weighted": {"services": [{"name": "a"}]}}`},
	{"", `{}`},
}

// snapshot builds the smallest file that has the key.
func (s sample) snapshot(t *testing.T) model.Snapshot {
	t.Helper()
	data, err := json.Marshal(s.root(t))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Decode("file/main", "sample.json", data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return Build("file/main", []*Document{doc}, WithFiles(sampleFiles(t)))
}

// root is that file.
func (s sample) root(t *testing.T) map[string]any {
	t.Helper()
	for _, b := range basics {
		if prefix, ours := strings.CutPrefix(b.prefix, "+"); !strings.HasPrefix(s.key, prefix) || ours && !s.ours {
			continue
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(b.object), &object); err != nil {
			t.Fatalf("%s: %v", b.prefix, err)
		}
		path := strings.Split(s.key, ".")
		root := map[string]any{}
		at := root
		for i, key := range path[:len(path)-1] {
			at = into(at, key)
			if i == 2 {
				maps.Copy(at, object)
			}
		}
		put(at, path[len(path)-1], s.value)
		return root
	}
	return nil
}

// sampleFiles reads the files that samples name.
func sampleFiles(t *testing.T) func(string) ([]byte, error) {
	certificate, key := samplePair(t)
	files := map[string][]byte{
		"hashes": []byte(strings.Repeat("0", 64)), "root.pem": certificate, "key.pem": key,
		"digests": []byte("test:traefik:a2688e031edb4be6a3797f3882655c05"),
	}
	return func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return data, nil
		}
		return []byte("ann:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc="), nil
	}
}

// into returns the map below a key, or below the first item of a list.
func into(m map[string]any, key string) map[string]any {
	if key, ok := strings.CutSuffix(key, "[]"); ok {
		return m[key].([]any)[0].(map[string]any)
	}
	below, ok := m[key].(map[string]any)
	if !ok {
		below = map[string]any{}
		m[key] = below
	}
	return below
}

func put(m map[string]any, key string, value any) {
	if old, ok := m[key].(map[string]any); ok && len(old) > 0 {
		maps.Copy(old, value.(map[string]any))
		return
	}
	m[key] = value
}

// served says in the words of the page what became of a key.
func (s sample) served(t *testing.T) string {
	t.Helper()
	snapshot := s.snapshot(t)
	built := len(snapshot.Routes) + len(snapshot.Services) + len(snapshot.Middlewares) + len(snapshot.Certificates) +
		len(snapshot.TLSOptions)
	for _, made := range snapshot.Transports {
		if !reflect.DeepEqual(made, &model.Transport{Name: made.Name, Source: made.Source, Lane: made.Lane}) {
			built++
		}
	}
	switch {
	case built > 0 && isDeprecated(snapshot.Problems):
		return "yes: with a `deprecated` problem"
	case len(snapshot.Problems) > 0:
	case built == 0:
		t.Errorf("%s is passed over in silence", s.key)
	case strings.HasPrefix(s.note, "no effect"):
		return "no: taken, without effect"
	default:
		return "yes"
	}
	var codes []string
	for _, p := range snapshot.Problems {
		codes = append(codes, "`"+string(p.Code)+"`")
	}
	effect := "the object is not served"
	switch {
	case strings.Contains(snapshot.Problems[0].Message, "it is ignored"):
		effect = "the key is ignored"
	case len(snapshot.Routes) > 0 && snapshot.Routes[0].Broken:
		effect = "the route answers 503"
	}
	return fmt.Sprintf("no: %s, %s", strings.Join(slices.Compact(codes), ", "), effect)
}

// isDeprecated reports whether an old name is all that is wrong.
func isDeprecated(list []model.Problem) bool {
	return len(list) == 1 && list[0].Code == model.Deprecated
}

// name is how the page writes a key: one that is refused as a whole has those below it in parentheses.
func (s sample) name(served string) string {
	below, _ := s.value.(map[string]any)
	names := strings.Join(slices.Sorted(maps.Keys(below)), ", ")
	if names == "" || names == "NAME" || strings.HasPrefix(served, "yes") {
		return "`" + s.key + "`"
	}
	return fmt.Sprintf("`%s` (%s)", s.key, names)
}

const traefikHead = `# Traefik's format, key by key

` + "```yaml" + `
http:
  routers:
    shop: {rule: Host(` + "`shop.example`" + `), service: shop}
  services:
    shop: {loadBalancer: {servers: [{url: "http://10.0.0.7:8080"}]}}
` + "```" + `

Fairlead reads the dynamic configuration of Traefik v3: [routes](routes.md) and
[streams](streams.md) say how. This page lists every key of it,
and what becomes of it here. It is made by giving each key to the program, so it is true of this version.

- **yes**: it is served. Where Fairlead does more or other than Traefik, the last column says it.
- **no**: the key is reported as a problem with its file and line, unless the table says that it is taken. *The key is
  ignored* where the object can do its work without it. Where it would admit, or do, what its owner does not want, *the
  route answers 503*, or *the object is not served*; a route that uses a middleware or service that is not served
  answers 503, too. Such a route keeps its place: its requests go to no other. (A route of TCP or UDP cannot answer: it
  refuses the connection.)

A key that is empty (` + "`false`, `0`, `\"\"`, `[]`" + `) asks for nothing and is no problem. The matchers of the rule
language are all served; [routes](routes.md#rules) lists them. Traefik's static configuration has
[a page of its own](traefik-static.md), and so has
[what is answered otherwise](traefik-differences.md).

| key | served | note |
|---|---|---|
`

const oursHead = `
## What Fairlead adds

Traefik does not know these keys.

| key | served | note |
|---|---|---|
`

func traefikTable(t *testing.T) []byte {
	t.Helper()
	var theirs, ours bytes.Buffer
	samples := readSamples(t)
	for _, s := range samples {
		served := s.served(t)
		out := &theirs
		if s.ours {
			out = &ours
		}
		if s.ours && served != "yes" {
			t.Errorf("%s: %s", s.key, served)
		}
		fmt.Fprintf(out, "| %s | %s | %s |\n", s.name(served), served, s.note)
	}
	return slices.Concat([]byte(traefikHead), theirs.Bytes(), []byte(oursHead), ours.Bytes(),
		labelSection(t, samples))
}
